"""Making an initramfs with the tested project's own hooks inside, as its users would get it."""

from __future__ import annotations

import hashlib
import io
import shutil
import stat
import subprocess
import tarfile
import tempfile
import threading
from pathlib import Path

from rig import RigError
from rig.guests import Image
from rig.overlay import Files

_SCRIPT = """
root=$1/root
mkdir "$root"
trap 'umount -l "$root/dev" "$root/proc" || true; rm -rf --one-file-system "$root"' EXIT
tar -C "$root" --numeric-owner --exclude './dev/*' -I zstd -xpf "$2"
tar -C "$root" --no-overwrite-dir --keep-directory-symlink -xpf "$1/files.tar"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
chroot "$root" /usr/lib/rig/make-initramfs most "$3" /initramfs
cp "$root/initramfs" "$1/initramfs"
"""
_lock = threading.Lock()


class InitramfsError(RigError):
    """mkinitramfs failed; the text tells what it said."""


def with_project(image: Image, files: Files, cache: Path) -> Path:
    """An initramfs with host drivers, made by the guest's mkinitramfs with `files` in place.

    What was made for the same files before is taken from `cache`. Raises InitramfsError.
    """
    digest = hashlib.sha256(str(image.directory).encode())
    for path, entry in sorted(files.items()):
        digest.update(f"\0{path}\0{entry.mode:o}\0".encode() + entry.content)
    made = cache / f"initramfs-{digest.hexdigest()[:12]}"
    with _lock:
        if not made.exists():
            _make(image, files, made)
    return made


def _make(image: Image, files: Files, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="vm-initramfs-") as temporary:
        work = Path(temporary)
        work.chmod(0o777)
        _write_tar(files, work / "files.tar")
        # Also for root: it gives a mount namespace of its own.
        helper = ["mmdebstrap", "--unshare-helper", "sh", "-euc", _SCRIPT, "sh"]
        result = subprocess.run(
            [*helper, str(work), str(image.archive), image.release],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise InitramfsError(f"mkinitramfs: {(result.stdout + result.stderr).strip()[-2000:]}")
        # By a copy of our own: in the helper's namespace the file may be somebody else's.
        unfinished = target.with_suffix(".new")
        shutil.copyfile(work / "initramfs", unfinished)
        unfinished.rename(target)
        target.with_suffix(".log").write_text(result.stdout + result.stderr)


def _write_tar(files: Files, path: Path) -> None:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, entry in sorted(files.items()):
            member = tarfile.TarInfo(name.lstrip("/"))
            member.mode = stat.S_IMODE(entry.mode)
            member.mtime = entry.mtime
            if stat.S_ISLNK(entry.mode):
                member.type = tarfile.SYMTYPE
                member.linkname = entry.content.decode()
            elif stat.S_ISDIR(entry.mode):
                member.type = tarfile.DIRTYPE
            else:
                member.size = len(entry.content)
            archive.addfile(member, io.BytesIO(entry.content))
