"""The record of what the host needs, and giving back what an initramfs took, on a bare kernel."""

from rig import topology as hw
from rig.cpio import Entry

TIER = "kernel"
FULL_ONLY = True
TOPOLOGY = [
    hw.Iommu(),
    hw.Nvme("DISK"),
    hw.Nvme("TWIN"),
    hw.Endpoint("NIC", "e1000e"),
    hw.RootSlot("SOUND", ["intel-hda"]),
]
FILES = {
    "/etc/systemd/system/sysinit.target.wants/vfio-bindd-early.service": Entry.symlink(
        "/usr/lib/systemd/system/vfio-bindd-early.service"
    ),
    "/etc/vfio-bind.conf": """\
[Claim all]
Match=class=0108
Match=class=0200
Match=class=0403
Exclude=00:02.0
Exclude=00:04.0
""",
}
