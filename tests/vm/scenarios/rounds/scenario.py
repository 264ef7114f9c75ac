"""Groups are taken and given back again and again: the daemon does not grow, the host is as ever.

ROUNDS=500 in the environment of `vm` makes it the long run."""

import os

from rig import topology as hw
from rig.scenario import Boot

number = int(os.environ.get("ROUNDS", "30"))
TIER = "system"
FULL_ONLY = True
DEADLINE = 900 + 10 * number
TOPOLOGY = [hw.Iommu(), hw.BridgePair("PAIR"), hw.Nvme("CLEAN"), hw.NvmeSriov("PF", vfs=4)]
FILES = {
    "/etc/vfio-bind.conf": "[Defaults]\nCompanions=all\n[Claim clean]\nMatch=@CLEAN@\n",
    "/etc/rounds": f"{number}\n",
}
BOOTS = (Boot("control", enable=False), Boot("rounds", enable=True))


def check(boots, report):
    control, rounds = boots["control"], boots["rounds"]
    functions = (control.info("functions") or "").split()
    report.true("functions are compared", len(functions) > 5)
    for function in functions:
        report.equal(f"{function} is as in a guest that never claimed",
                     rounds.info(function), control.info(function))
