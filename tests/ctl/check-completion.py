#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check-completion.py PROGRAM FOLDER MACHINE: completion knows every verb and option of the program,
and, in a real bash (in zsh and fish their syntax, where they are installed), completes verbs,
options, values, claims and devices of a saved machine."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

program, folder, tree_program = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
FILES = ('vfio-bindctl', '_vfio-bindctl', 'vfio-bindctl.fish')
environment = {'PATH': os.environ['PATH'], 'LC_ALL': 'C.UTF-8',
               'DBUS_SYSTEM_BUS_ADDRESS': 'unix:path=/nonexistent'}
problems = []


def run(*arguments):
    return subprocess.run([program, *arguments], env=environment, check=True, text=True,
                          capture_output=True).stdout


def verbs():
    lines = run('--help').split('Options of all verbs')[0]
    return re.findall(r'^  ([a-z]+)', lines, re.M)


def check_words():
    options = set(re.findall(r'--([a-z-]+)', run('--help').split('Options of all verbs', 1)[1]))
    for verb in verbs():
        options |= set(re.findall(r'^  --([a-z-]+)', run(verb, '--help'), re.M))
    for name in FILES:
        text = (folder / name).read_text()
        words = set(re.findall(r'[a-z-]+', text))
        for verb in verbs():
            if verb not in words:
                problems.append(f'{name} does not know the verb {verb}')
        for option in options:
            if f'--{option}' not in words and f'-l {option}' not in text:
                problems.append(f'{name} does not know --{option}')


def check_syntax(shell, name):
    if shutil.which(shell) and subprocess.run([shell, '-n', folder / name]).returncode != 0:
        problems.append(f'{shell} does not understand {name}')


def complete(path, line):
    """What readline is given for this line."""
    script = f'''
        source {folder}/vfio-bindctl
        COMP_LINE=$1 COMP_POINT=${{#1}}
        _vfio_bindctl
        printf '%s\\n' "${{COMPREPLY[@]}}"'''
    result = subprocess.run(['bash', '--norc', '-c', script, 'bash', line], text=True,
                            capture_output=True, check=True,
                            env=environment | {'PATH': f'{path}:{environment["PATH"]}'})
    if result.stderr:
        problems.append(f'{line!r}: {result.stderr}')
    return result.stdout.split()


def expect(path, line, *words):
    found = complete(path, line)
    if sorted(found) != sorted(words):
        problems.append(f'{line!r} is completed by {found}, not {list(words)}')


def check_bash(path):
    missing = set(verbs()) - set(complete(path, 'vfio-bindctl '))
    if missing:
        problems.append(f'not completed: {missing}')
    expect(path, 'vfio-bindctl re', 'release')
    expect(path, 'vfio-bindctl -q exp', 'explain', 'export')
    expect(path, 'vfio-bindctl wait --fo', '--for=')
    expect(path, 'vfio-bindctl wait --for=re', 'released')
    expect(path, 'vfio-bindctl --json=p', 'pretty')
    expect(path, 'vfio-bindctl apply ', 'gpu', 'nic')
    expect(path, 'vfio-bindctl wait gpu n', 'nic')
    expect(path, 'vfio-bindctl status 0000:0', '01:00.0', '02:00.0')
    expect(path, 'vfio-bindctl status 0000:01:', '00.0')
    expect(path, 'vfio-bindctl release ', 'gpu', 'nic', '0000:01:00.0', '0000:02:00.0')
    expect(path, 'vfio-bindctl suggest ')
    expect(path, 'vfio-bindctl suggest mine 0000:02', '02:00.0')
    expect(path, 'vfio-bindctl list --next')
    expect(path, 'vfio-bindctl plan --next', '--next-boot')


def main():
    check_words()
    check_syntax('bash', FILES[0])
    check_syntax('zsh', FILES[1])
    check_syntax('fish', FILES[2])
    with tempfile.TemporaryDirectory() as path:
        tree = subprocess.run([tree_program], check=True, text=True,
                              capture_output=True).stdout.strip()
        try:
            stub = pathlib.Path(path) / 'vfio-bindctl'
            stub.write_text(f'#!/bin/sh\nexec {program} --root={tree} "$@"\n')
            stub.chmod(0o755)
            check_bash(path)
        finally:
            shutil.rmtree(tree)
    sys.exit('\n'.join(problems) or 0)


main()
