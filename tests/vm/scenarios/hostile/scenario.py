"""Configurations that ask for what the host needs: it comes up all the same.

Each is the first boot of its host: there is no record of what it needs. Nothing but the guard and
the rules for such a boot stands between the early pass and the only network card, the disk that
/etc/fstab names, the screen, and the root.
"""

from pathlib import Path

from rig import topology as hw
from rig.cpio import Entry
from rig.scenario import Boot

configurations = sorted(Path(__file__).parent.glob("configurations/*.conf"))
# Those that are booted in a usual run; all of them are planned in the boot "plans".
usual = ("default-nic", "everything-by-class")

TIER = "system"
USUAL_GUESTS = ("bookworm",)
ENABLE = True
DEADLINE = 600
TOPOLOGY = [
    hw.Iommu(),
    hw.HostNic(model="e1000e"),  # without a driver until udev comes
    hw.Nvme("DATA"),
    hw.Endpoint("CARD", "e1000e"),
    hw.Raw("qemu-xhci,id=usb,bus=pcie.0,addr=0xa", "USB", "0000:00:0a.0"),
    hw.Raw("usb-kbd,bus=usb.0"),
    hw.Raw("VGA,bus=pcie.0,addr=0x9", "SCREEN", "0000:00:09.0"),
    hw.BridgePair("PAIR"),
]
FILES = {
    "/etc/systemd/network/10-host.network": """\
[Match]
Path=pci-@HOST_NIC@
[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
""",
    "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service": Entry.symlink(
        "/usr/lib/systemd/system/systemd-networkd.service"
    ),
    # The rig's own channel, by which the guest tells how it went.
    "/etc/vfio-bind.conf.d/zz-rig.conf": "[Defaults]\nExclude=0000:00:03.0\n",
    # The boot needs this one, and its drive has no driver yet when the early pass comes.
    "/etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 0\n"
    "/dev/nvme0n1 /srv ext4 defaults,x-systemd.makefs 0 0\n",
}


def boot(path):
    files = {"/etc/vfio-bind.conf": path}
    if path.stem == "drop-in-loop":
        files["/etc/vfio-bind.conf.d/10-loop.conf"] = Entry.symlink("10-loop.conf")
        files["/usr/lib/vfio-bind.conf.d"] = Entry.symlink("vfio-bind.conf.d")
        files["/run/vfio-bind.conf.d/20-up.conf"] = Entry.symlink("..")
    return Boot(path.stem, files=files, full=path.stem not in usual)


BOOTS = (
    *map(boot, configurations),
    Boot(
        "plans",
        enable=False,
        full=True,
        files={f"/root/hostile/{path.name}": path for path in configurations},
    ),
)


def check(boots, report):
    """That the early pass has asked for what it did not get."""
    said = boots["default-nic"].info("said-of-network") or ""
    report.true(f"default-nic: the card is left alone for want of a record: {said}",
                "there is no record yet of what the host needs" in said)
