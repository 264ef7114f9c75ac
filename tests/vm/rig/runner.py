"""Running scenarios: boots each on each guest, judges, keeps the files."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rig import (
    RigError,
    UnavailableError,
    cpio,
    initramfs,
    overlay,
    qemu,
    root_disk,
    topology,
)
from rig.channel import Results
from rig.guests import Image
from rig.report import Report, Summary
from rig.scenario import SAVED, Boot, Scenario

# Restarts of a boot that the emulator spoilt: one of some hundred, or, where processors are short, of
# ten.
EMULATOR_FAULTS_MAX = 3
# The mitigations of processor bugs cost an emulated processor time and protect nothing here.
# no_timer_check: the kernel's test of its timer interrupt panics on an emulated processor that the
# host gives too little time ("timer doesn't work through Interrupt-remapped IO-APIC").
COMMON_ARGUMENTS = "console=ttyS0 loglevel=4 panic=-1 mitigations=off no_timer_check"
SYSTEM_ARGUMENTS = (
    "rootfstype=ext4 ro fsck.mode=skip apparmor=0"
    " systemd.show_status=auto TERM=dumb"
)


@dataclasses.dataclass(frozen=True)
class Options:
    """What the command line says about a run."""

    results: Path
    tree: Path | None = None
    tools: Path | None = None
    keep: bool = False
    jobs: int = 1


def run(
    scenarios: Sequence[Scenario], images: Sequence[Image], options: Options, summary: Summary
) -> None:
    """Runs every scenario on every guest it is for, `options.jobs` side by side.

    Those that compare times run by themselves at the end.
    """
    pairs = [
        (scenario, image)
        for image in images
        for scenario in scenarios
        if scenario.guests is None or image.guest.name in scenario.guests
    ]
    together = [pair for pair in pairs if not pair[0].alone]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(_run_pair, *pair, options, summary) for pair in together]
        try:
            for future in futures:
                future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    for scenario, image in pairs:
        if scenario.alone:
            _run_pair(scenario, image, options, summary)


def prepare(
    scenario: Scenario,
    boot: Boot,
    image: Image,
    tree: Path | None,
    directory: Path,
    cache: Path,
    tools: Path | None = None,
    interactive: bool = False,
) -> qemu.Machine:
    """Makes everything a boot needs in `directory`; interactive ones start no script.

    Several boots share `cache`. Raises RigError.
    """
    this = scenario.resolved(boot)
    hardware = topology.plan(this.topology)
    qemu.require(hardware)
    names = hardware.environment()
    in_systemd = this.tier == "system"
    files: overlay.Files = {}
    if this.tree and tree is not None:
        files |= overlay.from_tree(tree)
    if this.enable:
        if tree is None:
            raise UnavailableError("needs the installed project: --tree DESTDIR")
        files |= overlay.enablement(files, list(this.units))
    if this.tools and tools is None:
        raise UnavailableError("needs the test tools: --tools DIR")
    if tools is not None:
        files |= overlay.tool_files(tools, this.tools)
    if (this.folder / "files").is_dir():
        files |= overlay.from_tree(this.folder / "files", names)
    files |= overlay.from_mapping(this.files, names, this.folder)
    environment = {
        **names,
        "BOOT": boot.name,
        "TIER": this.tier,
        "GUEST": image.guest.name,
        "SCENARIO": this.name,
    }
    if not in_systemd:
        base = image.initramfs("kernel")
    elif this.initramfs.startswith(SAVED):
        base = directory.parent / this.initramfs.removeprefix(SAVED)
        if not base.is_file():
            raise UnavailableError(f"no boot has saved {base}")
    elif this.initramfs in initramfs.PROJECT:
        base = initramfs.with_project(
            image, files, this.initramfs, this.initramfs_packages, cache
        )
    else:
        base = image.initramfs(this.initramfs)
    script = this.folder / this.script
    files |= overlay.rig_files(script, environment, hardware.present)
    if in_systemd:
        files |= overlay.shell_files() if interactive else overlay.service_files()

    initrd = directory / "initrd"
    shutil.copyfile(base, initrd)
    with initrd.open("r+b") as output:
        output.seek(0, 2)
        output.write(b"\0" * (-output.tell() % 512))
        cpio.write(output, files, "/rig/overlay" if in_systemd else "")
        if this.initramfs_files:
            output.write(b"\0" * (-output.tell() % 512))
            cpio.write(
                output, overlay.from_mapping(this.initramfs_files, names, this.folder), ""
            )
    kernel_args = f"{this.kernel_args} rig.shell" if interactive else this.kernel_args
    arguments = [COMMON_ARGUMENTS, kernel_args]
    if in_systemd:
        # Behind other models than virtio's there may be drives beside the root.
        root = "/dev/vda" if this.root_model == "virtio-blk-pci" else "LABEL=rig"
        arguments[1:1] = [f"root={root}", SYSTEM_ARGUMENTS]
    disks = tuple(root_disk.make(this.root_model, image.disk, directory)) if in_systemd else ()
    return qemu.Machine(
        kernel=image.kernel,
        initrd=initrd,
        arguments=" ".join(part for part in arguments if part),
        hardware=hardware,
        disks=disks,
        disk_model=this.root_model,
        memory=this.memory,
    )


def shell(
    image: Image,
    scenario: Scenario,
    boot_name: str | None,
    tree: Path | None,
    tools: Path | None,
) -> int:
    """Gives a person the serial console of a guest with a scenario's files and hardware."""
    boots = {boot.name: boot for boot in scenario.boots}
    boot = boots[boot_name] if boot_name else scenario.boots[0]
    with tempfile.TemporaryDirectory(prefix="vfio-bindd-vm-") as temporary, image.held():
        directory = Path(temporary)
        machine = prepare(scenario, boot, image, tree, directory, directory, tools, True)
        with qemu.VirtualMachine(machine, directory, interactive=True) as guest:
            guest.interact()
    return 0


