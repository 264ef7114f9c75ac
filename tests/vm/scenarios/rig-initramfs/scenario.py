"""The rig itself: guests whose initramfs has host drivers, and a project's hooks inside."""

from rig import topology as hw
from rig.scenario import Boot

TIER = "system"
FULL_ONLY = True
GUESTS = ("bookworm",)
TOPOLOGY = [hw.Iommu(), hw.Nvme("NVME"), hw.Endpoint("NIC", "e1000e")]
BOOTS = (Boot("list"), Boot("most", initramfs="most"), Boot("project", initramfs="project"))


def check(boots, report):
    """Which initramfs has what, seen by when the drive's driver probed it."""
    early = {name: results.info("probed-before-root") for name, results in boots.items()}
    report.equal("host drivers", early, {"list": "no", "most": "yes", "project": "yes"})
    hooks = {name: results.info("hook-ran") for name, results in boots.items()}
    report.equal("the hook", hooks, {"list": "no", "most": "no", "project": "yes"})
