"""An unbind that does not return: shown with who is to blame, in nobody's way, made good at its end."""

from rig import topology as hw

TIER = "system"
FULL_ONLY = True
ENABLE = True
DEADLINE = 900
TOOLS = ("vfio-open",)
TOPOLOGY = [hw.Iommu(), hw.Nvme("HELD"), hw.Nvme("OTHER")]
FILES = {
    "/etc/vfio-bind.conf": """\
[Defaults]
OnDrift=reclaim
Timeout=4s
[Claim held]
Match=@HELD@
[Claim other]
Match=@OTHER@
""",
}
