"""Scenarios: what a folder below scenarios/ says, and which boots that makes."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from rig import RigError, root_disk
from rig.channel import Results
from rig.report import Report
from rig.topology import Part

TIERS = ("kernel", "system")
INITRAMFS = ("list", "most", "project", "dracut", "dracut-systemd")
# "saved:BOOT/NAME": what the script of an earlier boot gave to save_file.
SAVED = "saved:"
DEFAULT_DEADLINE = {"kernel": 300, "system": 900}

# What a scenario.py may set; all but TIER has a default.
SETTINGS = {
    "TIER",
    "GUESTS",
    "USUAL_GUESTS",
    "TOPOLOGY",
    "FILES",
    "TOOLS",
    "TREE",
    "ENABLE",
    "UNITS",
    "KERNEL_ARGS",
    "INITRAMFS",
    "INITRAMFS_FILES",
    "INITRAMFS_PACKAGES",
    "ROOT_MODEL",
    "FULL_ONLY",
    "SCRIPT",
    "MEMORY",
    "DEADLINE",
    "ALONE",
    "BOOTS",
}


class ScenarioError(RigError):
    """A scenario's own files are wrong."""


@dataclasses.dataclass(frozen=True)
class Boot:
    """One boot of a scenario. What is None is as the scenario says."""

    name: str
    topology: Sequence[Part] | None = None
    files: Mapping[str, object] | None = None
    tree: bool | None = None
    enable: bool | None = None
    kernel_args: str | None = None
    initramfs: str | None = None
    initramfs_files: Mapping[str, object] | None = None
    initramfs_packages: Sequence[str] | None = None
    root_model: str | None = None
    script: str | None = None
    deadline: float | None = None
    full: bool = False  # with --full only


Boots = Mapping[str, Results]
CheckFunction = Callable[[Boots, Report], None]


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A scenario as read."""

    name: str
    title: str
    folder: Path
    tier: str
    guests: tuple[str, ...] | None
    usual_guests: tuple[str, ...] | None
    topology: Sequence[Part]
    files: Mapping[str, object]
    tools: tuple[str, ...]
    tree: bool
    enable: bool
    units: tuple[str, ...]
    kernel_args: str
    initramfs: str
    initramfs_files: Mapping[str, object]
    initramfs_packages: Sequence[str]
    root_model: str
    full_only: bool
    script: str
    memory: str
    deadline: float
    alone: bool
    boots: tuple[Boot, ...]
    check: CheckFunction | None

    def usual(self) -> Scenario:
        """What runs of it when nothing was asked for by name: a whole run has half an hour."""
        boots = tuple(boot for boot in self.boots if not boot.full)
        guests = self.guests if self.usual_guests is None else self.usual_guests
        return dataclasses.replace(self, boots=boots, guests=guests)

    def resolved(self, boot: Boot) -> Scenario:
        """The scenario with a boot's differences; its files are added to the scenario's."""
        changes = {
            field.name: value
            for field in dataclasses.fields(boot)
            if field.name not in ("name", "files", "full")
            and (value := getattr(boot, field.name)) is not None
        }
        return dataclasses.replace(self, files={**self.files, **(boot.files or {})}, **changes)


def load(folder: Path) -> Scenario:
    """Reads a scenario's folder.

    Raises ScenarioError.
    """
    module = _module(folder)
    unknown = {name for name in vars(module) if name.isupper()} - SETTINGS
    if unknown:
        raise ScenarioError(f"{folder.name}: unknown setting {', '.join(sorted(unknown))}")

    tier = getattr(module, "TIER", None)
    if tier not in TIERS:
        raise ScenarioError(f"{folder.name}: TIER must be one of {', '.join(TIERS)}")
    guests = getattr(module, "GUESTS", None)
    usual_guests = getattr(module, "USUAL_GUESTS", None)
    scenario = Scenario(
        name=folder.name,
        title=(module.__doc__ or "").strip().splitlines()[0] if module.__doc__ else "",
        folder=folder,
        tier=tier,
        guests=tuple(guests) if guests is not None else None,
        usual_guests=tuple(usual_guests) if usual_guests is not None else None,
        topology=getattr(module, "TOPOLOGY", ()),
        files=getattr(module, "FILES", {}),
        tools=tuple(getattr(module, "TOOLS", ())),
        tree=getattr(module, "TREE", True),
        enable=getattr(module, "ENABLE", False),
        units=tuple(getattr(module, "UNITS", ("vfio-bindd.service",))),
        kernel_args=getattr(module, "KERNEL_ARGS", ""),
        initramfs=getattr(module, "INITRAMFS", "list"),
        initramfs_files=getattr(module, "INITRAMFS_FILES", {}),
        initramfs_packages=tuple(getattr(module, "INITRAMFS_PACKAGES", ())),
        root_model=getattr(module, "ROOT_MODEL", "virtio-blk-pci"),
        full_only=getattr(module, "FULL_ONLY", False),
        script=getattr(module, "SCRIPT", "guest.sh"),
        memory=getattr(module, "MEMORY", "1536M"),
        deadline=getattr(module, "DEADLINE", DEFAULT_DEADLINE[tier]),
        alone=getattr(module, "ALONE", False),
        boots=tuple(getattr(module, "BOOTS", (Boot("boot"),))),
        check=getattr(module, "check", None),
    )
    for boot in scenario.boots:
        resolved = scenario.resolved(boot)
        if resolved.initramfs not in INITRAMFS and not resolved.initramfs.startswith(SAVED):
            raise ScenarioError(f"{folder.name}: INITRAMFS must be one of {', '.join(INITRAMFS)}")
        if resolved.root_model not in root_disk.MODELS:
            known = ", ".join(root_disk.MODELS)
            raise ScenarioError(f"{folder.name}: ROOT_MODEL must be one of {known}")
        if not (folder / resolved.script).is_file():
            raise ScenarioError(f"{folder.name}: no {resolved.script}")
    if len({boot.name for boot in scenario.boots}) != len(scenario.boots):
        raise ScenarioError(f"{folder.name}: two boots of one name")
    return scenario


def load_all(folder: Path) -> dict[str, Scenario]:
    """Reads every scenario below `folder`, by name."""
    return {
        path.parent.name: load(path.parent) for path in sorted(folder.glob("*/scenario.py"))
    }


def _module(folder: Path) -> ModuleType:
    path = folder / "scenario.py"
    specification = importlib.util.spec_from_file_location(f"scenario_{folder.name}", path)
    if specification is None or specification.loader is None:
        raise ScenarioError(f"{path}: cannot be loaded")
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        raise ScenarioError(f"{path}: {type(error).__name__}: {error}") from error
    return module
