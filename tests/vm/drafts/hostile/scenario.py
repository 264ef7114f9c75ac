"""Configurations that ask for what the host needs: it comes up all the same."""

from pathlib import Path

from rig import topology as hw
from rig.cpio import Entry
from rig.scenario import Boot

# One boot each, all without a record: nothing is known of this host yet.
configurations = sorted(Path(__file__).parent.glob("configurations/*.conf"))
# Those that are booted by default; all of them are planned in the boot "plans".
usual = ("everything-by-class", "garbage", "drop-in-loop")

TIER = "system"
ENABLE = True
DEADLINE = 300
TOPOLOGY = [
    hw.Iommu(),
    hw.HostNic(),
    hw.Nvme("DATA"),
    hw.Endpoint("CARD", "e1000e"),
    hw.Raw("qemu-xhci,id=usb,bus=pcie.0,addr=0xa", "USB", "0000:00:0a.0"),
    hw.Raw("usb-kbd,bus=usb.0"),
    hw.Raw("VGA,bus=pcie.0,addr=0x9", "SCREEN", "0000:00:09.0"),
    hw.BridgePair("PAIR"),
]
network = {
    "/etc/systemd/network/10-host.network": """\
[Match]
Driver=virtio_net
[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
""",
    "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service": Entry.symlink(
        "/usr/lib/systemd/system/systemd-networkd.service"
    ),
    # The boot needs this one, and there is no record of it: its drive has no driver yet.
    "/etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 0\n"
    "/dev/nvme0n1 /srv ext4 defaults,x-systemd.makefs 0 0\n",
}
FILES = network


def boot(path):
    files = {"/etc/vfio-bind.conf": path}
    if path.stem == "drop-in-loop":
        files["/etc/vfio-bind.conf.d/10-loop.conf"] = Entry.symlink("10-loop.conf")
        files["/usr/lib/vfio-bind.conf.d"] = Entry.symlink("vfio-bind.conf.d")
        files["/run/vfio-bind.conf.d/20-up.conf"] = Entry.symlink("..")
    return Boot(path.stem, files=files, full=path.stem not in usual)


BOOTS = (
    Boot("plans", enable=False,
         files={f"/var/lib/hostile/{path.name}": path for path in configurations}),
    *map(boot, configurations),
)
