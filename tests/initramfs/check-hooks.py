#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The scripts that put us into an initramfs and run us there, on made-up machines: a directory takes
the place of /usr/lib/vfio-bindd and of /var/lib/vfio-bindd, a script that of the helper.

mkinitcpio's own functions are stood in for by what its manual says of them (mkinitcpio(8), "About
build hooks"); initramfs-tools and dracut run in the virtual machines' scenarios."""
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time

source = pathlib.Path(sys.argv[1])
SHELLS = [shell for shell in (['dash'], ['busybox', 'sh'], ['bash', '--posix'])
          if shutil.which(shell[0])]
NEEDS = """switch on
file {etc}/vfio-bind.conf
file {etc}/vfio-bind.conf.d/a.conf
file {etc}/vfio-bind.conf.d/masked.conf
module vfio_pci
module vfio_iommu_type1
module vfio_virqfd
variants
digest 0123456789abcdef
timeout 17
"""
# As mkinitcpio's manual says, without kernel and libraries.
MKINITCPIO = """
error() { echo "ERROR: $*" >&2; exit 9; }
add_dir() { mkdir -p "$BUILDROOT$1"; }
add_file() {
    local source=$1 target=${2:-$1} mode=${3:-}
    [[ $source == - ]] && source=/dev/stdin
    [[ $source == /dev/stdin || -f $source ]] || error "file not found: $source"
    install -D -m "${mode:-$(stat -c %a "$source")}" "$source" "$BUILDROOT$target"
}
add_binary() {
    case $1 in
        /*) add_file "$@" ;;
        *) add_file "$(type -P bash)" "/$1" ;;
    esac
}
add_udev_rule() { add_file "$1" "/usr/lib/udev/rules.d/${1##*/}"; }
add_symlink() { add_dir "${1%/*}"; ln -sfn "$2" "$BUILDROOT$1"; }
add_module() {
    case $1 in
        *'?') echo "${1%?}" >> "$BUILDROOT/modules" ;;
        *) error "module not found: $1" ;;
    esac
}
add_runscript() { echo "${BASH_SOURCE[1]##*/}" >> "$BUILDROOT/runscripts"; }
"""
problems = []


def require(condition, what):
    if not condition:
        problems.append(what)


class Machine:
    """Paths of a machine below a temporary directory, and our scripts with those paths in them."""

    def __init__(self, directory: str):
        self.root = pathlib.Path(directory)
        self.programs = self.root / 'usr/lib/vfio-bindd'
        self.state = self.root / 'var/lib/vfio-bindd'
        self.log = self.root / 'kmsg'
        self.log.touch()
        for path in (self.programs, self.root / 'etc/vfio-bind.conf.d', self.root / 'rules',
                     self.root / 'units', self.root / 'modules/6.1'):
            path.mkdir(parents=True)
        for name in ('vfio-bind.conf', 'vfio-bind.conf.d/a.conf'):
            (self.root / 'etc' / name).write_text(f'# {name}\n')
        (self.root / 'etc/vfio-bind.conf.d/masked.conf').symlink_to('/dev/null')
        (self.root / 'rules/10-vfio-bindd.rules').write_text('# rules\n')
        for name in ('early.service', 'initrd.service', 'giveback.service', 'giveback-wait.service',
                     'giveback.timer', 'root-found.service'):
            (self.root / f'units/vfio-bindd-{name}').write_text('[Unit]\n')
        (self.root / 'modules/6.1/modules.alias').write_text(
            'alias pci:v*d* nvme\nalias vfio_pci:v000015B3d* mlx5_vfio_pci\n'
            'alias vfio_pci:v*d* vfio_pci\n')
        self.install('initramfs/functions.in', self.programs / 'initramfs-functions')
        self.install('initramfs/run-bounded.in', self.programs / 'run-bounded')
        self.helper('cat <<END\n' + NEEDS.format(etc=self.root / 'etc') + 'END')

    def install(self, name: str, target: pathlib.Path) -> pathlib.Path:
        text = (source / 'conf' / name).read_text()
        for what, path in (('@PROGRAM_DIRECTORY@', self.programs), ('/dev/kmsg', self.log),
                           ('@RULES_DIRECTORY@', self.root / 'rules'),
                           ('@UNIT_DIRECTORY@', self.root / 'units'),
                           ('/run/vfio-bindd', self.root / 'run'),
                           ('/var/lib/vfio-bindd', self.state), ('/lib/modules', self.root / 'modules')):
            text = text.replace(what, str(path))
        require(not re.search(r'@[A-Z_]+@', text), f'{name}: a name is not replaced')
        # The machine that runs this test is no host of ours.
        text = text.replace('/sys/bus/pci/devices', str(self.root / 'no-pci'))
        text = text.replace('"> /dev/kmsg"', f'"> {self.log}"')
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o755)
        return target

    def helper(self, script: str) -> None:
        path = self.programs / 'vfio-bindd-helper'
        path.write_text(f'#!/bin/sh\n{script}\n')
        path.chmod(0o755)

    def run(self, *command, **more) -> subprocess.CompletedProcess:
        return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                              timeout=60, cwd=self.root, **more)


