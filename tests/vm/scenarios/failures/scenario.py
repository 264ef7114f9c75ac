"""What a kernel and a hand with kill -9 can do to a transaction: the group is whole afterwards."""

import os

from rig import topology as hw

TIER = "system"
USUAL_GUESTS = ("trixie",)
ENABLE = True
DEADLINE = 900 + 15 * int(os.environ.get("ROUNDS", "4"))
TOOLS = ("vfio-open", "tamper-writes.so")
TOPOLOGY = [hw.Iommu(), hw.BridgePair("PAIR")]
FILES = {
    # ROUNDS=100 tests/vm/vm run failures: more kills
    "/etc/rounds": os.environ.get("ROUNDS", "4") + "\n",
    "/etc/vfio-bind.conf": """\
[Defaults]
Companions=all
Timeout=20s
""",
    # killed every few seconds
    "/etc/systemd/system/vfio-bindd.service.d/killed.conf": """\
[Unit]
StartLimitIntervalSec=0
[Service]
RestartSec=100ms
Environment=LD_PRELOAD=/usr/local/bin/tamper-writes.so
""",
}
