"""Virtual functions of a claimed PF join by themselves, with and without the daemon."""

from rig import topology as hw
from rig.scenario import Boot

TIER = "system"
USUAL_GUESTS = ("bookworm",)
ENABLE = True
DEADLINE = 900
TOPOLOGY = [
    hw.Iommu(),
    hw.NvmeSriov("PF", vfs=32),
    hw.NvmeSriov("HALF", vfs=8),
    hw.NvmeSriov("LEFT", vfs=8),
    hw.NvmeSriov("MADE", vfs=8),
]
FILES = {
    "/etc/vfio-bind.conf": """\
[Claim all]
Match=pf=@PF@

[Claim half]
Match=pf=@HALF@ vf=0-3

[PhysicalFunction left]
Match=@LEFT@
HostVFs=leave

[Claim left]
Match=pf=left vf=1

[PhysicalFunction made]
Match=@MADE@
NumVFs=3

[Claim made]
Match=pf=made
""",
}
BOOTS = (Boot("control", enable=False), Boot("claimed"))


def check(boots, report):
    """Every "not probed" has its control."""
    report.true(
        "control boot: nvme probes virtual functions",
        boots["control"].info("probed") == "8",
        f"probed {boots['control'].info('probed')} of 8",
    )
