"""Other programs move what is bound: driverctl, and libvirt's reattach and detach."""

from rig import topology as hw

TIER = "system"
USUAL_GUESTS = ("bookworm",)
ENABLE = True
DEADLINE = 900
TOPOLOGY = [hw.Iommu(), hw.Nvme("TOLD"), hw.Nvme("TAKEN")]
FILES = {
    "/etc/vfio-bind.conf": """\
[Claim told]
Match=@TOLD@
OnDrift=report
NodeMode=0640
[Claim taken]
Match=@TAKEN@
OnDrift=reclaim
""",
}