def check_run_bounded(machine: Machine, shell: list[str]) -> None:
    """Back in time, with status 0, whatever the helper is; and nothing stays behind."""
    name = ' '.join(shell)
    program = machine.programs / 'run-bounded'
    helper = machine.programs / 'vfio-bindd-helper'
    manifest = machine.programs / 'initramfs'
    manifest.write_text('Digest=0\nTimeout=20\n')

    def run(what: str, at_most: float, said: str, *arguments: str) -> None:
        machine.log.write_text('')
        begin = time.monotonic()
        result = machine.run(*shell, program, *(arguments or ('boot', '--stage=initrd')))
        took = time.monotonic() - begin
        require(result.returncode == 0 and not result.stderr,
                f'{name}: helper {what}: status {result.returncode}, {result.stderr!r}')
        require(took < at_most, f'{name}: helper {what}: took {took:.1f} s')
        require(said in machine.log.read_text() if said else not machine.log.read_text(),
                f'{name}: helper {what}: says {machine.log.read_text()!r}')

    machine.helper(f'echo "$*" > {machine.root}/called')
    run('works', 15, '')
    require((machine.root / 'called').read_text() == 'boot --stage=initrd\n',
            f'{name}: arguments are not handed on')
    machine.helper('exit 3')
    run('fails', 15, 'failed (3)')
    machine.helper('kill -SEGV $$')
    run('is killed', 15, 'failed (139)')
    machine.helper('trap : TERM INT HUP USR1; sleep 61 & wait; wait')
    manifest.write_text('Digest=0\nTimeout=1\n')
    run('sleeps', 30, 'is not over after 1 s')
    machine.helper('sleep 3')
    run('sleeps too long for a boot', 30, '', 'giveback')
    manifest.write_text('Digest=0\nTimeout=20\n')
    helper.write_bytes(b'')
    helper.chmod(0o755)
    run('is empty', 15, '')
    helper.write_bytes(b'\x7fELF\x02\x01\x01' + bytes(50))
    run('is truncated', 15, 'failed (')
    helper.unlink()
    run('is missing', 15, 'failed (127)')
    manifest.unlink()
    run('is missing, as the manifest', 15, 'failed (127)')
    # What was told to end may need a moment for it.
    deadline = time.monotonic() + 10
    while lingering := [line for line in machine.run('ps', '-eo', 'args').stdout.splitlines()
                        if str(program) in line]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    require(not lingering, f'{name}: left behind: {lingering}')


