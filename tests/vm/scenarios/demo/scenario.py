"""What README promises, shown to a person: tests/demo prints what this guest says."""

from rig import topology as hw
from rig.host_devices import record

TIER = "system"
GUESTS = ("bookworm",)
ENABLE = True
TOPOLOGY = [
    hw.Iommu(),
    hw.HostNic(),
    hw.Nvme("NVME_A"),
    hw.Nvme("NVME_B"),
    hw.BridgePair("PAIR"),
    hw.NvmeSriov("PF", vfs=4),
]
FILES = {
    "/etc/vfio-bind.conf": """\
[Claim scratch-drive]
Match=@NVME_A@ expect=1b36:0010
NodeUser=nobody

[Claim network-cards]
Match=@PAIR_0@
Companions=all

[Claim virtual-functions]
Match=pf=@PF@ vf=0-2
""",
    "/var/lib/vfio-bindd/host-devices": record(),
}
