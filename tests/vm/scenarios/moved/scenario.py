"""Hardware that is not where it was: nothing but what was meant is ever bound."""

from rig import topology as hw
from rig.cpio import Entry
from rig.host_devices import record
from rig.scenario import Boot


def needed(path, address):
    return (
        f"path={path} address={address} id=1b36:0010:1af4:1100 serial=- uses=system "
        "what=/dev/nvme0n1 is mounted on /srv"
    )


def nic(name, port):
    """Its serial number follows from its MAC address: 52-54-00-ff-ff-00-00-0N."""
    mac = "52:54:00:00:00:0" + name[-1]
    return hw.Endpoint(name, "e1000e", {"mac": mac}, port=port)


# Port 1 is free for a card to come. Three equal drives, of which the first one holds data.
drives = [hw.Nvme("DATA", port=2), hw.Nvme("SECOND", port=3), hw.Nvme("THIRD", port=4)]
cards = [hw.Endpoint("SPARE", "qemu-xhci", port=5), nic("NIC1", 6), nic("NIC2", 7)]
swapped = [hw.Iommu(), *drives, cards[0], nic("NIC1", 7), nic("NIC2", 6)]

TIER = "kernel"
FULL_ONLY = True
BOOTS = (
    Boot("same", topology=[hw.Iommu(), *drives, *cards]),
    # Every bus has the number of the one after it.
    Boot("shifted", topology=[hw.Iommu(), hw.Endpoint("NEW", "intel-hda", port=1), *drives, *cards]),
    Boot("swapped", topology=swapped),
    Boot(
        "swapped-by-address",
        topology=swapped,
        files={
            "/etc/vfio-bind.conf": """\
[Claim nic1]
Match=0000:05:00.0 expect=8086:10d3 expect-serial=525400ffff000001

[Claim nic2]
Match=path=0000:00:16.0/00.0 expect-serial=525400ffff000002

[Claim third]
Match=path=0000:00:13.0/00.0 expect=1b36:0010
""",
        },
    ),
    Boot(
        "other",
        topology=[hw.Iommu(), hw.Endpoint("OTHER", "qemu-xhci", port=2), *drives[1:],
                  cards[0], hw.Endpoint("CARD", "intel-hda", port=6), nic("NIC1", 8)],
    ),
    Boot(
        "root",
        topology=[hw.Iommu(), hw.ExtraRoot("ROOT", 0x60, [hw.Nvme("FAR")]), *drives[1:]],
        files={
            "/etc/vfio-bind.conf": """\
[Claim far]
Match=@FAR@ expect=1b36:0010

[Claim far-path]
Match=path=0000:40:00.0/00.0

[Claim drives]
Match=class=0108
Exclude=@FAR@
""",
            "/var/lib/vfio-bindd/host-devices": record(
                needed("0000:40:00.0/00.0", "0000:41:00.0")
            ),
        },
    ),
)
FILES = {
    "/etc/systemd/system/sysinit.target.wants/vfio-bindd-early.service": Entry.symlink(
        "/usr/lib/systemd/system/vfio-bindd-early.service"
    ),
    # Addresses as in the boot "same": 01 DATA, 02 SECOND, 03 THIRD, 04 SPARE, 05 NIC1, 06 NIC2.
    "/etc/vfio-bind.conf": """\
[Claim second]
Match=0000:02:00.0 expect=1b36:0010

[Claim third]
Match=path=0000:00:13.0/00.0

[Claim nic1]
Match=0000:05:00.0 expect=8086:10d3 expect-serial=525400ffff000001

[Claim nic2]
Match=serial=525400ffff000002
""",
    "/var/lib/vfio-bindd/host-devices": record(needed("0000:00:11.0/00.0", "0000:01:00.0")),
}
