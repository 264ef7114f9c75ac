"""Guests: which exist, how their images are made, and where the cache keeps them.

An image is keyed by a hash of its recipe (the guest's definition and every file below
guest/image), so a changed recipe makes a new image and an unchanged one is never made twice.
Building happens aside and appears by one rename; a lock per guest keeps two runs from doing the
same work. An image that nobody has used for a week is removed when another of its guest is made.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from rig import RigError

RIG_ROOT = Path(__file__).resolve().parent.parent
GUEST_FILES = RIG_ROOT / "guest"
RECIPE = GUEST_FILES / "image"
DISK_SIZE = "3G"
# Without device nodes: the kernel makes them, and a user namespace may not.
MAKE_DISK = """
mkdir "$1/root"
tar -C "$1/root" --numeric-owner --exclude './dev/*' -xpf "$2"
mke2fs -q -F -t ext4 -L rig -d "$1/root" "$1/root.img" "$3"
rm -rf "$1/root"
"""
UNUSED_SECONDS = 7 * 24 * 3600

# Not worth their space and the time to unpack them.
UNWANTED = (
    "/usr/share/man/*",
    "/usr/share/doc/*",
    "/usr/share/locale/*",
    "/usr/share/info/*",
    *(
        f"{prefix}/lib/modules/*/kernel/drivers/{drivers}/*"
        for prefix in ("", "/usr")
        for drivers in ("gpu", "media", "net/wireless")
    ),
)
BOOTSTRAP_OPTIONS = (
    "--variant=minbase",
    # Its clean-up would empty /etc/machine-id, and then the first boot enables every unit.
    "--skip=cleanup/reproducible",
    *(f"--dpkgopt=path-exclude={pattern}" for pattern in UNWANTED),
)


class BuildError(RigError):
    """An image could not be made; the text says where its log is."""


@dataclasses.dataclass(frozen=True)
class Guest:
    """A guest by name: a Debian suite with that suite's kernel and systemd."""

    name: str
    suite: str
    title: str
    full_only: bool = False
    options: tuple[str, ...] = ()

    def recipe_hash(self) -> str:
        """Names the image that the recipe makes now."""
        settings = (self.suite, *BOOTSTRAP_OPTIONS, *self.options, MAKE_DISK, DISK_SIZE)
        digest = hashlib.sha256(repr(settings).encode())
        for path in sorted(RECIPE.rglob("*")):
            if path.is_file():
                digest.update(f"\0{path.relative_to(RECIPE)}\0{path.stat().st_mode:o}\0".encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()[:12]


GUESTS: dict[str, Guest] = {
    guest.name: guest
    for guest in (
        Guest("bookworm", "bookworm", "Debian 12: Linux 6.1, systemd 252"),
        Guest("trixie", "trixie", "Debian 13: Linux 6.12, systemd 257"),
        Guest(
            "newest",
            "sid",
            "Debian unstable: Linux 7.x, newest systemd",
            full_only=True,
            # A mirror that lags behind by weeks is new enough; signatures are checked all the same.
            options=('--aptopt=Acquire::Check-Valid-Until "false"',),
        ),
    )
}


@dataclasses.dataclass(frozen=True)
class Image:
    """A built guest in the cache."""

    guest: Guest
    directory: Path

    @property
    def disk(self) -> Path:
        """The root file system, ext4 without a partition table."""
        return self.directory / "root.img"

    @property
    def archive(self) -> Path:
        """The same root as a compressed tar, for those who need its files on the host."""
        return self.directory / "root.tar.zst"

    @property
    def kernel(self) -> Path:
        """The guest's kernel."""
        return self.directory / "vmlinuz"

    @property
    def release(self) -> str:
        """The kernel's release string."""
        return (self.directory / "release").read_text().strip()

    def initramfs(self, kind: str) -> Path:
        """An initramfs: `list` and `most` for the system tier, `kernel` for the kernel tier."""
        return self.directory / f"{kind}.img"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keeps the image from being removed meanwhile, and for a week after."""
        with _locked(self.directory / "lock", fcntl.LOCK_SH):
            (self.directory / "lock").touch()
            yield


def cache_directory() -> Path:
    """Where images live, outside any source tree."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "vfio-bindd"


def find(guest: Guest) -> Image | None:
    """Returns the image of the present recipe if there is one."""
    directory = cache_directory() / f"{guest.name}-{guest.recipe_hash()}"
    return Image(guest, directory) if directory.is_dir() else None


def build(guest: Guest, force: bool = False) -> Image:
    """Returns the image of the present recipe, making it first if need be.

    Raises BuildError.
    """
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    image = find(guest)
    if image and not force:
        return image
    with _locked(cache / f"{guest.name}.lock", fcntl.LOCK_EX):
        image = find(guest)
        if image and not force:
            return image
        started = time.monotonic()
        print(f"building guest {guest.name} ({guest.title})", file=sys.stderr, flush=True)
        work = Path(tempfile.mkdtemp(prefix=f".{guest.name}-", dir=cache))
        try:
            work.chmod(0o755)
            _build_in(guest, work)
            target = cache / f"{guest.name}-{guest.recipe_hash()}"
            if target.exists():
                target.rename(work / "replaced")
            (work / "image").rename(target)
        finally:
            _remove_tree(work)
        _prune(guest, keep=target)
        seconds = time.monotonic() - started
        print(f"guest {guest.name}: built in {seconds:.0f} s", file=sys.stderr, flush=True)
        return Image(guest, target)


def as_root(*command: str) -> list[str]:
    """The command as root of a user namespace, or as it is for those who are root."""
    return list(command) if os.geteuid() == 0 else ["mmdebstrap", "--unshare-helper", *command]


def _build_in(guest: Guest, work: Path) -> None:
    image = work / "image"
    image.mkdir()
    archive = work / "root.tar"
    scratch = work / "scratch"
    scratch.mkdir()
    scratch.chmod(0o777)
    packages = [
        line
        for line in (RECIPE / "packages").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    log = cache_directory() / f"{guest.name}.log"
    with log.open("w") as output:
        # No mirror is named: mmdebstrap knows its distribution's own.
        _logged(
            guest,
            output,
            [
                "mmdebstrap",
                *BOOTSTRAP_OPTIONS,
                *guest.options,
                f"--include={','.join(packages)}",
                f"--customize-hook=copy-in {RECIPE} /",
                f'--customize-hook=chroot "$1" /{RECIPE.name}/build',
                f"--customize-hook=sync-out /{RECIPE.name}/out {image}",
                f'--customize-hook=rm -rf "$1/{RECIPE.name}"',
                guest.suite,
                str(archive),
            ],
        )
        _logged(
            guest,
            output,
            as_root("sh", "-euc", MAKE_DISK, "sh", str(scratch), str(archive), DISK_SIZE),
        )
        # By a copy of our own: in a user namespace the file is somebody else's.
        disk = [f"{scratch}/root.img", f"{image}/root.img"]
        _logged(guest, output, ["cp", "--sparse=always", *disk])
        _logged(guest, output, ["zstd", "-q", "-1", str(archive), "-o", f"{image}/root.tar.zst"])
    (image / "lock").touch()


def _logged(guest: Guest, log: TextIO, command: list[str]) -> None:
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
    if result.returncode != 0:
        path = Path(log.name)
        tail = "\n  ".join(path.read_text(errors="replace").splitlines()[-8:])
        raise BuildError(f"guest {guest.name}: {command[0]} failed, log in {path}:\n  {tail}")


def _prune(guest: Guest, keep: Path) -> None:
    """Removes images of other recipes that nobody has used for long."""
    for old in cache_directory().glob(f"{guest.name}-*"):
        lock = old / "lock"
        if old == keep or not lock.exists() or time.time() - lock.stat().st_mtime < UNUSED_SECONDS:
            continue
        with contextlib.suppress(OSError), _locked(old / "lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
            _remove_tree(old)


def _remove_tree(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        subprocess.run(as_root("rm", "-rf", f"{directory}/scratch/root"), check=False)
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path, operation: int) -> Iterator[None]:
    with path.open("a") as handle:
        fcntl.flock(handle, operation)
        yield
