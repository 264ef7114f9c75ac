"""Functions plugged in while the host's driver is loaded: claimed ones and others."""

from rig import topology as hw

TIER = "system"
USUAL_GUESTS = ("trixie",)
ENABLE = True
DEADLINE = 900
TOPOLOGY = [
    hw.Iommu(),
    hw.Endpoint("LOADED", "e1000e"),
    *(hw.HotplugPort(f"CLAIMED_{index}") for index in range(7)),
    *(hw.HotplugPort(f"OTHER_{index}") for index in range(7)),
]
FILES = {
    "/etc/vfio-bind.conf": """\
[Claim plugged]
NodeUser=nobody
"""
    + "".join(f"Match=@CLAIMED_{index}@\n" for index in range(7)),
}
