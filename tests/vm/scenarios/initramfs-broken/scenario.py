"""Whatever becomes of the helper and its files in the initramfs, the boot goes on."""

from rig import topology as hw
from rig.cpio import Entry
from rig.scenario import Boot

helper = "/usr/lib/vfio-bindd/vfio-bindd-helper"
TIER = "system"
FULL_ONLY = True
ENABLE = True
INITRAMFS = "project"
TOPOLOGY = [hw.Iommu(), hw.Endpoint("SOUND", "intel-hda"), hw.Endpoint("OTHER", "intel-hda")]
FILES = {"/etc/vfio-bind.conf": "[Claim sound]\nMatch=@SOUND@\n"}


def program(text):
    """A program in the place of the helper."""
    return {helper: Entry.file(text.encode(), 0o755)}


BOOTS = (
    Boot("intact"),
    Boot("plan", kernel_args="rd.vfio_bindd=plan"),
    Boot("configuration-truncated", initramfs_files={"/etc/vfio-bind.conf": "[Claim sound]\nMat"}),
    Boot("helper-empty", initramfs_files=program("")),
    Boot("helper-killed", initramfs_files=program("#!/bin/sh\nkill -KILL $$\n")),
    Boot("helper-sleeping", initramfs_files=program("#!/bin/sh\nwhile :; do sleep 100; done\n")),
    Boot("library-missing", initramfs_files={
        "/usr/lib/x86_64-linux-gnu/libinih.so.1": Entry.symlink("gone")}),
    # There systemd watches over the helper.
    Boot("dracut-killed", initramfs="dracut-systemd",
         initramfs_files=program("#!/bin/sh\nkill -KILL $$\n")),
    Boot("dracut-sleeping", initramfs="dracut-systemd",
         initramfs_files=program("#!/bin/sh\nwhile :; do sleep 100; done\n")),
)
