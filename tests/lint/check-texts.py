#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What people are told to do can be done: every "vfio-bindctl VERB" in a text that is shipped or
logged is a verb of vfio-bindctl, every manual page of ours that a text names is there, and what
plays register is not Ansible's."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
FOLDERS = ('conf', 'units', 'udev-rules', 'src/bus', 'src/daemon', 'src/log', 'src/stage')
files = [path for folder in FOLDERS for path in sorted((root / folder).rglob('*'))
         if path.is_file()]
files += [*(root / 'src').glob('main-*.c'), *(root / 'docs').glob('*.md'), root / 'README.md']

verbs = {verb for path in (root / 'src/ctl').glob('verb-*.c')
         for verb in re.findall(r'\.name = "([a-z-]+)",$', path.read_text(), re.M)}
pages = {path.name for path in (root / 'man').glob('*.[1-8]*')}
if 'list' not in verbs:
    sys.exit('the verbs of vfio-bindctl cannot be found')

problems = []
for path in files:
    text = path.read_text()
    for match in re.finditer(r'vfio-bindctl ([a-z][a-z-]*)|\b([\w.-]*vfio-?bind[\w.]*|'
                             r'org\.vfio\.Bind1)\((\d)\)', text, re.I):
        line = f'{path.relative_to(root)}:{text.count(chr(10), 0, match.start()) + 1}'
        if match[1] and match[1] not in verbs:
            problems.append(f'{line}: vfio-bindctl has no verb "{match[1]}"')
        if match[2] and f'{match[2]}.{match[3]}' not in pages:
            problems.append(f'{line}: there is no page {match[2]}({match[3]})')

# Names of Ansible's own that a play must not overwrite (ansible-config, "reserved names").
RESERVED = {'groups', 'hostvars', 'group_names', 'inventory_hostname', 'environment', 'vars', 'tags',
            'hosts', 'register', 'when', 'loop', 'notify', 'name', 'play_hosts', 'role_names'}
for path in (root / 'docs').glob('*.md'):
    for name in re.findall(r'^\s*register: (\w+)', path.read_text(), re.M):
        if name in RESERVED:
            problems.append(f'{path.relative_to(root)}: Ansible keeps the name "{name}" to itself')
sys.exit('\n'.join(problems) or 0)
