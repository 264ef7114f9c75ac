"""Restarting, killing, stopping and reloading the daemon writes nothing below /sys."""

from rig import topology as hw
from rig.host_devices import record

TIER = "system"
USUAL_GUESTS = ("bookworm",)
ENABLE = True
TOPOLOGY = [
    hw.Iommu(),
    hw.Nvme("NVME_A"),
    hw.Nvme("NVME_B"),
    hw.BridgePair("PAIR"),
]
FILES = {
    "/etc/vfio-bind.conf": "[Claim drive]\nMatch=@NVME_A@\n",
    "/etc/vfio-bind.conf.d/pair.conf": "[Claim pair]\nMatch=@PAIR_0@\nCompanions=all\n",
    # The daemon is traced from its first instruction on; -D leaves it the unit's main process.
    "/etc/systemd/system/vfio-bindd.service.d/strace.conf": """\
[Service]
ExecStart=
ExecStart=/usr/bin/strace -D -f -qq -e trace=open,openat,openat2,creat -e signal=none \\
    -A -o /run/vfio-bindd/trace /usr/lib/vfio-bindd/vfio-bindd
CapabilityBoundingSet=CAP_SYS_PTRACE
SystemCallFilter=
""",
    "/var/lib/vfio-bindd/host-devices": record(),
}
