"""The record of what the host needs, as vfio-bindd keeps it in /var/lib/vfio-bindd."""

from __future__ import annotations


def record(*lines: str) -> str:
    """What the daemon writes on a host that needs these functions (src/host/host-devices-text.c)."""
    text = "".join(f"{line}\n" for line in ("vfio-bindd host-devices 1", *lines))
    checksum = 0xCBF29CE484222325
    for byte in text.encode():
        checksum = (checksum ^ byte) * 0x100000001B3 % 2**64
    return f"{text}end {len(lines)} {checksum:016x}\n"
