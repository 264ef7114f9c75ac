"""Two cards behind one bridge, one of them claimed, under every Companions= policy."""

from rig import topology as hw
from rig.host_devices import record

TIER = "system"
USUAL_GUESTS = ("trixie",)
ENABLE = True
TOPOLOGY = [
    hw.Iommu(),
    hw.BridgePair("SLOT"),
    hw.BridgePair("NONE"),
    hw.BridgePair("DETACH"),
    hw.BridgePair("EXCLUDED"),
    hw.BridgePair("LISTED"),
    hw.BridgePair("HOTPLUG_BRIDGE", bridge="pcie-pci-bridge"),
]
FILES = {
    "/etc/vfio-bind.conf": """\
[Defaults]
Exclude=@EXCLUDED_1@

[Claim slot]
Match=@SLOT_0@

[Claim none]
Match=@NONE_0@
Companions=none

[Claim detach]
Match=@DETACH_0@
Companions=detach

[Claim excluded]
Match=@EXCLUDED_0@
Companions=all

[Claim listed]
Match=@LISTED_0@
Match=@LISTED_1@
Companions=none

[Claim hotplug-bridge]
Match=@HOTPLUG_BRIDGE_0@
Companions=all
""",
    "/var/lib/vfio-bindd/host-devices": record(),
}
