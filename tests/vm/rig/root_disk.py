"""The disks that a guest's root lies on: the image as it is, or below software RAID or LUKS.

What lies between is put around the image, whose content stays where the file system has it.
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
from pathlib import Path

from rig import RigError, UnavailableError

# The models that a scenario may choose, see README.md.
MODELS = ("virtio-blk-pci", "nvme", "nvme-multifunction", "nvme-raid", "nvme-luks")
# As mdadm.conf and crypttab write them.
RAID_UUID = "6d9f0a31:5c2e47b8:93d1e0f4:7a8b6c5d"
LUKS_UUID = "0b9e6a52-7f43-4d18-a6c0-2e5d8f71c394"
LUKS_KEY = "correct horse battery staple"

_RAID_MEMBERS = 2
_RAID_TAIL = 128 * 1024
_SECTOR = 512
# 2026-01-01, and no clock in the image is later.
_TIME = 1767225600
_LUKS_OFFSET = 16 * 1024 * 1024
_LUKS_CIPHER = "aes-xts-plain64"


def make(model: str, image: Path, directory: Path) -> list[Path]:
    """The disks of a boot, in the order of their slots; new ones are *.raw in `directory`.

    Raises RigError.
    """
    if model == "nvme-raid":
        return [_raid_member(image, directory, number) for number in range(_RAID_MEMBERS)]
    if model == "nvme-luks":
        return [_luks(image, directory)]
    return [image]


def raid_superblock(sectors: int, number: int) -> tuple[int, bytes]:
    """Where on a disk of that many sectors it stands, and what is there on member `number`.

    Version 1.0, at the end, of a clean mirror (include/uapi/linux/raid/md_p.h in Linux; the
    checksum is that of calc_sb_1_csum() in drivers/md/md.c).
    """
    where = (sectors - 16) & ~7
    array = struct.pack(
        "<4I16s32sQ2IQ2Ii",
        *(0xA92B4EFC, 1, 0, 0),
        bytes.fromhex(RAID_UUID.replace(":", "")),
        b"guest:0",
        *(_TIME, 1, 0, where, 0, _RAID_MEMBERS, 0),
    )
    array += struct.pack("<IQiIII", 0, 0, 0, 0, 0, 0)
    device = struct.pack("<4Q2I16s", 0, where, where, 0, number, 0, bytes([number + 1]) * 16)
    device += struct.pack("<2BHI", 0, 0, 0, 0)
    state = struct.pack("<3Q2I32s", _TIME, 1, 2**64 - 1, 0, _RAID_MEMBERS, b"")
    roles = struct.pack(f"<{_RAID_MEMBERS}H", *range(_RAID_MEMBERS))
    block = bytearray(array + device + state + roles)
    total = sum(struct.unpack(f"<{len(block) // 4}I", block))
    struct.pack_into("<I", block, 216, (total & 0xFFFFFFFF) + (total >> 32))
    return where, bytes(block)


def _raid_member(image: Path, directory: Path, number: int) -> Path:
    disk = directory / f"raid-member-{number}.raw"
    size = image.stat().st_size + _RAID_TAIL
    _run("cp", "--sparse=always", str(image), str(disk))
    where, block = raid_superblock(size // _SECTOR, number)
    with disk.open("r+b") as output:
        output.truncate(size)
        output.seek(where * _SECTOR)
        output.write(block)
    return disk


def _luks(image: Path, directory: Path) -> Path:
    """A header of cryptsetup's, before a cipher that leaves everything as it is."""
    disk = directory / "luks.raw"
    with disk.open("wb") as output:
        output.truncate(_LUKS_OFFSET + image.stat().st_size)
    _run(
        *("cryptsetup", "luksFormat", "--batch-mode", "--type", "luks2", "--uuid", LUKS_UUID),
        *("--cipher", _LUKS_CIPHER, "--key-size", "512", "--sector-size", "512"),
        # Nobody is kept out, and emulated processors are slow.
        *("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", "-"),
        *("--offset", str(_LUKS_OFFSET // _SECTOR), str(disk)),
        text=LUKS_KEY,
    )
    with disk.open("r+b") as output:
        size = int.from_bytes(output.read(16)[8:], "big")
        for where in (0, size):
            output.seek(where)
            header = without_cipher(output.read(size))
            output.seek(where)
            output.write(header)
    _run(
        *("dd", f"if={image}", f"of={disk}", "bs=1M", f"seek={_LUKS_OFFSET // 1024**2}"),
        *("conv=sparse,notrunc", "status=none"),
    )
    return disk


def without_cipher(header: bytes) -> bytes:
    """A LUKS2 header for data that is not encrypted: to make such a one, cryptsetup wants a kernel.

    The checksum is over the binary part, itself taken as zeros, and the JSON area (LUKS2
    On-Disk Format Specification, 2.1).
    """
    binary, area = header[:4096], header[4096:]
    text = area.rstrip(b"\0").decode()
    segment, found, rest = text.partition('"segments"')
    if not found or _LUKS_CIPHER not in rest:
        raise RigError("cryptsetup: a header of another kind than expected")
    text = segment + found + rest.replace(_LUKS_CIPHER, "cipher_null-ecb", 1)
    area = text.encode().ljust(len(area), b"\0")
    binary = binary[:448] + b"\0" * 64 + binary[512:]
    checksum = hashlib.sha256(binary + area).digest()
    return binary[:448] + checksum + binary[480:] + area


def _run(*command: str, text: str = "") -> None:
    try:
        result = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise UnavailableError(f"needs {command[0]}") from error
    if result.returncode != 0:
        raise RigError(f"{command[0]}: {result.stderr.strip()}")
