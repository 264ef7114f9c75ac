"""What a kernel and a hand with kill -9 can do to a transaction: the group is whole afterwards."""

from rig import topology as hw

TIER = "system"
ENABLE = True
DEADLINE = 560
TOOLS = ("vfio-open",)
TOPOLOGY = [hw.Iommu(), hw.BridgePair("PAIR")]
FILES = {
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
""",
}
