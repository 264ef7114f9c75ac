/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/snapshot.h"
#include "lib/fake-sysfs.h"

/* A small machine for tests of the guard: two NVMe drives (01:00.0 behind a port, with a partition;
 * 02:00.0), two network cards (03:00.0 eno1, 04:00.0 eno2) and a RAID controller with sda
 * (05:00.0). Nothing is in use. */
#define GUARD_MACHINE                                                                              \
        "0000:00:1c.0 class=060400 bridge driver=pcieport\n"                                       \
        "0000:01:00.0 parent=0000:00:1c.0 class=010802 driver=nvme\n"                              \
        "0000:02:00.0 class=010802 driver=nvme\n"                                                  \
        "0000:03:00.0 class=020000 driver=igb net=eno1\n"                                          \
        "0000:04:00.0 class=020000 driver=igb net=eno2\n"                                          \
        "0000:05:00.0 class=010700 driver=mpt3sas\n"                                               \
        "block nvme0n1 259:0 @0000:01:00.0/nvme/nvme0/nvme0n1\n"                                   \
        "block nvme0n1p1 259:1 @0000:01:00.0/nvme/nvme0/nvme0n1/nvme0n1p1\n"                       \
        "file @0000:01:00.0/nvme/nvme0/nvme0n1/nvme0n1p1/partition 1\n"                            \
        "block nvme1n1 259:2 @0000:02:00.0/nvme/nvme1/nvme1n1\n"                                   \
        "block sda 8:0 @0000:05:00.0/host0/target0:0:0/0:0:0:0/block/sda\n"                        \
        "file proc/self/mountinfo 21 1 0:20 / /proc rw - proc proc rw\n"                           \
        "file proc/swaps Filename\\tType\\tSize\\tUsed\\tPriority\n"                               \
        "file proc/net/route Iface\\tDestination\n"                                                \
        "file proc/net/ipv6_route\n"

/* What the guard finds; the caller frees it. */
Snapshot *guard_machine_scan(const FakeSysfs *fake);
const Device *guard_machine_find(const Snapshot *snapshot, const char *address);

/* With these lines added, these functions are in use so (their first note says it), in order, and
 * no other. */
void assert_in_use(const char *lines, InUse use, const char *addresses);
/* The first note of a function. */
void assert_note(const char *lines, const char *address, const char *what, const char *remedy);
