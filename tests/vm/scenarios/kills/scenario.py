"""kill -9 of daemon, workers and helper at random moments, and the power cut: nothing is half done.

KILLS=200, CUTS=20 and SEED=… in the environment of `vm` make it longer, or the same again."""

import os
import random

from rig import topology as hw

kills = int(os.environ.get("KILLS", "15"))
cuts = int(os.environ.get("CUTS", "2"))
seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
TIER = "system"
FULL_ONLY = True
ENABLE = True
DEADLINE = 900 + 30 * kills + 120 * cuts
TOPOLOGY = [hw.Iommu(), hw.BridgePair("PAIR"), hw.NvmeSriov("PF", vfs=4), hw.Nvme("DATA")]
FILES = {
    "/etc/vfio-bind.conf": """\
[Defaults]
Companions=all
Timeout=20s
[Claim some]
Match=pf=@PF@ vf=0-1
""",
    "/etc/kills": f"{kills} {cuts} {seed}\n",
    # killed every few seconds
    "/etc/systemd/system/vfio-bindd.service.d/killed.conf": """\
[Unit]
StartLimitIntervalSec=0
[Service]
RestartSec=100ms
""",
}
