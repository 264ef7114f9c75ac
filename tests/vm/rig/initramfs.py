"""Making an initramfs with the tested project's own hooks inside, as its users would get it.

By the guest's initramfs-tools, or by the dracut of the guest's suite, which is unpacked beside it.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import stat
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from rig import RigError
from rig.guests import GUEST_FILES, Image
from rig.overlay import Files

_SCRIPT = """
root=$1/root
mkdir "$root"
trap 'umount -l "$root/dev" "$root/proc" || true; rm -rf --one-file-system "$root"' EXIT
tar -C "$root" --numeric-owner --exclude './dev/*' -I zstd -xpf "$2"
tar -C "$root" --no-overwrite-dir --keep-directory-symlink -xpf "$1/files.tar"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
"""
# What is there already stays as it is, with its dependencies.
_PACKAGES = """
tar -C "$root" --exclude './dev/*' --skip-old-files --keep-directory-symlink -xpf "$4"
"""
_INITRAMFS_TOOLS = """
chroot "$root" /usr/lib/rig/make-initramfs most "$3" /initramfs
cp "$root/initramfs" "$1/initramfs"
"""
# Without the links of a merged /usr that the packages know nothing of.
_DRACUT = """
mkdir "$1/dracut"
tar -C "$1/dracut" --wildcards -xpf "$4" '*dracut*'
for part in lib usr etc; do
    [ ! -d "$1/dracut/$part" ] || cp -a "$1/dracut/$part/." "$root/$part/"
done
cp -a "$5" "$root/usr/lib/dracut/modules.d/99rig"
chroot "$root" dracut --no-hostonly --no-compress --omit "$6" --kver "$3" /initramfs
cp "$root/initramfs" "$1/initramfs"
"""
# What each kind leaves out of dracut's modules.
_OMITTED = {"dracut": "systemd systemd-initrd dracut-systemd", "dracut-systemd": "network"}
PROJECT = ("project", *_OMITTED)
_lock = threading.Lock()


class InitramfsError(RigError):
    """What makes an initramfs failed; the text tells what it said."""


def with_project(
    image: Image, files: Files, kind: str, packages: Sequence[str], cache: Path
) -> Path:
    """An initramfs with host drivers, of a kind of PROJECT, made with `files` in place.

    For initramfs-tools, Debian `packages` may be there beside the guest's. What was made for the
    same files before is taken from `cache`. Raises InitramfsError.
    """
    digest = hashlib.sha256(f"{image.directory} {kind} {packages}".encode())
    for path, entry in sorted(files.items()):
        digest.update(f"\0{path}\0{entry.mode:o}\0".encode() + entry.content)
    made = cache / f"initramfs-{digest.hexdigest()[:12]}"
    with _lock:
        if not made.exists():
            _make(image, files, kind, packages, made)
    return made


def _unpacked(image: Image, packages: Sequence[str]) -> Path:
    """A tar of the packages and what they need, unpacked only: they exclude no initramfs-tools."""
    name = "-".join(sorted(packages))
    archive = image.directory / f"{name}.tar"
    if not archive.exists():
        unfinished = image.directory / f"{name}.new.tar"
        command = ["mmdebstrap", "--variant=extract", f"--include={','.join(packages)}"]
        options = [*image.guest.options, image.guest.suite, str(unfinished)]
        result = subprocess.run(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise InitramfsError(f"{name}: {result.stderr.strip()[-2000:]}")
        unfinished.rename(archive)
    return archive


def _make(
    image: Image, files: Files, kind: str, packages: Sequence[str], target: Path
) -> None:
    if kind in _OMITTED:
        script = _SCRIPT + _DRACUT
        more = [_unpacked(image, ["dracut-core"]), GUEST_FILES / "dracut", _OMITTED[kind]]
    elif packages:
        script = _SCRIPT + _PACKAGES + _INITRAMFS_TOOLS
        more = [_unpacked(image, packages)]
    else:
        script, more = _SCRIPT + _INITRAMFS_TOOLS, []
    with tempfile.TemporaryDirectory(prefix="vm-initramfs-") as temporary:
        work = Path(temporary)
        work.chmod(0o777)
        _write_tar(files, work / "files.tar")
        # Also for root: it gives a mount namespace of its own.
        helper = ["mmdebstrap", "--unshare-helper", "sh", "-euc", script, "sh"]
        arguments = [str(work), str(image.archive), image.release, *map(str, more)]
        result = subprocess.run(
            [*helper, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise InitramfsError(f"{kind}: {(result.stdout + result.stderr).strip()[-2000:]}")
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
