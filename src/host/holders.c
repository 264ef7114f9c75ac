/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/holders.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "host/threads.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

#define PID_MAX            UINT64_C(4194304) /* kernel: PID_MAX_LIMIT */
#define COMMAND_LINE_MAX   (128 * 1024)
#define LINK_TEXT_MAX      4096
#define NODES_MAX          64 /* a group and its functions' device nodes */

static void copy_printable(const char *text, size_t length, char *ret, size_t size)
{
        size_t n = 0;

        for (size_t i = 0; i < length && n + 1 < size; i++)
                ret[n++] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
        ret[n] = '\0';
}

static bool ends_with(const char *text, size_t length, const char *end)
{
        size_t n = strlen(end);

        return length >= n && memcmp(text + length - n, end, n) == 0;
}

typedef struct Nodes {
        char names[NODES_MAX][48]; /* "/vfio/14", "/vfio/devices/vfio3" */
        dev_t numbers[NODES_MAX];  /* 0: not known, as in a saved tree */
        size_t n;
} Nodes;

/* A process in another mount namespace sees the node at a path of its own that ends alike. But
 * anybody may open a file of his own that is called so; that is another device, or none. (What is
 * known of it is enough: its file system may be one that never answers.) */
static bool is_node(const Nodes *nodes, int directory, const char *name, const char *target,
        size_t length)
{
        struct statx status;

        for (size_t i = 0; i < nodes->n; i++) {
                if (!ends_with(target, length, nodes->names[i]))
                        continue;
                if (nodes->numbers[i] == 0 || statx(directory, name, AT_STATX_DONT_SYNC,
                            STATX_TYPE, &status) < 0)
                        return true;
                return S_ISCHR(status.stx_mode) && nodes->numbers[i] ==
                        makedev(status.stx_rdev_major, status.stx_rdev_minor);
        }
        return false;
}

static bool has_node_open(int thread, const Nodes *nodes)
{
        _cleanup_directory_ DIR *directory = NULL;
        const struct dirent *entry;

        if (host_open_directory(thread, "fd", &directory) < 0)
                return false;
        while ((entry = readdir(directory))) {
                char target[LINK_TEXT_MAX];
                ssize_t n = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target));

                if (n > 0 && is_node(nodes, dirfd(directory), entry->d_name, target, (size_t) n) &&
                    host_descriptor_is_usable(thread, entry->d_name))
                        return true;
        }
        return false;
}

/* The innermost unit in a control group's path:
 * "/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/emulator". */
static void find_unit(const char *path, char *ret, size_t size)
{
        while (path) {
                const char *begin = path + strspn(path, "/");
                size_t length = strcspn(begin, "/\n");

                if (length == 0)
                        return;
                if (ends_with(begin, length, ".service") || ends_with(begin, length, ".scope"))
                        copy_printable(begin, length, ret, size);
                path = begin[length] == '/' ? begin + length : NULL;
        }
}

static void read_unit(int process, char *ret, size_t size)
{
        _cleanup_free_ char *text = NULL;

        if (read_file_at(process, "cgroup", COMMAND_LINE_MAX, &text, NULL) < 0)
                return;
        for (char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                /* the unified hierarchy, else systemd's own of cgroup v1 */
                if (startswith(line, "0::") || startswith(line, "1:name=systemd:"))
                        find_unit(strchr(line, '/'), ret, size);
                if (*ret)
                        return;
        }
}

/* systemd-machined keeps a link from the unit to the machine's name. */
static void read_registered_machine(const Host *host, const char *unit, char *ret, size_t size)
{
        char path[320], name[128];

        if (isempty(unit))
                return;
        (void) snprintf(path, sizeof(path), "run/systemd/machines/unit:%s", unit);
        if (read_link_name_at(host->root, path, name, sizeof(name)) >= 0)
                copy_printable(name, strlen(name), ret, size);
}

/* QEMU: "-name vm", "-name guest=vm,debug-threads=on". */
static void read_named_machine(int process, char *ret, size_t size)
{
        _cleanup_free_ char *text = NULL;
        const char *end, *argument;
        size_t length;

        if (read_file_at(process, "cmdline", COMMAND_LINE_MAX, &text, &length) < 0)
                return;
        end = text + length;
        for (argument = text; argument < end; argument += strlen(argument) + 1) {
                const char *name, *value = argument + strlen(argument) + 1;

                if (value >= end || (!streq(argument, "-name") && !streq(argument, "--name")))
                        continue;
                name = startswith(value, "guest=") ?: value;
                copy_printable(name, strcspn(name, ","), ret, size);
                return;
        }
}

