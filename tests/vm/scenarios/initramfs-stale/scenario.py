"""The initramfs follows the configuration: missing, current, stale, and gone with the switch."""

from rig import topology as hw

TIER = "system"
FULL_ONLY = True
ENABLE = True
INITRAMFS = "project"
DEADLINE = 1500
TOPOLOGY = [hw.Iommu(), hw.Endpoint("SOUND", "intel-hda"), hw.Endpoint("OTHER", "intel-hda")]
FILES = {
    "/etc/vfio-bind.conf": "[Claim sound]\nMatch=@SOUND@\n",
    "/etc/vfio-bind.conf.d/20-more.conf": "[Claim more]\nMatch=0000:7e:00.0\n",
}


def check(boots, report):
    """How much an image grows by us."""
    size = int(boots["boot"].info("image-bytes") or 0)
    report.true(f"what we add to an image: {size} bytes", 0 < size <= 400 * 1024, "too much")
