"""Writing cpio archives of the "newc" kind, which the kernel unpacks as an initramfs."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import PurePosixPath
from typing import BinaryIO

# Directories carry one old date: a new one on /usr would tell systemd that the vendor's files
# have changed (ConditionNeedsUpdate=), and the guest would rebuild its databases at first boot.
DIRECTORY_TIME = 1_500_000_000


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file, directory (content empty) or symbolic link (content is its target)."""

    mode: int
    content: bytes = b""
    mtime: int = DIRECTORY_TIME

    @classmethod
    def file(cls, content: bytes | str, permissions: int = 0o644, mtime: int = 0) -> Entry:
        """A regular file."""
        data = content.encode() if isinstance(content, str) else content
        return cls(stat.S_IFREG | permissions, data, mtime or DIRECTORY_TIME)

    @classmethod
    def directory(cls, permissions: int = 0o755) -> Entry:
        """A directory."""
        return cls(stat.S_IFDIR | permissions)

    @classmethod
    def symlink(cls, target: str) -> Entry:
        """A symbolic link."""
        return cls(stat.S_IFLNK | 0o777, target.encode())


def write(output: BinaryIO, entries: dict[str, Entry], below: str = "") -> None:
    """Writes `entries` (absolute path -> entry) as one archive, each owned by root:root.

    Missing parent directories are added. `below` is put before every path.
    """
    everything: dict[PurePosixPath, Entry] = {}
    for path, entry in sorted(entries.items()):
        name = PurePosixPath(below + path).relative_to("/")
        for parent in reversed(name.parents):
            if parent.name:
                everything.setdefault(parent, Entry.directory())
        everything[name] = entry
    for inode, (name, entry) in enumerate(sorted(everything.items()), start=1):
        _write_record(output, str(name), entry, inode)
    _write_record(output, "TRAILER!!!", Entry(0), 0)
    output.write(b"\0" * (-output.tell() % 512))


def _write_record(output: BinaryIO, name: str, entry: Entry, inode: int) -> None:
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    size = len(entry.content)
    # inode mode uid gid nlink mtime size devmajor devminor rdevmajor rdevminor namesize check
    numbers = (inode, entry.mode, 0, 0, links, entry.mtime, size, 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08x" % number for number in numbers)
    _padded(output, header + encoded)
    _padded(output, entry.content)


def _padded(output: BinaryIO, data: bytes) -> None:
    output.write(data)
    output.write(b"\0" * (-len(data) % 4))
