/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host/guard-internal.h"
#include "host/holders.h"
#include "host/scan-internal.h"
#include "host/threads.h"
#include "util/array.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

/* One pass over all processes: mount namespaces that we do not see ourselves (system use), and
 * open device nodes (process use). Nothing of it opens a file of another process, nor waits for
 * its memory map or for the server of a network file system. */

#define PID_NUMBER_MAX  UINT64_C(4194304) /* kernel: PID_MAX_LIMIT */
#define NAMESPACES_MAX  65536
#define MOUNTS_TEXT_MAX (32U << 20) /* of all other namespaces together */
#define OPEN_FILES_MAX  (1U << 20)
#define NVIDIA_MAJOR    195 /* Documentation/admin-guide/devices.txt */
#define NVIDIA_GPUS     254 /* minors beyond are nodes of the driver itself */

typedef struct Pass {
        Guard *guard;
        uint64_t *namespaces;
        size_t n_namespaces;
        size_t mounts_length, n_files;
        bool has_nvidia, look_at_files;
        int error; /* why something was not seen, 0: all was */
} Pass;

typedef struct Process {
        uint32_t pid;
        int directory; /* in /proc */
        int thread;    /* of the thread that is looked at */
        bool is_described, is_udev;
        HolderProcess about;
} Process;

static void describe(const Pass *pass, Process *process)
{
        if (process->is_described)
                return;
        process->about.pid = process->pid;
        holders_describe(pass->guard->host, process->directory, &process->about);
        process->is_described = true;
        /* in an initramfs there are no control groups to tell it by */
        process->is_udev = process->about.unit[0] ?
                startswith(process->about.unit, "systemd-udevd") != NULL :
                startswith(process->about.command, "systemd-udevd") ||
                        startswith(process->about.command, "(udev-worker") ||
                        streq(process->about.command, "udevd");
}

/* What a process cannot be looked at for: that it is gone, or that we may not. */
static void take_error(Pass *pass, int error)
{
        if (error == EACCES || error == EPERM)
                pass->error = error;
}

/* "mnt:[4026531841]" */
static bool read_namespace(int directory, uint64_t *ret, int *ret_error)
{
        char target[64];

        *ret_error = 0;
        ssize_t n = readlinkat(directory, "ns/mnt", target, sizeof(target) - 1);
        if (n < 0) {
                *ret_error = errno;
                return false;
        }
        target[n] = '\0';
        char *number = (char *) startswith(target, "mnt:[");
        if (!number)
                return false;
        number[strcspn(number, "]")] = '\0';
        return parse_unsigned(number, UINT64_MAX, ret) == 0;
}

static int add_namespace(Pass *pass, uint64_t identifier, bool *ret_is_new)
{
        *ret_is_new = false;
        for (size_t i = pass->n_namespaces; i > 0; i--)
                if (pass->namespaces[i - 1] == identifier)
                        return 0;
        if (pass->n_namespaces == NAMESPACES_MAX) {
                pass->error = E2BIG;
                return 0;
        }
        int r = ARRAY_GROW(pass->namespaces, pass->n_namespaces);
        if (r < 0)
                return r;
        pass->namespaces[pass->n_namespaces++] = identifier;
        *ret_is_new = true;
        return 0;
}

static int read_mounts(Pass *pass, Process *process)
{
        _cleanup_free_ char *owner = NULL;
        size_t length = 0;

        describe(pass, process);
        int r = format_string(&owner, "process %" PRIu32 " (%s)", process->pid,
                process->about.command);
        if (r < 0)
                return r;
        pass->guard->namespace_owner = owner;
        r = guard_read_mounts(pass->guard, process->thread, "mountinfo", &length);
        pass->guard->namespace_owner = NULL;
        if (scan_error_is_fatal(r))
                return r;
        take_error(pass, -r);
        if (r == -EFBIG || (pass->mounts_length += length) > MOUNTS_TEXT_MAX)
                pass->error = EFBIG;
        return 0;
}