void holders_describe(const Host *host, int process, HolderProcess *ret)
{
        char command[sizeof(ret->command)];

        if (read_attribute_at(process, "comm", command, sizeof(command)) >= 0)
                copy_printable(command, strlen(command), ret->command, sizeof(ret->command));
        read_unit(process, ret->unit, sizeof(ret->unit));
        read_registered_machine(host, ret->unit, ret->machine, sizeof(ret->machine));
}

/* "240:3" */
static dev_t read_number(const Host *host, const char *class, const char *name)
{
        uint64_t major_number, minor_number;
        char path[96], text[32];
        char *colon;

        if (!host->is_live)
                return 0; /* a saved tree has no device nodes */
        (void) snprintf(path, sizeof(path), "sys/class/%s/%s/dev", class, name);
        if (read_attribute_at(host->root, path, text, sizeof(text)) <= 0)
                return 0;
        colon = strchr(text, ':');
        if (!colon)
                return 0;
        *colon = '\0';
        if (parse_unsigned(text, UINT32_MAX, &major_number) < 0 ||
            parse_unsigned(colon + 1, UINT32_MAX, &minor_number) < 0)
                return 0;
        return makedev((unsigned) major_number, (unsigned) minor_number);
}

/* Of a node without a number this kernel has none: VFIO devices have their own from 6.6 on, if it
 * was built so (CONFIG_VFIO_DEVICE_CDEV), a group that has no class device has nothing on VFIO. */
static void add_node(const Host *host, const char *directory, const char *class, const char *name,
        Nodes *nodes)
{
        dev_t number = read_number(host, class, name);

        if (host->is_live && number == 0)
                return;
        (void) snprintf(nodes->names[nodes->n], sizeof(nodes->names[0]), "%s/%s", directory, name);
        nodes->numbers[nodes->n++] = number;
}

static void name_nodes(const Host *host, int64_t group, const int64_t *devices, size_t n_devices,
        Nodes *ret)
{
        char name[32];

        ret->n = 0;
        (void) snprintf(name, sizeof(name), "%" PRIi64, group);
        add_node(host, "/vfio", "vfio", name, ret);
        for (size_t i = 0; i < n_devices && ret->n < NODES_MAX; i++) {
                if (devices[i] < 0)
                        continue;
                (void) snprintf(name, sizeof(name), "vfio%" PRIi64, devices[i]);
                add_node(host, "/vfio/devices", "vfio-dev", name, ret);
        }
}

typedef struct Search {
        const Host *host;
        Nodes nodes;
        uint32_t pid; /* whose threads are looked at */
        int (*found)(void *userdata, const HolderProcess *process);
        void *userdata;
        int result; /* of found() */
} Search;

/* 1: this one has it, its other threads need not be asked. */
static int look_at_thread(int thread, unsigned parts, void *userdata)
{
        Search *search = userdata;
        HolderProcess holder = {.pid = search->pid};

        if (!(parts & THREAD_FILES) || !has_node_open(thread, &search->nodes))
                return 0;
        holders_describe(search->host, thread, &holder);
        if (!holder.machine[0])
                read_named_machine(thread, holder.machine, sizeof(holder.machine));
        search->result = search->found(search->userdata, &holder);
        return 1;
}

static int look_at_process(Search *search, int processes, const char *name)
{
        uint64_t pid;

        if (parse_unsigned(name, PID_MAX, &pid) < 0)
                return 0;
        _cleanup_close_ int process = openat(processes, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (process < 0)
                return 0;
        search->pid = (uint32_t) pid;
        int r = threads_show(search->host, process, search->pid, look_at_thread, search);
        return r == 1 ? search->result : 0;
}

int holders_find(const Host *host, int64_t group, const int64_t *devices, size_t n_devices,
        int (*found)(void *userdata, const HolderProcess *process), void *userdata)
{
        Search search = {.host = host, .found = found, .userdata = userdata};
        _cleanup_directory_ DIR *directory = NULL;
        const struct dirent *entry;

        name_nodes(host, group, devices, n_devices, &search.nodes);
        if (search.nodes.n == 0)
                return 0;
        int r = host_open_directory(host->root, "proc", &directory);
        while (r == 0 && (entry = readdir(directory)))
                r = look_at_process(&search, dirfd(directory), entry->d_name);
        return r;
}
