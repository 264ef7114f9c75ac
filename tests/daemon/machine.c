/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/store.h"
#include "lib/test.h"
#include "util/io.h"
#include "util/strings.h"

#define SPOIL_NODE "spoil-node"

static char *path_of(Machine *machine, const char *address, const char *name)
{
        _cleanup_free_ char *directory = fake_sysfs_directory(machine->tree, address);
        char *path;

        ASSERT_OK(format_string(&path, "%s/%s", directory, name));
        return path;
}

static char *read_text(Machine *machine, const char *path)
{
        char *text = fake_sysfs_read(machine->tree, path);

        return text ? strip(text) : NULL;
}

char *machine_driver(Machine *machine, const char *address)
{
        _cleanup_free_ char *path = path_of(machine, address, "driver");
        _cleanup_free_ char *target = fake_sysfs_read_link(machine->tree, path);

        return strdup(target ? strrchr(target, '/') + 1 : "");
}

void machine_set_driver(Machine *machine, const char *address, const char *driver)
{
        _cleanup_free_ char *path = path_of(machine, address, "driver");
        char target[128];

        fake_sysfs_remove(machine->tree, path);
        if (isempty(driver))
                return;
        (void) snprintf(target, sizeof(target), "sys/bus/pci/drivers/%s", driver);
        fake_sysfs_link(machine->tree, path, target);
}

void machine_remove(Machine *machine, const char *address)
{
        _cleanup_free_ char *directory = fake_sysfs_directory(machine->tree, address);
        char link[64];

        (void) snprintf(link, sizeof(link), "sys/bus/pci/devices/%s", address);
        fake_sysfs_remove(machine->tree, link);
        fake_sysfs_remove(machine->tree, directory);
}

static int injected_failure(Machine *machine, const Operation *operation)
{
        _cleanup_free_ char *text = NULL;
        char path[128];

        (void) snprintf(path, sizeof(path), "failures/%s/%s",
                PCI_ADDRESS_TEXT(&operation->address), operation_type_to_string(operation->type));
        text = read_text(machine, path);
        return text ? atoi(text) : 0;
}

static bool is_sysfs_write(OperationType type)
{
        switch (type) {
        case OPERATION_WRITE_OVERRIDE:
        case OPERATION_UNBIND:
        case OPERATION_BIND:
        case OPERATION_PROBE:
        case OPERATION_WRITE_POWER_CONTROL:
        case OPERATION_WRITE_AUTOPROBE:
        case OPERATION_WRITE_NUM_VFS:
                return true;
        default:
                return false;
        }
}

