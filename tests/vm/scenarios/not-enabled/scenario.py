"""Installed and configured, but not enabled: nothing of us acts."""

from rig import topology as hw

TIER = "system"
USUAL_GUESTS = ("trixie",)
ENABLE = False
TOPOLOGY = [
    hw.Iommu(),
    hw.Nvme("NVME_A"),
    hw.NvmeSriov("PF", vfs=4),
    hw.HotplugPort("SLOT"),
]
FILES = {
    "/etc/vfio-bind.conf": """\
[Claim everything]
Match=@NVME_A@
Match=@SLOT@
Match=pf=@PF@
""",
}