def check_functions(machine: Machine, shell: list[str]) -> None:
    name = ' '.join(shell)
    functions = machine.programs / 'initramfs-functions'
    manifest = machine.state / 'initramfs/6.1'

    def call(text: str) -> subprocess.CompletedProcess:
        return machine.run(*shell, '-c', f'. {functions}; {text}')

    result = call('vfio_bindd_ask 6.1 && vfio_bindd_modules 6.1 && vfio_bindd_note_manifest 6.1')
    require(result.stdout == 'vfio_pci\nvfio_iommu_type1\nvfio_virqfd\nmlx5_vfio_pci\nvfio_pci\n',
            f'{name}: modules {result.stdout!r} {result.stderr}')
    require(manifest.exists() and
            manifest.read_text() == 'Digest=0123456789abcdef\nTimeout=17\n', f'{name}: manifest')
    # An image that somebody else makes of the same (kdump-tools does) says nothing about this one.
    os.utime(manifest, ns=(1, 1))
    call('vfio_bindd_ask 6.1 && vfio_bindd_note_manifest 6.1')
    require(manifest.stat().st_mtime_ns == 1, f'{name}: the same manifest is written again')
    machine.helper('cat <<END\n' + NEEDS.format(etc=machine.root / 'etc')
                   .replace('timeout 17', 'timeout 18') + 'END')
    call('vfio_bindd_ask 6.1 && vfio_bindd_note_manifest 6.1')
    require(manifest.read_text() == 'Digest=0123456789abcdef\nTimeout=18\n' and
            manifest.stat().st_mtime_ns != 1, f'{name}: a manifest is not replaced')
    machine.helper('cat <<END\n' + NEEDS.format(etc=machine.root / 'etc') + 'END')
    (machine.state / 'initramfs/5.0').write_text('of a kernel that is gone')
    call('vfio_bindd_ask 6.1 && vfio_bindd_note_manifest 6.1')
    require(sorted(path.name for path in manifest.parent.iterdir()) == ['6.1'],
            f'{name}: manifests of kernels that are gone')
    image = machine.root / 'image'
    record = pathlib.Path(f'{image}{machine.state}/host-devices')
    result = call(f'vfio_bindd_put_record {image}')
    require(not record.exists() and 'no record' in result.stderr, f'{name}: a record of nothing')
    (machine.state / 'host-devices').write_text('record')
    result = call(f'vfio_bindd_put_record {image}')
    require(record.exists() and not result.stderr, f'{name}: the record is not copied')
    # A container that does not say that it is one, with a PID 1 in the same root.
    if os.geteuid() == 0:
        (machine.root / 'no-pci').mkdir()
        result = machine.run('unshare', '--pid', '--fork', '--mount-proc', *shell, '-c',
                             f'. {functions}; vfio_bindd_is_host')
        require(result.returncode == 1, f'{name}: a container counts as the host')
        (machine.root / 'no-pci').rmdir()
    # On the host itself it is made anew, whatever the old one says; or the old one counts on.
    on_host = 'vfio_bindd_is_host() { return 0; }; '
    machine.helper('[ "$1" = record ] && echo new > "${2#--output=}"')
    call(f'{on_host} vfio_bindd_put_record {image}')
    require(record.read_text() == 'new\n', f'{name}: the new record')
    machine.helper('exit 1')
    call(f'{on_host} vfio_bindd_put_record {image}')
    require(record.read_text() == 'record', f'{name}: the old record')

    for helper in ('echo "switch off"', 'echo "switch on"; exit 1', 'exit 1', 'kill -9 $$'):
        manifest.write_text('Digest=0\n')
        machine.helper(helper)
        result = call('vfio_bindd_ask 6.1')
        require(result.returncode == 1 and not manifest.exists(),
                f'{name}: {helper}: status {result.returncode}')
        require(bool(result.stderr) == (helper != 'echo "switch off"'), f'{name}: {helper}: says')


def assemble(machine: Machine, hooks: str) -> dict[str, os.stat_result]:
    """What mkinitcpio's hook puts into an image: path to status."""
    image = machine.root / f'image-{hooks.replace(" ", "-")}'
    image.mkdir()
    hook = machine.install('mkinitcpio/install.in', machine.root / 'install/vfio-bindd')
    result = machine.run('bash', '-c', f'{MKINITCPIO}\nKERNELVERSION=6.1 BUILDROOT={image}\n'
                         f'HOOKS=({hooks})\n. {hook}\nbuild')
    require(result.returncode == 0, f'mkinitcpio: {result.stderr}')
    return {str(path.relative_to(image)).removeprefix(str(machine.root).lstrip('/')).lstrip('/'):
            path.lstat() for path in sorted(image.rglob('*')) if not path.is_dir()}


