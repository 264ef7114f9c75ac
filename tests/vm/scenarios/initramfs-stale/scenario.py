"""The initramfs follows the configuration: missing, current, stale, and gone with the switch.

A guest makes its images itself, and its package manager brings a kernel; then they are booted.
"""

from pathlib import Path

from rig import topology as hw
from rig.scenario import Boot

TIER = "system"
FULL_ONLY = True
ENABLE = True
DEADLINE = 1500
TOPOLOGY = [hw.Iommu(), hw.Endpoint("SOUND", "intel-hda"), hw.Endpoint("OTHER", "intel-hda")]
more = "[Claim more]\nMatch=0000:7e:00.0\n"
changed = "[Claim more]\nMatch=@OTHER@\n"
drop_in = "/etc/vfio-bind.conf.d/20-more.conf"
lay_overlay = "scripts/init-bottom/rig"
FILES = {
    "/etc/vfio-bind.conf": "[Claim sound]\nMatch=@SOUND@\n",
    drop_in: more,
    "/usr/lib/rig/changed.conf": changed,
    # Images that the guest makes have to do what the rig asks for, too.
    f"/usr/share/initramfs-tools/{lay_overlay}": Path(__file__).parents[2]
    / "guest/image/initramfs"
    / lay_overlay,
}
BOOTS = (
    Boot("made", initramfs="project"),
    Boot("rebuilt", initramfs="saved:made/rebuilt", files={drop_in: changed}),
    Boot("disabled", initramfs="saved:made/disabled", files={drop_in: changed}, enable=False),
)


def check(boots, report):
    """How much an image grows by us."""
    size = int(boots["made"].info("image-bytes") or 0)
    report.true(f"what we add to an image: {size} bytes", 0 < size <= 400 * 1024, "too much")
