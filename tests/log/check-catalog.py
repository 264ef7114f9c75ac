#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every MESSAGE_ID of message-ids.h has a catalog entry with something to read in it, every entry
has its ID there, no ID stands twice, and every ID is used by the sources."""
import pathlib
import re
import sys

header, catalog, sources = (pathlib.Path(argument) for argument in sys.argv[1:4])

defined = re.findall(r'^#define (MESSAGE_\w+)\s+"([0-9a-f]{32})"$', header.read_text(), re.M)
if len(defined) != len(re.findall(r'^#define', header.read_text(), re.M)) or not defined:
    sys.exit(f'{header}: a #define is not an ID of 32 hexadecimal digits')
ids = [value for _, value in defined]
if len(set(ids)) != len(ids):
    sys.exit(f'{header}: an ID stands twice')

entries = {}
for part in re.split(r'^-- ', catalog.read_text(), flags=re.M)[1:]:
    message_id, _, text = part.partition('\n')
    head, _, body = text.partition('\n\n')
    if message_id in entries:
        sys.exit(f'{catalog}: {message_id} stands twice')
    if not re.search(r'^Subject: \S', head, re.M) or len(body.strip()) < 60:
        sys.exit(f'{catalog}: {message_id} has no subject or no explanation')
    if unknown := set(re.findall(r'@(\w+)@', text)) - {
            f'VFIO_BIND_{name}' for name in ('DEVICE', 'GROUP', 'CLAIM', 'REASON', 'FROM', 'TO')}:
        sys.exit(f'{catalog}: {message_id} names fields that no record has: {unknown}')
    entries[message_id] = body

if missing := set(ids) - entries.keys():
    sys.exit(f'{catalog}: no entry for {missing}')
if extra := entries.keys() - set(ids):
    sys.exit(f'{header}: no ID for {extra}')

text = ''.join(path.read_text() for path in sorted(sources.rglob('*.c')))
if unused := [name for name, _ in defined if not re.search(rf'\b{name}\b', text)]:
    sys.exit(f'{header}: not used by any source: {unused}')
