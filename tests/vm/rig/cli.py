"""The command line."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import sys
import tempfile
from pathlib import Path

from rig import RigError, UnavailableError, guests, qemu, runner, scenario, topology
from rig.guests import GUESTS, RIG_ROOT, Guest
from rig.report import Summary

SCENARIOS = RIG_ROOT / "scenarios"


def main(arguments: list[str]) -> int:
    """Runs a command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except RigError as error:
        print(f"vm: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has enough; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vm", description="Tests in virtual machines.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    build = commands.add_parser("build", help="make guest images")
    build.add_argument("guest", nargs="*", choices=[*GUESTS, []], metavar="GUEST")
    build.add_argument("--full", action="store_true", help="all guests, not the usual ones only")
    build.add_argument("--force", action="store_true", help="also where the image is there")
    build.set_defaults(command=_build)

    run = commands.add_parser("run", help="run scenarios")
    run.add_argument("scenario", nargs="*", metavar="SCENARIO")
    run.add_argument("--guest", action="append", choices=[*GUESTS], help="only on this guest")
    run.add_argument("--full", action="store_true", help="on all guests, all boots")
    run.add_argument("--tree", type=Path, metavar="DESTDIR", help="the installed project")
    run.add_argument("--tools", type=Path, metavar="DIR", help="where tests/vm/tools is built")
    run.add_argument("--results", type=Path, metavar="DIR", help="where files go")
    run.add_argument("--keep", action="store_true", help="keep initramfs and drives as well")
    run.add_argument("--jobs", type=int, default=1, metavar="N", help="guests at a time")
    run.set_defaults(command=_run)

    show = commands.add_parser("list", help="list scenarios and guests")
    show.add_argument("scenario", nargs="*", help="show these with their addresses")
    show.set_defaults(command=_list)

    shell = commands.add_parser("shell", help="a console in a guest (Ctrl-A X ends it)")
    shell.add_argument("guest", choices=[*GUESTS], metavar="GUEST")
    shell.add_argument("--topology", metavar="SCENARIO", default="rig-system",
                       help="whose hardware and files (rig-system)")
    shell.add_argument("--boot", metavar="BOOT", help="which of its boots (the first)")
    shell.add_argument("--tree", type=Path, metavar="DESTDIR", help="the installed project")
    shell.add_argument("--tools", type=Path, metavar="DIR", help="where tests/vm/tools is built")
    shell.set_defaults(command=_shell)
    return parser


def _chosen_guests(names: list[str] | None, full: bool) -> list[Guest]:
    if names:
        return [GUESTS[name] for name in names]
    return [guest for guest in GUESTS.values() if full or not guest.full_only]


def _build(options: argparse.Namespace) -> int:
    for guest in _chosen_guests(options.guest, options.full):
        image = guests.build(guest, force=options.force)
        print(f"{guest.name}: Linux {image.release} in {image.directory}")
    return 0


def _run(options: argparse.Namespace) -> int:
    if not shutil.which(qemu.PROGRAM):
        raise UnavailableError(f"{qemu.PROGRAM} is not installed")
    chosen = [
        this
        for this in _chosen_scenarios(options.scenario)
        if options.scenario or options.full or not this.full_only
    ]
    if not options.full:
        anywhere = bool(options.scenario or options.guest)
        chosen = [
            dataclasses.replace(this.usual(), guests=this.guests) if anywhere else this.usual()
            for this in chosen
        ]
    images = [guests.build(guest) for guest in _chosen_guests(options.guest, options.full)]
    results = options.results or Path(tempfile.mkdtemp(prefix="vfio-bindd-vm-"))
    tree = options.tree.resolve() if options.tree else None
    summary = Summary()
    settings = runner.Options(
        results.resolve(), tree, options.tools, options.keep, options.jobs
    )
    runner.run(chosen, images, settings, summary)
    return summary.finish()


def _list(options: argparse.Namespace) -> int:
    if not options.scenario:
        for guest in GUESTS.values():
            state = "built" if guests.find(guest) else "not built"
            print(f"guest    {guest.name:24} {guest.title} ({state})")
    for this in _chosen_scenarios(options.scenario):
        print(f"scenario {this.name:24} {this.title} [{this.tier}]")
        if options.scenario:
            for boot in this.boots:
                print(f"  boot {boot.name}")
                hardware = topology.plan(this.resolved(boot).topology)
                for name, value in hardware.environment().items():
                    print(f"    {name}={value}")
    return 0


def _shell(options: argparse.Namespace) -> int:
    image = guests.build(GUESTS[options.guest])
    this = scenario.load(SCENARIOS / options.topology)
    tree = options.tree.resolve() if options.tree else None
    return runner.shell(image, this, options.boot, tree, options.tools)


def _chosen_scenarios(names: list[str]) -> list[scenario.Scenario]:
    if not names:
        return list(scenario.load_all(SCENARIOS).values())
    if unknown := [name for name in names if not (SCENARIOS / name / "scenario.py").is_file()]:
        raise scenario.ScenarioError(f"no scenario {', '.join(unknown)}")
    return [scenario.load(SCENARIOS / name) for name in names]
