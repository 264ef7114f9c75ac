"""Within the shipped units' sandbox everything works that needs a privilege, and no more is open."""

from rig import topology as hw

TIER = "system"
USUAL_GUESTS = ("trixie",)
ENABLE = True
TOOLS = ("keep-device", "vfio-open")
TOPOLOGY = [
    hw.Iommu(),
    hw.Nvme("DRIVE"),
    hw.Nvme("LATER"),
    hw.Endpoint("NIC", "e1000e"),
]
FILES = {
    "/etc/vfio-bind.conf": """\
[Claim drive]
Match=@DRIVE@
NodeUser=alice
NodeGroup=alice
NodeMode=0600

# So that serial numbers are read at all.
[Claim absent]
Match=serial=01-23-45-67-89-ab-cd-ef
""",
}
