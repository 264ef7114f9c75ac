#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the journal that test-journal.c reads: make-journal.py FILE. As journald writes it (see
"Journal File Format" of systemd), without compression and keyed hashes, and with hash tables that
are small. "journalctl --verify --file=FILE" finds nothing wrong with it, "-o export" prints it."""
import struct
import sys

FIRST_USEC = 1790000000000000
BOOT = bytes(15) + b'\1'
IDENTIFIER = bytes.fromhex('675a4d0005be47c3a16ef323fc31e406')
GPU, AUDIO = b'VFIO_BIND_DEVICE=0000:01:00.0', b'VFIO_BIND_DEVICE=0000:01:00.1'
ROOT, USER = b'_UID=0', b'_UID=1000'
ENTRIES = [
    [b'MESSAGE=one', b'PRIORITY=6', GPU, b'SYSLOG_IDENTIFIER=vfio-bindd', ROOT],
    [b'MESSAGE=of another function', b'PRIORITY=3', AUDIO, ROOT],
    [GPU, b'PRIORITY=3', b'MESSAGE=two', ROOT],
    [b'PRIORITY=3', b'MESSAGE=of nothing', ROOT],
    [GPU, b'MESSAGE=without a priority', ROOT],
    [GPU, b'MESSAGE=with a bad priority', b'PRIORITY=8', ROOT],
    [GPU, b'PRIORITY=5', ROOT],
    [GPU, b'MESSAGE=of\ntwo lines', b'PRIORITY=4', ROOT],
    [b'MESSAGE=last', b'PRIORITY=5', GPU, ROOT],
    # what anybody can write, but for the last field, which is journald's own word
    [b'MESSAGE=forged', b'PRIORITY=5', GPU, b'SYSLOG_IDENTIFIER=vfio-bindd', USER],
]
DATA, FIELD, ENTRY, DATA_TABLE, FIELD_TABLE, ENTRY_ARRAY = range(1, 7)
HEADER_SIZE, N_BUCKETS, MASK = 264, 31, 0xffffffff


def rotate(value, bits):
    return (value << bits | value >> (32 - bits)) & MASK


def jenkins(data):
    """hashlittle2() of lookup3.c"""
    a = b = c = 0xdeadbeef + len(data) & MASK
    while len(data) > 12:
        x, y, z = struct.unpack('<III', data[:12])
        a, b, c = a + x & MASK, b + y & MASK, c + z & MASK
        a = (a - c & MASK) ^ rotate(c, 4)
        c = c + b & MASK
        b = (b - a & MASK) ^ rotate(a, 6)
        a = a + c & MASK
        c = (c - b & MASK) ^ rotate(b, 8)
        b = b + a & MASK
        a = (a - c & MASK) ^ rotate(c, 16)
        c = c + b & MASK
        b = (b - a & MASK) ^ rotate(a, 19)
        a = a + c & MASK
        c = (c - b & MASK) ^ rotate(b, 4)
        b = b + a & MASK
        data = data[12:]
    if data:
        x, y, z = struct.unpack('<III', data.ljust(12, b'\0'))
        a, b, c = a + x & MASK, b + y & MASK, c + z & MASK
        for to, by, bits in ('cb', 'b', 14), ('ac', 'c', 11), ('ba', 'a', 25), ('cb', 'b', 16), \
                            ('ac', 'c', 4), ('ba', 'a', 14), ('cb', 'b', 24):
            values = {'a': a, 'b': b, 'c': c}
            target = to[0]
            values[target] = ((values[target] ^ values[by]) - rotate(values[by], bits)) & MASK
            a, b, c = values['a'], values['b'], values['c']
    return c << 32 | b


class Journal:
    def __init__(self):
        self.bytes = bytearray(HEADER_SIZE)
        self.n = dict.fromkeys(range(1, 7), 0)
        self.tail = 0
        self.entries = []
        self.tables = {DATA: self.add(DATA_TABLE, bytes(16 * N_BUCKETS)),
                       FIELD: self.add(FIELD_TABLE, bytes(16 * N_BUCKETS))}
        self.offsets = {DATA: {}, FIELD: {}}
        self.users = {}

    def add(self, kind, contents):
        self.bytes += bytes(-len(self.bytes) % 8)
        self.tail = len(self.bytes)
        self.n[kind] += 1
        self.bytes += struct.pack('<B7xQ', kind, 16 + len(contents)) + contents
        return self.tail

    def get(self, offset):
        return struct.unpack_from('<Q', self.bytes, offset)[0]

    def put(self, offset, *numbers):
        struct.pack_into(f'<{len(numbers)}Q', self.bytes, offset, *numbers)

    def add_hashed(self, kind, payload, rest):
        if payload in self.offsets[kind]:
            return self.offsets[kind][payload]
        value = jenkins(payload)
        bucket = self.tables[kind] + 16 + 16 * (value % N_BUCKETS)
        offset = self.add(kind, struct.pack('<QQ', value, 0) + bytes(8 * rest) + payload)
        if self.get(bucket):
            self.put(self.get(bucket + 8) + 24, offset)
        else:
            self.put(bucket, offset)
        self.put(bucket + 8, offset)
        self.offsets[kind][payload] = offset
        return offset

    def add_data(self, payload):
        is_new = payload not in self.offsets[DATA]
        data = self.add_hashed(DATA, payload, 4)
        if is_new:
            field = self.add_hashed(FIELD, payload.split(b'=')[0], 1)
            self.put(data + 32, self.get(field + 32))
            self.put(field + 32, data)
        return data

    def add_entry(self, fields):
        items = sorted(self.add_data(field) for field in [b'_BOOT_ID=' + BOOT.hex().encode(),
                                                          *fields])
        together, seconds = 0, len(self.entries) * 1000000
        for item in items:
            together ^= self.get(item + 16)
        entry = self.add(ENTRY, struct.pack('<QQQ16sQ', len(self.entries) + 1,
                                            FIRST_USEC + seconds, 5 + seconds, BOOT, together) +
                         b''.join(struct.pack('<QQ', item, self.get(item + 16))
                                  for item in items))
        self.entries.append(entry)
        for item in items:
            self.users.setdefault(item, []).append(entry)

    def add_array(self, entries):
        return self.add(ENTRY_ARRAY, struct.pack(f'<{len(entries) + 1}Q', 0, *entries))

    def finish(self):
        for data, entries in self.users.items():
            self.put(data + 40, entries[0], 0, len(entries))
            if len(entries) > 1:
                self.put(data + 48, self.add_array(entries[1:]))
        array = self.add_array(self.entries)
        self.bytes += bytes(-len(self.bytes) % 8)
        last = (len(self.entries) - 1) * 1000000
        struct.pack_into(
            '<8sIIB7x16s16s16s16s', self.bytes, 0, b'LPKSHHRH', 0, 0, 0, IDENTIFIER,
            BOOT, BOOT, IDENTIFIER)
        self.put(88, HEADER_SIZE, len(self.bytes) - HEADER_SIZE,
                 self.tables[DATA] + 16, 16 * N_BUCKETS, self.tables[FIELD] + 16, 16 * N_BUCKETS,
                 self.tail, sum(self.n.values()), len(self.entries), len(self.entries), 1, array,
                 FIRST_USEC, FIRST_USEC + last, 5 + last, self.n[DATA], self.n[FIELD], 0,
                 self.n[ENTRY_ARRAY], N_BUCKETS, N_BUCKETS)
        struct.pack_into('<II', self.bytes, 256, array, len(self.entries))
        return self.bytes


if __name__ == '__main__':
    journal = Journal()
    for fields in ENTRIES:
        journal.add_entry(fields)
    with open(sys.argv[1], 'wb') as file:
        file.write(journal.finish())
