/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* A machine's tree in a temporary directory, made from a few lines of text. Whatever goes wrong
 * aborts the test. The tree does not react to writes; the fake kernel of exec's tests does.
 *
 * Lines (words are separated by blanks, "#" begins a comment line):
 *   0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5
 *   0000:01:00.0 parent=0000:00:1c.0 id=10de:2482 class=030000 subsystem=1043:8769 group=14
 * A function without parent= is on a root bus; a parent of another domain is its host bridge.
 *   driver=NAME     bound to NAME
 *   override=NAME   driver_override; default "(null)"
 *   no-override     without the driver_override file
 *   group=N         IOMMU group; noiommu makes it one of VFIO's own
 *   slot=NAME       physical slot
 *   bridge          header type 1
 *   vfs=N           a PF: sriov_totalvfs; offset=N stride=N vf-device=hhhh autoprobe=0|1
 *   pf=ADDRESS vf=N a VF of it, with both links; without vf= only physfn
 *   net=NAME        network interface below it
 *   serial=HEX16    configuration space of 4096 bytes with this device serial number
 *   config=N        configuration space of N bytes without a serial number
 *   suspended       power/runtime_status
 *   revision=hh numa=N boot-vga=0|1 reset=METHOD[,METHOD] power=TEXT vfio-dev=N
 * Other lines; a path may begin with "@ADDRESS", the directory of that function:
 *   driver NAME             an empty driver with bind, unbind
 *   block NAME M:m PATH     a block device whose sysfs directory is PATH
 *   slave UPPER LOWER       of block devices
 *   net NAME PATH           a network interface whose sysfs directory is PATH
 *   lower UPPER LOWER       of network interfaces
 *   dir PATH | file PATH TEXT | link PATH TARGET | symlink PATH REST OF THE LINE, AS IT IS
 * TEXT is the rest of the line; "\n", "\t", "\0" and "\\" are understood, and a newline is added.
 * TARGET is a path from the root of the tree; the link is relative. */
typedef struct FakeSysfs {
        char *root; /* absolute path */
        int fd;
} FakeSysfs;

/* With /sys/bus/pci, /proc and /run. Made on /dev/shm if that is there. */
FakeSysfs *fake_sysfs_new(void);
/* Removes the tree. */
FakeSysfs *fake_sysfs_free(FakeSysfs *fake);
DEFINE_CLEANUP(FakeSysfs, fake_sysfs_free)
#define _cleanup_fake_sysfs_ _cleanup_(fake_sysfs_freep)

void fake_sysfs_add(FakeSysfs *fake, const char *text);

/* The directory of a function from the root, "sys/devices/pci0000:00/0000:00:1c.0"; the caller
 * frees it. */
char *fake_sysfs_directory(FakeSysfs *fake, const char *address);
uint64_t fake_sysfs_inode(FakeSysfs *fake, const char *address);

/* Any file, with the directories above it. No newline is added. */
void fake_sysfs_write(FakeSysfs *fake, const char *path, const char *text);
void fake_sysfs_write_data(FakeSysfs *fake, const char *path, const void *data, size_t length);
/* The content, which the caller frees; NULL: no such file. */
char *fake_sysfs_read(FakeSysfs *fake, const char *path);
void fake_sysfs_link(FakeSysfs *fake, const char *path, const char *target);
/* The target of a link as written, which the caller frees; NULL: no such link. */
char *fake_sysfs_read_link(FakeSysfs *fake, const char *path);
/* A file, link, or directory with all below it; none is fine. */
void fake_sysfs_remove(FakeSysfs *fake, const char *path);