/* Workers run side by side: one append is one write(2). */
static void count_write(Machine *machine)
{
        _cleanup_close_ int fd = -1;

        fd = openat(machine->host.root, "writes", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        ASSERT_TRUE(fd >= 0);
        ASSERT_EQ(write(fd, "x", 1), 1);
}

static void pass_gate(Machine *machine, const Operation *operation)
{
        _cleanup_free_ char *gate = fake_sysfs_read(machine->tree, "gate");
        bool is_move = operation->type == OPERATION_BIND || operation->type == OPERATION_UNBIND;
        char c;

        if (!gate || (*gate ? !streq(gate, operation_type_to_string(operation->type)) : !is_move))
                return;
        ASSERT_EQ(write(machine->at_gate[1], "x", 1), 1);
        ASSERT_EQ(read(machine->gate[0], &c, 1), 1);
}

static int read_attribute(Machine *machine, const Operation *operation, const char *name,
        char **ret_text)
{
        _cleanup_free_ char *path = path_of(machine, PCI_ADDRESS_TEXT(&operation->address), name);
        char *text = read_text(machine, path);

        if (!text)
                return -ENOENT;
        if (streq(text, "(null)")) {
                free(text);
                text = NULL;
        }
        *ret_text = text;
        return 0;
}

static int write_attribute(Machine *machine, const Operation *operation, const char *name,
        const char *text)
{
        _cleanup_free_ char *path = path_of(machine, PCI_ADDRESS_TEXT(&operation->address), name);
        _cleanup_free_ char *old = fake_sysfs_read(machine->tree, path);

        if (!old)
                return -ENOENT;
        fake_sysfs_write(machine->tree, path, text);
        return 0;
}

static int failure_of_driver(Machine *machine, const char *driver)
{
        _cleanup_free_ char *text = NULL;
        char path[128];

        (void) snprintf(path, sizeof(path), "failures/%s", driver);
        text = read_text(machine, path);
        return text ? atoi(text) : 0;
}

/* As the kernel does it: only where the function exists, has no driver and fits. */
static int bind(Machine *machine, const Operation *operation)
{
        const char *address = PCI_ADDRESS_TEXT(&operation->address);
        _cleanup_free_ char *present = machine_driver(machine, address);
        _cleanup_free_ char *override = NULL;
        int r;

        if (*present)
                return -EBUSY;
        r = failure_of_driver(machine, operation->text);
        if (r < 0)
                return r;
        if (read_attribute(machine, operation, "driver_override", &override) < 0)
                return -ENODEV;
        if (override && !streq(override, operation->text))
                return -ENODEV;
        machine_set_driver(machine, address, operation->text);
        return 0;
}

static int unbind(Machine *machine, const Operation *operation)
{
        const char *address = PCI_ADDRESS_TEXT(&operation->address);
        _cleanup_free_ char *present = machine_driver(machine, address);

        if (!streq(present, operation->text))
                return -ENODEV;
        machine_set_driver(machine, address, "");
        return 0;
}

/* The host's driver is the one that hosts/ADDRESS names. */
static char *host_driver(Machine *machine, const char *address)
{
        char path[64];

        (void) snprintf(path, sizeof(path), "hosts/%s", address);
        return read_text(machine, path);
}

static int probe(Machine *machine, const Operation *operation)
{
        const char *address = PCI_ADDRESS_TEXT(&operation->address);
        _cleanup_free_ char *present = machine_driver(machine, address);
        _cleanup_free_ char *override = NULL, *host = host_driver(machine, address);

        if (*present || read_attribute(machine, operation, "driver_override", &override) < 0)
                return 0;
        if (override || host)
                machine_set_driver(machine, address, override ?: host);
        return 0;
}

/* The driver of the PF makes them: those of machine_prepare_virtual_functions(). */
static int write_num_vfs(Machine *machine, const Operation *operation)
{
        _cleanup_free_ char *functions = fake_sysfs_read(machine->tree, "virtual-functions");
        int r;

        r = write_attribute(machine, operation, "sriov_numvfs", operation->text);
        if (r < 0)
                return r;
        fake_sysfs_add(machine->tree, functions ?: "");
        return 0;
}

static int perform_record(Machine *machine, const Operation *operation)
{
        const Host *host = &machine->host;
        uint64_t inode =
                fake_sysfs_inode(machine->tree, PCI_ADDRESS_TEXT(&operation->address));

        switch (operation->type) {
        case OPERATION_LOAD_RECORD:
                return store_load(host, &operation->address, inode, operation->ret_record);
        case OPERATION_SAVE_ORIGINAL:
                return store_save_original(host, &operation->address, inode, operation->record);
        default:
                return store_save(host, &operation->address, inode, operation->record);
        }
}

/* The mode stands for owner and group too. */
static int finish_node(Machine *machine, const Operation *operation)
{
        char path[64];

        (void) snprintf(path, sizeof(path), "dev/vfio/%lld", (long long) operation->number);
        if (fchmodat(machine->host.root, path, operation->node->mode, 0) < 0 && errno != ENOENT)
                return -errno;
        if (operation->ret_node)
                *operation->ret_node = (NodeOutcome){
                        .is_known = true,
                        .user = getuid(),
                        .group = getgid(),
                        .mode = operation->node->mode,
                };
        if (unlinkat(machine->host.root, SPOIL_NODE, 0) == 0)
                (void) fchmodat(machine->host.root, path, 0600, 0);
        return 0;
}

void machine_spoil_node(Machine *machine)
{
        fake_sysfs_write(machine->tree, SPOIL_NODE, "");
}

static int group_lock = -1; /* of a worker: it is at one group at a time */

static int perform_store(Machine *machine, const Operation *operation)
{
        const Host *host = &machine->host;

        switch (operation->type) {
        case OPERATION_BEGIN_INTENT:
                return store_begin_intent(host, operation->number, operation->text);
        case OPERATION_END_INTENT:
                return store_end_intent(host, operation->number);
        case OPERATION_REMOVE_RECORD:
                return store_remove(host, &operation->address);
        case OPERATION_FINISH_NODE:
                return finish_node(machine, operation);
        case OPERATION_LOAD_RECORD:
        case OPERATION_SAVE_ORIGINAL:
        case OPERATION_SAVE_RECORD:
                return perform_record(machine, operation);
        default:
                return 0;
        }
}

static int lock_group(Machine *machine, const Operation *operation)
{
        int fd = store_lock_group(&machine->host, operation->number, true);

        if (fd < 0)
                return fd;
        group_lock = fd;
        return 0;
}

static int unlock_group(void)
{
        close_descriptor(&group_lock);
        group_lock = -1;
        return 0;
}

static int perform(void *userdata, const Operation *operation, char **ret_text)
{
        Machine *machine = userdata;
        const char *address = PCI_ADDRESS_TEXT(&operation->address);
        int r;

        pass_gate(machine, operation);
        r = injected_failure(machine, operation);
        if (r < 0)
                return r;
        if (is_sysfs_write(operation->type))
                count_write(machine);
        if (ret_text)
                *ret_text = NULL;

        switch (operation->type) {
        case OPERATION_LOCK_GROUP:
                return lock_group(machine, operation);
        case OPERATION_UNLOCK_GROUP:
                return unlock_group();
        case OPERATION_READ_DRIVER: {
                _cleanup_free_ char *driver = machine_driver(machine, address);

                *ret_text = *driver ? TAKE_POINTER(driver) : NULL;
                return 0;
        }
        case OPERATION_READ_OVERRIDE:
                return read_attribute(machine, operation, "driver_override", ret_text);
        case OPERATION_WRITE_OVERRIDE:
                return write_attribute(machine, operation, "driver_override",
                        operation->text ?: "(null)");
        case OPERATION_BIND:
                return bind(machine, operation);
        case OPERATION_UNBIND:
                return unbind(machine, operation);
        case OPERATION_PROBE:
                return probe(machine, operation);
        case OPERATION_LOAD_HOST_DRIVERS:
                *ret_text = host_driver(machine, address);
                return 0;
        case OPERATION_READ_POWER_CONTROL:
                return read_attribute(machine, operation, "power/control", ret_text);
        case OPERATION_WRITE_POWER_CONTROL:
                return write_attribute(machine, operation, "power/control", operation->text);
        case OPERATION_READ_AUTOPROBE:
                return read_attribute(machine, operation, "sriov_drivers_autoprobe", ret_text);
        case OPERATION_WRITE_AUTOPROBE:
                return write_attribute(machine, operation, "sriov_drivers_autoprobe",
                        operation->text);
        case OPERATION_READ_NUM_VFS:
                return read_attribute(machine, operation, "sriov_numvfs", ret_text);
        case OPERATION_WRITE_NUM_VFS:
                return write_num_vfs(machine, operation);
        default:
                return perform_store(machine, operation);
        }
}

/* What the guard reads: a machine that uses nothing. */
static void add_unused(FakeSysfs *tree)
{
        fake_sysfs_write(tree, "proc/self/mountinfo", "1 0 0:2 / / rw - tmpfs none rw\n");
        fake_sysfs_write(tree, "proc/1/mountinfo", "1 0 0:2 / / rw - tmpfs none rw\n");
        fake_sysfs_write(tree, "proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n");
        fake_sysfs_write(tree, "proc/net/route",
                "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n");
        fake_sysfs_write(tree, "proc/net/ipv6_route", "");
}

void machine_init(Machine *machine, const char *tree)
{
        *machine = (Machine){ .tree = fake_sysfs_new() };
        fake_sysfs_add(machine->tree, "driver vfio-pci\ndriver nvme\ndriver e1000e\n");
        fake_sysfs_add(machine->tree, tree);
        add_unused(machine->tree);
        ASSERT_OK(host_open(machine->tree->root, &machine->host));
        ASSERT_OK(pipe2(machine->gate, O_CLOEXEC));
        ASSERT_OK(pipe2(machine->at_gate, O_CLOEXEC));
        machine->descriptors[0] = machine->host.root;
        machine->descriptors[1] = machine->tree->fd;
        machine->descriptors[2] = machine->gate[0];
        machine->descriptors[3] = machine->at_gate[1];
        machine->operations = (Operations){
                .userdata = machine,
                .perform = perform,
                .descriptors = machine->descriptors,
                .n_descriptors = ELEMENTSOF(machine->descriptors),
        };
        machine_set_command_line(machine, "quiet");
        machine_enable(machine, true);
}

void machine_done(Machine *machine)
{
        close_descriptor(&machine->gate[0]);
        close_descriptor(&machine->gate[1]);
        close_descriptor(&machine->at_gate[0]);
        close_descriptor(&machine->at_gate[1]);
        host_close(&machine->host);
        fake_sysfs_free(machine->tree);
}

void machine_configure(Machine *machine, const char *text)
{
        fake_sysfs_write(machine->tree, "etc/vfio-bind.conf", text);
}

void machine_set_command_line(Machine *machine, const char *text)
{
        fake_sysfs_write(machine->tree, "proc/cmdline", text);
}

void machine_enable(Machine *machine, bool enabled)
{
        const char *link = "etc/systemd/system/sysinit.target.wants/vfio-bindd-early.service";

        if (enabled)
                fake_sysfs_link(machine->tree, link,
                        "usr/lib/systemd/system/vfio-bindd-early.service");
        else
                fake_sysfs_remove(machine->tree, link);
}

void machine_fail(Machine *machine, const char *address, OperationType type, int error)
{
        char path[128], text[16];

        (void) snprintf(path, sizeof(path), "failures/%s/%s", address,
                operation_type_to_string(type));
        (void) snprintf(text, sizeof(text), "%d", error);
        fake_sysfs_write(machine->tree, path, text);
}

void machine_fail_driver(Machine *machine, const char *driver, int error)
{
        char path[128], text[16];

        (void) snprintf(path, sizeof(path), "failures/%s", driver);
        (void) snprintf(text, sizeof(text), "%d", error);
        fake_sysfs_write(machine->tree, path, text);
}

void machine_prepare_virtual_functions(Machine *machine, const char *tree)
{
        fake_sysfs_write(machine->tree, "virtual-functions", tree);
}

void machine_close_gate(Machine *machine)
{
        fake_sysfs_write(machine->tree, "gate", "");
}

void machine_close_gate_before(Machine *machine, OperationType type)
{
        fake_sysfs_write(machine->tree, "gate", operation_type_to_string(type));
}

void machine_open_gate(Machine *machine)
{
        fake_sysfs_remove(machine->tree, "gate");
}

void machine_let_pass(Machine *machine, size_t n)
{
        for (size_t i = 0; i < n; i++)
                ASSERT_EQ(write(machine->gate[1], "x", 1), 1);
}

bool machine_is_at_gate(Machine *machine)
{
        struct pollfd waiting = { .fd = machine->at_gate[0], .events = POLLIN };
        char c;

        if (poll(&waiting, 1, 100) <= 0)
                return false;
        ASSERT_EQ(read(machine->at_gate[0], &c, 1), 1);
        return true;
}

size_t machine_count_writes(Machine *machine)
{
        _cleanup_free_ char *writes = fake_sysfs_read(machine->tree, "writes");

        return writes ? strlen(writes) : 0;
}