def _run_pair(scenario: Scenario, image: Image, options: Options, summary: Summary) -> None:
    where = f"{image.guest.name} {scenario.name}"
    results: dict[str, Results] = {}
    with image.held():
        for boot in scenario.boots:
            report = Report(where if len(scenario.boots) == 1 else f"{where}/{boot.name}")
            directory = options.results / image.guest.name / scenario.name / boot.name
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            outcome = _run_boot(scenario, boot, image, options, directory, report, summary)
            summary.add(report)
            if outcome is None:
                return
            results[boot.name] = outcome
    if scenario.check:
        report = Report(f"{where}/check")
        try:
            scenario.check(results, report)
        except Exception as error:  # A scenario's code, not ours: report it, run the others.
            report.fail("check()", f"{type(error).__name__}: {error}")
        summary.add(report)


def _run_machine(
    machine: qemu.Machine, directory: Path, deadline: float
) -> qemu.VirtualMachine:
    with qemu.VirtualMachine(machine, directory) as guest:
        guest.run(deadline)
    return guest


def _run_boot(
    scenario: Scenario,
    boot: Boot,
    image: Image,
    options: Options,
    directory: Path,
    report: Report,
    summary: Summary,
) -> Results | None:
    """Runs one boot; None if it could not be."""
    try:
        machine = prepare(
            scenario, boot, image, options.tree, directory, options.results, options.tools
        )
    except UnavailableError as error:
        report.skip("boot", str(error))
        return None
    except RigError as error:
        report.fail("preparation", str(error))
        return None
    deadline = scenario.resolved(boot).deadline
    guest = _run_machine(machine, directory, deadline)
    for _ in range(EMULATOR_FAULTS_MAX):
        if not guest.emulator_fault:
            break
        summary.note(f"{report.where}: {guest.emulator_fault}, started again")
        for drive in directory.glob("drive-*.raw"):
            drive.unlink()
        guest = _run_machine(machine, directory, deadline)
    results = guest.results
    (directory / "results.txt").write_text(
        "".join(f"info {text}\n" for text in results.infos)
        + "".join(f"{check.outcome} {check.name}: {check.why}\n" for check in results.checks)
    )
    report.add(results.checks)
    summary.note(f"{report.where}: {guest.seconds:.0f} s, files in {directory}")
    if not options.keep:
        for path in (machine.initrd, *directory.glob("*.raw")):
            path.unlink()
    return results