static int scan_namespace(Pass *pass, Process *process)
{
        uint64_t identifier;
        bool is_new;
        int error;

        if (!read_namespace(process->thread, &identifier, &error)) {
                take_error(pass, error);
                return 0;
        }
        if (pass->mounts_length > MOUNTS_TEXT_MAX)
                return 0;
        int r = add_namespace(pass, identifier, &is_new);
        return r < 0 || !is_new ? r : read_mounts(pass, process);
}

/* What nobody is to stop. */
static bool is_of_the_host(const Process *process)
{
        return process->pid == 1 || streq(process->about.unit, "systemd-logind.service") ||
                streq(process->about.unit, "init.scope");
}

static int make_note(Pass *pass, Process *process, const char *node, const char *how,
        char **ret_what, char **ret_remedy)
{
        _cleanup_free_ char *shown = NULL, *what = NULL;
        size_t n;

        describe(pass, process);
        int r = guard_printable(node, &shown);
        if (r == 0)
                r = format_string(&what, "%s is %s %s (process %" PRIu32 ")", shown, how,
                        process->about.command[0] ? process->about.command : "a program",
                        process->pid);
        if (r < 0)
                return r;
        n = strlen(process->about.unit);
        if (process->is_udev)
                r = format_string(ret_remedy, "Wait until udev has looked at it");
        else if (is_of_the_host(process))
                r = format_string(ret_remedy, "The host keeps it open, choose another device");
        else if (n > strlen(".service") && streq(process->about.unit + n - 8, ".service"))
                r = format_string(ret_remedy, "Stop %s", process->about.unit);
        else
                r = format_string(ret_remedy, "End that program");
        if (r == 0)
                *ret_what = TAKE_POINTER(what);
        return r;
}

static int note_node(Pass *pass, Process *process, GuardNode *node, const char *name,
        const char *how)
{
        _cleanup_free_ char *what = NULL, *remedy = NULL;
        _cleanup_string_list_ char **owners = NULL;

        node->is_open = true;
        int r = make_note(pass, process, name, how, &what, &remedy);
        if (r == 0)
                r = guard_node_owners(pass->guard, node->path, &owners);
        const UseNote note = {
                .use = IN_USE_PROCESS, .what = what, .remedy = remedy,
                .is_passing = process->is_udev,
        };
        for (char **owner = owners; r == 0 && *owner; owner++)
                r = guard_add_note_by_path(pass->guard, *owner, &note);
        return r;
}

/* /proc/driver/nvidia/gpus/0000:01:00.0/information: "Device Minor: \t 0" */
static bool has_nvidia_minor(const Guard *guard, const Device *device, unsigned minor_number)
{
        _cleanup_free_ char *text = NULL;
        char path[80];
        uint64_t number;

        (void) snprintf(path, sizeof(path), "proc/driver/nvidia/gpus/%s/information",
                PCI_ADDRESS_TEXT(&device->address));
        if (read_file_at(guard->host->root, path, 4096, &text, NULL) < 0)
                return true;
        char *line = strstr(text, "Device Minor:");
        if (!line)
                return true;
        line += strlen("Device Minor:");
        line[strcspn(line, "\n")] = '\0';
        return parse_unsigned(strip(line), UINT32_MAX, &number) < 0 || number == minor_number;
}

