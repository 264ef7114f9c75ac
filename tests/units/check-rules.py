#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The udev rules: what udev itself says of them where it can (`udevadm verify`, systemd 254), and
what must hold whatever it says: nothing is executed before the switch was tested, jumps go forward
to labels that exist, and no rule sets owner, group or mode."""
import pathlib
import re
import shutil
import subprocess
import sys

rules = pathlib.Path(sys.argv[1])
lines = [line for line in rules.read_text().splitlines() if line and not line.startswith('#')]


def require(condition: bool, message: str) -> None:
    if not condition:
        sys.exit(f'{rules}: {message}')


def verify() -> None:
    udevadm = shutil.which('udevadm')
    if not udevadm:
        return
    usage = subprocess.run([udevadm, '--help'], capture_output=True, text=True)
    if ' verify' not in usage.stdout:
        return
    result = subprocess.run([udevadm, 'verify', str(rules)], capture_output=True, text=True)
    require(result.returncode == 0, f'udevadm verify:\n{result.stdout}{result.stderr}')


labels = {match[1]: number for number, line in enumerate(lines)
          if (match := re.fullmatch(r'LABEL="(\w+)"', line))}
for number, line in enumerate(lines):
    require(line.count('"') % 2 == 0 and re.fullmatch(
        r'([A-Z]+(\{[^}]*\})?(==|!=|\+=|-=|:=|=)"[^"]*"(, |$))+', line), f'not a rule: {line}')
    for target in re.findall(r'GOTO="(\w+)"', line):
        require(labels.get(target, -1) > number, f'no label after it: {line}')
    require(not re.search(r'\b(OWNER|GROUP|MODE)\s*[:+]?=', line), f'sets a node: {line}')

switch = labels['vfio_bindd_on']
executing = [number for number, line in enumerate(lines) if re.search(r'\{program\}|RUN|PROGRAM', line)]
require(executing and min(executing) > switch, 'something is executed before the switch')
require('GOTO="vfio_bindd_end"' == lines[switch - 1], 'the switch can be fallen through')
synthetic = next(number for number, line in enumerate(lines)
                 if line == 'ENV{SYNTH_UUID}=="?*", GOTO="vfio_bindd_end"')
for number in executing:
    if labels['vfio_bindd_pci'] < number < labels['vfio_bindd_node']:
        require(number > synthetic or 'ACTION=="remove"' in lines[number],
                f'executed on coldplug: {lines[number]}')
for number, line in enumerate(lines):
    if number in executing:
        require('vfio-bindd-helper udev"' in line, f'executes something else: {line}')
verify()
