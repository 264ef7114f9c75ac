"""Nodes belong to whom the claim names, always, and that user can work with the device."""

from rig import topology as hw
from rig.host_devices import record

TIER = "system"
USUAL_GUESTS = ("bookworm",)
ENABLE = True
TOOLS = ("vfio-open",)
TOPOLOGY = [
    hw.Iommu(),
    hw.Nvme("USUAL"),
    hw.Nvme("HUMAN"),
    hw.Nvme("NUMBERS"),
    hw.Nvme("NO_USER"),
    hw.Nvme("NO_GROUP"),
    hw.BridgePair("PAIR"),
    hw.HotplugPort("SLOT"),
]
FILES = {
    "/etc/vfio-bind.conf": """\
[Claim usual]
Match=@USUAL@

[Claim human]
Match=@HUMAN@
NodeUser=alice
NodeGroup=alice
NodeMode=0600

[Claim numbers]
Match=@NUMBERS@
NodeUser=4242
NodeGroup=4343
NodeMode=0640

[Claim no-user]
Match=@NO_USER@
NodeUser=carol

[Claim no-group]
Match=@NO_GROUP@
NodeGroup=lab

[Claim pair]
Match=@PAIR_0@
Companions=all
NodeUser=nobody
NodeMode=0600

[Claim plugged]
Match=@SLOT@
NodeUser=alice
NodeGroup=disk
""",
    "/var/lib/vfio-bindd/host-devices": record(),
}