/* Its nodes are not in sysfs. */
static int note_nvidia(Pass *pass, Process *process, unsigned minor_number, const char *name,
        const char *how)
{
        Guard *guard = pass->guard;

        for (size_t i = 0; i < guard->snapshot->n_devices; i++) {
                Device *device = &guard->snapshot->devices[i];
                _cleanup_free_ char *what = NULL, *remedy = NULL;

                if (!streq_null(device->driver, "nvidia") ||
                    !has_nvidia_minor(guard, device, minor_number))
                        continue;
                int r = make_note(pass, process, name, how, &what, &remedy);
                const UseNote note = {.use = IN_USE_PROCESS, .what = what, .remedy = remedy};
                if (r == 0)
                        r = guard_add_note(device, &note);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool is_nvidia(bool is_block, unsigned major_number, unsigned minor_number)
{
        return !is_block && major_number == NVIDIA_MAJOR && minor_number < NVIDIA_GPUS;
}

bool guard_has_nvidia(const Guard *guard)
{
        for (size_t i = 0; i < guard->snapshot->n_devices; i++)
                if (streq_null(guard->snapshot->devices[i].driver, "nvidia"))
                        return true;
        return false;
}

int guard_note_mapped(Guard *guard, uint32_t pid, bool is_block, unsigned major_number,
        unsigned minor_number, const char *name)
{
        GuardNode *node = guard_find_node(guard, is_block, major_number, minor_number);
        Pass pass = { .guard = guard };
        char path[32];

        if (!node && !is_nvidia(is_block, major_number, minor_number))
                return 0;
        (void) snprintf(path, sizeof(path), "proc/%" PRIu32, pid);
        _cleanup_close_ int directory = openat(guard->host->root, path,
                O_PATH | O_DIRECTORY | O_CLOEXEC);
        Process process = { .pid = pid, .directory = directory, .is_described = directory < 0 };
        return node ? note_node(&pass, &process, node, name, "mapped by")
                    : note_nvidia(&pass, &process, minor_number, name, "mapped by");
}

/* A saved tree has names of nodes only. */
static GuardNode *find_node_by_name(const Guard *guard, const char *target)
{
        if (!startswith(target, "/dev/"))
                return NULL;
        for (size_t i = 0; i < guard->n_nodes; i++)
                if (streq(guard_name(guard->nodes[i].path), guard_name(target)))
                        return &guard->nodes[i];
        return NULL;
}

static int look_at_name(Pass *pass, Process *process, const char *descriptor, const char *target)
{
        GuardNode *node = find_node_by_name(pass->guard, target);
        const char *digits = startswith(target, "/dev/nvidia");
        uint64_t number;

        if (!node && (!digits || parse_unsigned(digits, NVIDIA_GPUS - 1, &number) < 0))
                return 0;
        if (!host_descriptor_is_usable(process->thread, descriptor))
                return 0;
        return node ? note_node(pass, process, node, target, "open in")
                    : note_nvidia(pass, process, (unsigned) number, target, "open in");
}

static int look_at_node(Pass *pass, Process *process, int files, const char *descriptor,
        const char *target)
{
        const Guard *guard = pass->guard;
        struct statx status;

        if (!guard->host->is_live)
                return look_at_name(pass, process, descriptor, target);
        if (statx(files, descriptor, AT_STATX_DONT_SYNC, STATX_TYPE, &status) < 0 ||
            (!S_ISCHR(status.stx_mode) && !S_ISBLK(status.stx_mode)))
                return 0;
        GuardNode *node = guard_find_node(guard, S_ISBLK(status.stx_mode), status.stx_rdev_major,
                status.stx_rdev_minor);
        bool is_gpu = pass->has_nvidia && S_ISCHR(status.stx_mode) &&
                is_nvidia(false, status.stx_rdev_major, status.stx_rdev_minor);
        if ((!node && !is_gpu) ||
            !host_descriptor_is_usable(process->thread, descriptor))
                return 0;
        return node ? note_node(pass, process, node, target, "open in")
                    : note_nvidia(pass, process, status.stx_rdev_minor, target,
                              "open in");
}

/* Sockets, pipes and memory have no path; of what has one, only what cannot be a device for sure
 * is left out before it is looked at. */
static int scan_file(Pass *pass, Process *process, int files, const char *descriptor)
{
        char target[PATH_MAX];

        ssize_t n = readlinkat(files, descriptor, target, sizeof(target) - 1);
        if (n <= 0 || target[0] != '/')
                return 0;
        target[n] = '\0';
        if (startswith(target, "/memfd:") || streq(target, "/dev/null"))
                return 0;
        if (!startswith(target, "/dev/") &&
            guard_is_network_mount(pass->guard, process->thread, descriptor))
                return 0;
        return look_at_node(pass, process, files, descriptor, target);
}

static int scan_files(Pass *pass, Process *process)
{
        _cleanup_directory_ DIR *directory = NULL;
        const struct dirent *entry;

        int r = host_open_directory(process->thread, "fd", &directory);
        if (r < 0) {
                take_error(pass, -r);
                return scan_error_is_fatal(r) ? r : 0;
        }
        while ((entry = readdir(directory))) {
                if (entry->d_name[0] == '.')
                        continue;
                if (++pass->n_files > OPEN_FILES_MAX) {
                        pass->error = E2BIG;
                        return 0;
                }
                r = scan_file(pass, process, dirfd(directory), entry->d_name);
                if (r < 0)
                        return r;
        }
        return 0;
}

typedef struct ThreadScan {
        Pass *pass;
        Process process;
} ThreadScan;

static int scan_thread(int thread, unsigned parts, void *userdata)
{
        ThreadScan *scan = userdata;
        int r = 0;

        scan->process.thread = thread;
        if (parts & THREAD_FILE_SYSTEM)
                r = scan_namespace(scan->pass, &scan->process);
        if (r == 0 && parts & THREAD_FILES && scan->pass->look_at_files)
                r = scan_files(scan->pass, &scan->process);
        return r;
}

static int scan_process(Pass *pass, int processes, const char *name)
{
        uint64_t pid;

        if (parse_unsigned(name, PID_NUMBER_MAX, &pid) < 0)
                return 0;
        _cleanup_close_ int directory = openat(processes, name,
                O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return scan_error_is_fatal(-errno) ? -errno : 0;
        ThreadScan scan = {
                .pass = pass, .process = {.pid = (uint32_t) pid, .directory = directory},
        };
        int r = threads_show(pass->guard->host, directory, scan.process.pid, scan_thread, &scan);
        /* One that has ended waits for its parent only. */
        return scan_error_is_fatal(r) ? r : 0;
}

/* What the first process and we see is read already. */
static int take_own_namespaces(Pass *pass, int processes)
{
        static const char *const names[] = {"1", "self"};
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(names); i++) {
                _cleanup_close_ int directory = openat(processes, names[i],
                        O_PATH | O_DIRECTORY | O_CLOEXEC);
                uint64_t identifier;
                bool is_new;
                int error;

                if (directory >= 0 && read_namespace(directory, &identifier, &error))
                        r = add_namespace(pass, identifier, &is_new);
        }
        return r;
}

static int add_blind(Guard *guard, int error)
{
        _cleanup_free_ char *what = NULL;

        int r = format_string(&what,
                "the open files and mounts of other programs cannot be seen (%s)",
                strerror(error));
        return r < 0 ? r : guard_add_blind(guard, GUARD_NODES, what,
                                   error == EACCES || error == EPERM ?
                                           "Ask as root" : "End programs that are not needed");
}

static int scan_all(Pass *pass)
{
        _cleanup_directory_ DIR *directory = NULL;
        const struct dirent *entry;

        int r = host_open_directory(pass->guard->host->root, "proc", &directory);
        if (r < 0) {
                pass->error = -r;
                return scan_error_is_fatal(r) ? r : 0;
        }
        r = take_own_namespaces(pass, dirfd(directory));
        while (r == 0 && (entry = readdir(directory)))
                r = scan_process(pass, dirfd(directory), entry->d_name);
        return r;
}

int guard_scan_processes(Guard *guard)
{
        Pass pass = {.guard = guard};

        pass.has_nvidia = guard_has_nvidia(guard);
        pass.look_at_files = guard->n_nodes > 0 || pass.has_nvidia;
        int r = scan_all(&pass);
        free(pass.namespaces);
        return r == 0 && pass.error > 0 ? add_blind(guard, pass.error) : r;
}