def check_mkinitcpio(machine: Machine) -> None:
    always = {'usr/lib/vfio-bindd/vfio-bindd-helper', 'usr/lib/vfio-bindd/initramfs',
              'etc/vfio-bind.conf', 'etc/vfio-bind.conf.d/a.conf', 'modules',
              'usr/lib/udev/rules.d/10-vfio-bindd.rules', 'units/vfio-bindd-early.service',
              'etc/systemd/system/sysinit.target.wants/vfio-bindd-early.service'}
    plain = assemble(machine, 'base vfio-bindd udev')
    require(plain.keys() == always | {'usr/lib/vfio-bindd/run-bounded', 'runscripts'},
            f'mkinitcpio without systemd: {sorted(plain)}')
    require(all(plain[f'usr/lib/vfio-bindd/{program}'].st_mode & stat.S_IXUSR
                for program in ('run-bounded', 'vfio-bindd-helper')), 'mkinitcpio: not executable')

    (machine.state / 'host-devices').write_text('record')
    with_systemd = assemble(machine, 'base systemd vfio-bindd')
    require(with_systemd.keys() == always | {
        'var/lib/vfio-bindd/host-devices', 'units/vfio-bindd-initrd.service',
        'units/vfio-bindd-giveback.service', 'units/vfio-bindd-giveback.timer',
        'units/vfio-bindd-root-found.service', 'systemctl',
        'units/vfio-bindd-giveback-wait.service',
        'units/sysinit.target.wants/vfio-bindd-initrd.service',
        'units/sysinit.target.wants/vfio-bindd-giveback.timer',
        'units/initrd-root-device.target.wants/vfio-bindd-root-found.service',
        'units/emergency.target.wants/vfio-bindd-giveback.service'},
        f'mkinitcpio with systemd: {sorted(with_systemd)}')

    machine.helper('echo "switch off"')
    require(not assemble(machine, 'base udev vfio-bindd'), 'mkinitcpio: something though it is off')

    # What mkinitcpio greps for in the runtime script, and what it says there.
    runtime = machine.install('mkinitcpio/runtime.in', machine.root / 'hooks/vfio-bindd')
    machine.helper(f'echo "$*" >> {machine.root}/called')
    (machine.root / 'called').write_text('')
    functions = re.findall(r'^(run_\w+)\s*\(', runtime.read_text(), re.M)
    require(functions == ['run_earlyhook', 'run_emergencyhook'], f'mkinitcpio: {functions}')
    for shell in SHELLS:
        machine.run(*shell, '-c', f'. {runtime}; run_earlyhook; run_emergencyhook; '
                                  'break=premount; run_emergencyhook')
    require((machine.root / 'called').read_text() ==
            'boot --stage=initrd\ngiveback\n' * len(SHELLS), 'mkinitcpio: what the hooks call')


def check_dracut(machine: Machine) -> None:
    """What dracut sources, with its getarg(): once, and not for a shell that somebody asked for."""
    hooks = {name: machine.install(f'dracut/{name}.sh.in', machine.root / f'{name}.sh')
             for name in ('giveback', 'emergency')}
    machine.helper(f'echo "$*" >> {machine.root}/called')
    for shell in SHELLS:
        for arguments, names, expected in (('quiet', ['emergency', 'giveback'], 1),
                                           ('quiet', ['giveback', 'emergency'], 1),
                                           ('rd.break', ['emergency'], 0),
                                           ('rd.break', ['emergency', 'giveback'], 1)):
            (machine.root / 'called').write_text('')
            shutil.rmtree(machine.root / 'run', ignore_errors=True)
            result = machine.run(
                *shell, '-c', f'getarg() {{ [ "$1" = {arguments} ] && echo 1; }}; ' +
                '; '.join(f'. {hooks[name]}' for name in names))
            called = (machine.root / 'called').read_text()
            require(called == 'giveback\n' * expected and not result.stdout + result.stderr,
                    f'dracut: {arguments} {names}: {called!r} {result.stdout}{result.stderr}')


def check_rebuild(machine: Machine) -> None:
    """The generator that there is; Debian's update-initramfs before dracut, which it may call."""
    script = source / 'conf/initramfs/rebuild-initramfs'
    programs = machine.root / 'bin'
    programs.mkdir()
    for program, expected in ((None, ''), ('mkinitcpio', 'mkinitcpio -P'),
                              ('dracut', 'dracut --force --regenerate-all'),
                              ('update-initramfs', 'update-initramfs -u -k all')):
        if program:
            path = programs / program
            path.write_text(f'#!/bin/sh\necho {program} "$@"\n')
            path.chmod(0o755)
        result = machine.run('/bin/sh', script, env={'PATH': str(programs)})
        require((result.returncode == 0) == bool(program) and result.stdout.strip() == expected,
                f'rebuild-initramfs: {result.stdout!r}, not {expected!r}')
        # Nothing of ours is in this machine's HOOKS.
        require(('HOOKS' in result.stderr) == (program == 'mkinitcpio'),
                f'rebuild-initramfs with {program} says {result.stderr!r}')
    require(machine.run('/bin/sh', script, '-k').returncode == 2, 'rebuild-initramfs: arguments')


def main() -> None:
    if len(SHELLS) < 2:
        print('dash and bash are needed')
        sys.exit(77)
    for shell in SHELLS:
        for check in (check_run_bounded, check_functions):
            with tempfile.TemporaryDirectory() as directory:
                check(Machine(directory), shell)
    for check in (check_mkinitcpio, check_dracut, check_rebuild):
        with tempfile.TemporaryDirectory() as directory:
            check(Machine(directory))
    sys.exit('\n'.join(problems) or 0)


main()
