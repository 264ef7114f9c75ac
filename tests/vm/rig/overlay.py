"""The files of one boot: project tree, scenario files, guest library, environment.

They are collected as a mapping from absolute path to cpio entry and appended to an initramfs.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rig import RigError, cpio
from rig.guests import GUEST_FILES

Files = dict[str, cpio.Entry]

# Both guests have a merged /usr: a directory in the place of these links would break them.
_MERGED = re.compile(r"^/(bin|sbin|lib|lib64)(?=/|$)")
_NAME = re.compile(rb"@([A-Z][A-Z0-9_]*)@")
_SYSTEM_UNITS = ("/usr/lib/systemd/system", "/etc/systemd/system")


class OverlayError(RigError):
    """A file of the scenario or tree cannot be used."""


def normalised(path: str) -> str:
    """The path as it is on a merged /usr."""
    return _MERGED.sub(r"/usr/\1", path)


def from_tree(root: Path, substitute: Mapping[str, str] | None = None) -> Files:
    """Collects the files below `root`; directories only where they are empty.

    With `substitute`, files named *.in lose that suffix and get their @NAME@ replaced.
    """
    files: Files = {}
    for directory, subdirectories, names in os.walk(root):
        base = Path(directory)
        linked = [name for name in subdirectories if (base / name).is_symlink()]
        for name in names + linked:
            source = base / name
            path = normalised(f"/{source.relative_to(root)}")
            status = source.lstat()
            if stat.S_ISLNK(status.st_mode):
                files[path] = cpio.Entry.symlink(os.readlink(source))
            elif stat.S_ISREG(status.st_mode):
                content = source.read_bytes()
                if substitute is not None and path.endswith(".in"):
                    path = path.removesuffix(".in")
                    content = substituted(content, substitute)
                # Only the executable bit is the scenario's to say: git keeps no other.
                mode = status.st_mode & 0o7777
                files[path] = cpio.Entry.file(content, mode & ~0o022, int(status.st_mtime))
            else:
                raise OverlayError(f"{source}: neither file, directory nor symbolic link")
        if not names and not subdirectories and base != root:
            mode = stat.S_IMODE(base.stat().st_mode) & ~0o022
            files[normalised(f"/{base.relative_to(root)}")] = cpio.Entry.directory(mode)
    return files


def from_mapping(given: Mapping[str, object], names: Mapping[str, str], folder: Path) -> Files:
    """Turns a scenario's FILES into entries.

    A value is the text of the file (with @NAME@ replaced), a Path to copy (relative to `folder`),
    an Entry, or None for a directory.
    """
    files: Files = {}
    for path, value in given.items():
        if not path.startswith("/"):
            raise OverlayError(f"FILES: {path}: not an absolute path")
        if isinstance(value, cpio.Entry):
            entry = value
        elif value is None:
            entry = cpio.Entry.directory()
        elif isinstance(value, Path):
            source = folder / value
            entry = cpio.Entry.file(source.read_bytes(), stat.S_IMODE(source.stat().st_mode))
        elif isinstance(value, str):
            entry = cpio.Entry.file(substituted(value.encode(), names))
        else:
            raise OverlayError(f"FILES: {path}: text, Path, Entry or None expected")
        files[normalised(path)] = entry
    return files


def substituted(content: bytes, names: Mapping[str, str]) -> bytes:
    """Replaces every @NAME@; an unknown name is an error, not left in the text."""

    def value(match: re.Match[bytes]) -> bytes:
        name = match[1].decode()
        if name not in names:
            raise OverlayError(f"@{name}@ is no name of the topology")
        return names[name].encode()

    return _NAME.sub(value, content)


def enablement(files: Files, units: list[str]) -> Files:
    """The symbolic links that `systemctl enable` of `units` makes, given the unit files."""
    found: Files = {}
    with tempfile.TemporaryDirectory(prefix="vm-enable-") as temporary:
        root = Path(temporary)
        for path, entry in files.items():
            if path.startswith(_SYSTEM_UNITS):
                target = root / path.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                if stat.S_ISLNK(entry.mode):
                    target.symlink_to(entry.content.decode())
                elif stat.S_ISREG(entry.mode):
                    target.write_bytes(entry.content)
        before = set(root.rglob("*"))
        result = subprocess.run(
            ["systemctl", f"--root={root}", "--quiet", "enable", *units],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise OverlayError(f"systemctl enable {' '.join(units)}: {result.stderr.strip()}")
        for link in set(root.rglob("*")) - before:
            if link.is_symlink():
                found[f"/{link.relative_to(root)}"] = cpio.Entry.symlink(os.readlink(link))
    return found


def rig_files(
    script: Path, environment: Mapping[str, str], devices: Mapping[str, str]
) -> Files:
    """The rig's own files: /rig with library, scenario script and environment.

    `devices` maps the address of each function present at boot to its `vendor:device`.
    """
    return {
        "/rig/lib.sh": cpio.Entry.file((GUEST_FILES / "lib.sh").read_bytes()),
        "/rig/start": cpio.Entry.file((GUEST_FILES / "start").read_bytes(), 0o755),
        "/rig/guest.sh": cpio.Entry.file(script.read_bytes(), 0o755),
        "/rig/env": cpio.Entry.file("".join(f"{k}='{v}'\n" for k, v in environment.items())),
        "/rig/devices": cpio.Entry.file("".join(f"{k} {v}\n" for k, v in devices.items())),
    }


def tool_files(folder: Path, names: Sequence[str]) -> Files:
    """The programs of these names, built in `folder`, where every shell of the guest finds them."""
    files: Files = {}
    for name in names:
        try:
            files[f"/usr/local/bin/{name}"] = cpio.Entry.file((folder / name).read_bytes(), 0o755)
        except OSError as error:
            raise OverlayError(f"tool {name}: {error}") from error
    return files


def service_files() -> Files:
    """The unit that runs the scenario's script under systemd."""
    unit = "/etc/systemd/system/rig.service"
    wanted = "/etc/systemd/system/multi-user.target.wants/rig.service"
    return {
        unit: cpio.Entry.file((GUEST_FILES / "rig.service").read_bytes()),
        wanted: cpio.Entry.symlink("../rig.service"),
    }


def shell_files() -> Files:
    """A login as root on the serial console without a password."""
    drop_in = "/etc/systemd/system/serial-getty@ttyS0.service.d/rig.conf"
    return {drop_in: cpio.Entry.file((GUEST_FILES / "autologin.conf").read_bytes())}
