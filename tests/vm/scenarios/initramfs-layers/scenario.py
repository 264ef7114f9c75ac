"""A root on RAID, LUKS, dm-crypt; a driver built into the kernel; a crash kernel."""

import struct

from rig import cpio, root_disk
from rig import topology as hw
from rig.host_devices import record
from rig.scenario import Boot

TIER = "system"
FULL_ONLY = True
ENABLE = True
INITRAMFS = "project"
ROOT_MODEL = "nvme"
DEADLINE = 900
# pci-serial: "serial" (8250_pci) is built into Debian's kernels.
drives = [hw.Iommu(), hw.Nvme("OTHER")]
TOPOLOGY = [*drives, hw.Raw("pci-serial,addr=5", "SERIAL", "0000:00:05.0")]
record_path = "/var/lib/vfio-bindd/host-devices"


def root_on(what, *addresses):
    """The record of a host whose root is on drives of these addresses."""
    return record(
        *(
            f"path={address} address={address} id=1b36:0010:1af4:1100 serial=- uses=system "
            f"what={what} is mounted on /"
            for address in addresses
        )
    )


FILES = {
    "/etc/vfio-bind.conf": """\
[Claim drives]
Match=class=0108

[Claim serial]
Match=@SERIAL@
""",
    record_path: root_on("/dev/mapper/rig-root", "0000:00:02.0"),
}


# Where the crashed kernel would have left the table of its memory: an ELF header, a segment of
# notes, one of memory, and one empty note (Documentation/admin-guide/kdump/kdump.rst).
table_at, notes_at = 0x30000000, 0x30001000
table = struct.pack(
    "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 4, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0
)
table += struct.pack("<IIQQQQQQ", 4, 0, notes_at, 0, notes_at, 64, 64, 0)
table += struct.pack("<IIQQQQQQ", 1, 7, 0x100000, 0, 0x100000, 0x1000, 0x1000, 0)
note = struct.pack("<III8s", 5, 0, 0, b"CORE")


def in_memory(address, content):
    """Puts bytes into the machine's memory before it starts."""
    content += b"\0" * (-len(content) % 8)
    return [
        hw.Raw(f"loader,addr={address + i:#x},data={int.from_bytes(word, 'little'):#x},data-len=8")
        for i in range(0, len(content), 8)
        for word in [content[i : i + 8]]
    ]


BOOTS = (
    Boot(
        "crypt",
        kernel_args="root=/dev/mapper/rig-root",
        initramfs_files={record_path: "torn\n"},
    ),
    # By Debian's own packages, as their users have them.
    Boot(
        "raid",
        root_model="nvme-raid",
        kernel_args="root=/dev/md0",
        initramfs_packages=("mdadm",),
        files={
            record_path: root_on("/dev/md0", "0000:00:01.0", "0000:00:02.0"),
            "/etc/mdadm/mdadm.conf": f"ARRAY /dev/md0 metadata=1.0 UUID={root_disk.RAID_UUID}\n",
        },
    ),
    Boot(
        "luks",
        root_model="nvme-luks",
        kernel_args="root=/dev/mapper/luks-root",
        initramfs_packages=("cryptsetup-initramfs",),
        files={
            record_path: root_on("/dev/mapper/luks-root", "0000:00:02.0"),
            "/etc/crypttab": f"luks-root UUID={root_disk.LUKS_UUID} /etc/keys/rig.key"
            " luks,initramfs\n",
            "/etc/keys/rig.key": cpio.Entry.file(root_disk.LUKS_KEY.encode(), 0o600),
            "/etc/cryptsetup-initramfs/conf-hook": 'KEYFILE_PATTERN="/etc/keys/*.key"\n',
        },
    ),
    Boot(
        "kdump",
        topology=[*TOPOLOGY, *in_memory(table_at, table), *in_memory(notes_at, note)],
        kernel_args=f"memmap=64K${table_at:#x} elfcorehdr={table_at:#x}",
    ),
)
