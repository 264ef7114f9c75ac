#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check-completion.py PROGRAM FOLDER MACHINE: completion knows every verb and option of the program,
and completes verbs, options, values, claims and devices of a saved machine in a real bash, and in
a real zsh and fish where they are installed."""
import os
import pathlib
import pty
import re
import select
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
    lines = run('--help').split('Common options')[0]
    return re.findall(r'^  ([a-z]+)', lines, re.M)


def check_words():
    options = set(re.findall(r'--([a-z-]+)', run('--help').split('Common options', 1)[1]))
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


# Lines, and the words that the last one may become.
CASES = (
    ('re', 'release'),
    ('-q exp', 'explain', 'export'),
    ('wait --fo', '--for='),
    ('wait --for=re', '--for=released'),
    ('--json=p', '--json=pretty'),
    ('apply ', 'gpu', 'nic'),
    ('wait gpu n', 'nic'),
    ('status 0000:0', '0000:01:00.0', '0000:02:00.0'),
    ('status 0000:01:', '0000:01:00.0'),
    ('release ', 'gpu', 'nic', '0000:01:00.0', '0000:02:00.0'),
    ('suggest ',),
    ('suggest mine 0000:02', '0000:02:00.0'),
    ('list --next',),
    ('plan --next', '--next-boot'),
    ('import dr', 'driverctl'),
    ('export s', 'sriov-network-device-plugin'),
    ('export qemu n', 'nic'),
    ('export qemu ', 'gpu', 'nic'),
    ('import one-deploy {path}/inv', '{path}/inventory.yml'),
    ('check {path}/inv', '{path}/inventory.yml'),
)


def complete_bash(path, lines):
    """What readline is given: it begins a word after ":" and "=", and replaces what follows."""
    script = f"""
        source {folder}/vfio-bindctl
        for line; do
            COMP_LINE=$line COMP_POINT=${{#line}} COMPREPLY=()
            _vfio_bindctl
            printf '%s ' "${{COMPREPLY[@]}}"
            echo
        done"""
    return run_shell(path, ['bash', '--norc', '-c', script, 'bash', *lines])


def complete_fish(path, lines):
    script = f"""
        source {folder}/vfio-bindctl.fish
        for line in $argv
            set words (complete -C $line | string replace -r '\\t.*' '')
            echo $words
        end"""
    return run_shell(path, ['fish', '--no-config', '-c', script, *lines])


def run_shell(path, command):
    """One line of output for each line that is to be completed."""
    return [line.split() for line in run_command(path, command).splitlines()]


def run_command(path, command):
    result = subprocess.run(command, text=True, capture_output=True, check=True,
                            env=environment | {'PATH': f'{path}:{environment["PATH"]}',
                                               'HOME': path})
    if result.stderr:
        problems.append(f'{command[0]}: {result.stderr}')
    return result.stdout


# Completion needs a line editor, so this zsh has a terminal. A key writes down what the completion
# function offers for the line before it; calls that only ask what would fit offer nothing.
ZSHRC = """
fpath=({folder} $fpath)
autoload -Uz compinit && compinit -u -D
PS1=
capture() {{
    compadd() {{
        local -a words
        local option
        for option; do
            [[ $option == (-|--) ]] && break
            [[ $option == -[OAD] ]] && {{ builtin compadd "$@"; return }}
        done
        builtin compadd -A words "$@"
        print -rn -- "$words " >&$answers
        builtin compadd "$@"
    }}
    _main_complete
    unfunction compadd
    print -r >&$answers
}}
exec {{answers}}>{answers}
zle -C capture list-choices capture
bindkey '^T' capture
bindkey '^U' kill-whole-line
"""


def complete_zsh(path, lines):
    answers = f'{path}/answers'
    os.mkfifo(answers)
    pathlib.Path(path, '.zshrc').write_text(ZSHRC.format(folder=folder, answers=answers))
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe('zsh', ['zsh', '-d', '-i'],
                   environment | {'PATH': f'{path}:{environment["PATH"]}', 'ZDOTDIR': path,
                                  'HOME': path, 'TERM': 'dumb'})
    found = []
    with open(answers, encoding='utf-8') as stream:
        for line in lines:
            os.write(terminal, b'\x15' + line.encode() + b'\x14')
            found.append(read_answer(stream, terminal).split())
    os.write(terminal, b'\x15exit\n')
    drain(terminal)
    os.waitpid(pid, 0)
    return found


def read_answer(stream, terminal):
    """A line; what the terminal shows meanwhile is not looked at, but has to go."""
    while True:
        ready, _, _ = select.select([stream, terminal], [], [])
        if terminal in ready and not os.read(terminal, 4096):
            sys.exit('zsh has ended')
        if stream in ready:
            return stream.readline()


def drain(terminal):
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:  # the other end is closed
        pass


def check_descriptions(path):
    """Those who complete a device are told its group and driver, where a shell can show it."""
    if shutil.which('fish'):
        script = f"source {folder}/vfio-bindctl.fish; complete -C 'vfio-bindctl status 0000:01:'"
        if (found := run_command(path, ['fish', '--no-config', '-c', script])) != (
                '0000:01:00.0\tgroup 14, vfio-pci\n'):
            problems.append(f'fish describes a device as {found!r}')
    if shutil.which('zsh'):
        script = f"""
            _arguments() {{ }}
            . {folder}/_vfio-bindctl
            _describe() {{ print -rl -- ${{(P)4}} }}
            _vfio_bindctl_devices"""
        if (found := run_command(path, ['zsh', '-f', '-c', script]).split('\n')[0]) != (
                '0000\\:01\\:00.0:group 14, vfio-pci'):
            problems.append(f'zsh describes a device as {found!r}')


def tail(word):
    """Of a word, what stands behind the last character that a shell may begin a word at."""
    return re.split('[:=/]', word.rstrip('='))[-1]


def check_shell(path, shell, complete):
    if not shutil.which(shell):
        print(f'{shell} is not installed')
        return
    lines = ['vfio-bindctl ', *(f'vfio-bindctl {line}'.format(path=path) for line, *_ in CASES)]
    every, *found = complete(path, lines)
    if missing := set(verbs()) - set(every):
        problems.append(f'{shell}: not completed: {missing}')
    for (line, *words), answer in zip(CASES, found, strict=True):
        if sorted(map(tail, answer)) != sorted(map(tail, words)):
            problems.append(f'{shell}: {line!r} is completed by {answer}, not {words}')


def check_file_names(path):
    """What stands in the name of a file is not executed, and blanks do not cut it."""
    folder_of_files = pathlib.Path(path, 'files')
    folder_of_files.mkdir()
    for name in ('x$(cd;touch pwned)', 'y`cd;touch pwned`', 'z b.conf'):
        (folder_of_files / name).touch()
        lines = [f'vfio-bindctl {line}{folder_of_files}/{name[0]}' for line in (
            'check ', 'import libvirt ', 'plan --config=', 'check --as=', 'snapshot --output=')]
        for line, answer in zip(lines, complete_bash(path, lines), strict=True):
            if not ' '.join(answer).endswith(f'/{name}'):
                problems.append(f'bash: {line!r} is completed by {answer}, not {name!r}')
    if pathlib.Path(path, 'pwned').exists():
        problems.append('bash executed the name of a file')


def main():
    check_words()
    with tempfile.TemporaryDirectory() as path:
        tree = subprocess.run([tree_program], check=True, text=True,
                              capture_output=True).stdout.strip()
        try:
            stub = pathlib.Path(path) / 'vfio-bindctl'
            stub.write_text(f'#!/bin/sh\nexec {program} --root={tree} "$@"\n')
            stub.chmod(0o755)
            pathlib.Path(path, 'inventory.yml').touch()
            check_shell(path, 'bash', complete_bash)
            check_file_names(path)
            check_shell(path, 'zsh', complete_zsh)
            check_shell(path, 'fish', complete_fish)
            check_descriptions(path)
        finally:
            shutil.rmtree(tree)
    sys.exit('\n'.join(problems) or 0)


main()
