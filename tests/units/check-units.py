#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shipped units as systemd reads them: no complaint, no ordering cycle at boot, and the daemon's
sandbox no looser than it was."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# Tenths, as `systemd-analyze security` counts; what remains is explained in docs/SECURITY.md.
EXPOSURE_MAX = {'vfio-bindd.service': 32, 'vfio-bindd-early.service': 41}
PROGRAM = 'systemd-analyze'
# What vfio-bind.target comes before, ordered as its packages do.
OTHERS = {
    'libvirtd.socket': '[Unit]\nBefore=libvirtd.service\n[Socket]\nListenStream=/run/libvirt-sock\n',
    'libvirtd.service': '[Unit]\nRequires=libvirtd.socket\nBefore=libvirt-guests.service\n'
                        'After=libvirtd.socket network.target dbus.service remote-fs.target '
                        'systemd-logind.service systemd-machined.service\n'
                        '[Service]\nType=notify\nExecStart=/bin/true\n',
    'libvirt-guests.service': '[Unit]\nRequires=libvirtd.service\n'
                              'After=network.target time-sync.target libvirtd.service\n'
                              '[Service]\nType=oneshot\nExecStart=/bin/true\n',
    'kubelet.service': '[Unit]\nWants=network-online.target\nAfter=network-online.target\n'
                       '[Service]\nExecStart=/bin/true\n',
}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True,
                          env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C',
                               **environment})


def copy_units(directory: pathlib.Path, units: list[str], program_directory: str) -> list[str]:
    """With programs that are there: they are not installed when this runs."""
    programs = directory / 'programs'
    programs.mkdir()
    for name in ('vfio-bindd', 'vfio-bindd-helper', 'vfio-bindctl'):
        (programs / name).symlink_to('/bin/true')
    for unit in map(pathlib.Path, units):
        text = unit.read_text().replace(program_directory, str(programs))
        text = re.sub(r'=\S+/vfio-bindctl', f'={programs}/vfio-bindctl', text)
        (directory / unit.name).write_text(text)
    return [pathlib.Path(unit).name for unit in units]


def require(condition: bool, message: str) -> None:
    if not condition:
        sys.exit(message)


def main() -> None:
    program_directory, *units = sys.argv[1:]
    if not shutil.which(PROGRAM):
        print(f'{PROGRAM} is not there')
        sys.exit(77)
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        names = copy_units(directory, units, program_directory)
        for unit, text in OTHERS.items():
            (directory / unit).write_text(text)
        # As enabled: the early unit wanted by sysinit.target, so that cycles show.
        for target, unit in (('sysinit.target', 'vfio-bindd-early.service'),
                             ('multi-user.target', 'vfio-bindd.service'),
                             ('multi-user.target', 'vfio-bind.target'),
                             ('sockets.target', 'libvirtd.socket'),
                             *(('multi-user.target', unit) for unit in OTHERS
                               if unit.endswith('.service'))):
            wants = directory / f'{target}.wants'
            wants.mkdir(exist_ok=True)
            (wants / unit).symlink_to(f'../{unit}')
        paths = {'SYSTEMD_UNIT_PATH': f'{directory}:/usr/lib/systemd/system:/lib/systemd/system'}
        result = run('verify', '--man=no', '--recursive-errors=no',
                     *[str(directory / unit) for unit in names], **paths)
        ours = [line for line in result.stderr.splitlines()
                if 'vfio-bind' in line or 'cycle' in line]
        require(result.returncode == 0 and not ours,
                f'systemd-analyze verify:\n{result.stderr}')
        result = run('verify', '--man=no', 'multi-user.target', **paths)
        require('cycle' not in result.stderr, f'at boot:\n{result.stderr}')
        for unit, exposure in EXPOSURE_MAX.items():
            result = run('security', '--offline=true', f'--threshold={exposure}', '--no-pager',
                         str(directory / unit), **paths)
            require(result.returncode == 0,
                    f'systemd-analyze security:\n{result.stdout}{result.stderr}')


main()
