/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec/operations-host.h"

#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/binding.h"
#include "host/guard.h"
#include "host/holders.h"
#include "host/modules.h"
#include "host/nodes.h"
#include "host/store.h"
#include "util/buffer.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

#define AUTOPROBE     "sriov_drivers_autoprobe"
#define NUM_VFS       "sriov_numvfs"
#define POWER_CONTROL "power/control"

static int group_lock = -1;

/* Addresses are given away again: what was planned for one card is not done to the next. */
static int check_instance(const Host *host, const Operation *operation)
{
        return operation->inode == 0 ? 0 : binding_check_instance(host, &operation->address,
                                                   operation->inode);
}

/* Done by what is in the function's own directory, and so to that instance or to none. */
static bool is_on_directory(OperationType type)
{
        switch (type) {
        case OPERATION_READ_DRIVER:
        case OPERATION_READ_OVERRIDE:
        case OPERATION_WRITE_OVERRIDE:
        case OPERATION_READ_POWER_CONTROL:
        case OPERATION_WRITE_POWER_CONTROL:
                return true;
        default:
                return false;
        }
}

static bool driver_exists(const Host *host, const char *name)
{
        char path[NAME_MAX + 32];
        struct stat status;

        if (strlen(name) > NAME_MAX || strchr(name, '/'))
                return false;
        (void) snprintf(path, sizeof(path), "sys/bus/pci/drivers/%s", name);
        return fstatat(host->root, path, &status, 0) >= 0;
}

static bool module_exists(const Host *host, const char *name)
{
        char path[64];
        struct stat status;

        (void) snprintf(path, sizeof(path), "sys/module/%s", name);
        return fstatat(host->root, path, &status, 0) >= 0;
}

/* Built in, it has no `initstate`; while it is being loaded, that says "coming" (show_initstate()
 * in kernel/module/main.c). */
static bool module_is_live(const Host *host, const char *name)
{
        char path[96], state[16];

        if (!module_exists(host, name))
                return false;
        (void) snprintf(path, sizeof(path), "sys/module/%s/initstate", name);
        if (read_attribute_at(host->root, path, state, sizeof(state)) < 0)
                return true;
        return startswith(state, "live");
}

/* What the driver core already has needs no module, nor a module index in the initramfs, and asking
 * libkmod costs more than all the rest of a transaction. Other back ends than type1 are enough:
 * iommufd emulates it, POWER has one of its own. */
static int load_module(const Host *host, const char *name)
{
        int r;

        if (driver_exists(host, name) || module_is_live(host, name))
                return 0;
        r = modules_load(host, name);
        if (r < 0 && streq(name, "vfio_iommu_type1") &&
            (module_exists(host, name) || module_exists(host, "iommufd") ||
             module_exists(host, "vfio_iommu_spapr_tce")))
                return 0;
        return r;
}

/* A driver built into the kernel need not have a directory in /sys/module. */
static int find_driver_name(const Host *host, const char *module, char **ret)
{
        _cleanup_free_ char *name = NULL;
        int r;

        r = modules_driver_name(host, module, ret);
        if (r != -ENOENT)
                return r;

        name = strdup(module);
        if (!name)
                return -ENOMEM;
        if (!driver_exists(host, name))
                for (char *p = name; *p; p++)
                        if (*p == '_')
                                *p = '-';
        if (!driver_exists(host, name))
                return -ENOENT;
        *ret = TAKE_POINTER(name);
        return 0;
}

static int load_host_drivers(const Host *host, const PciAddress *address, char **ret)
{
        _cleanup_string_list_ char **modules = NULL;
        _cleanup_free_ char *modalias = NULL, *text = NULL;
        _cleanup_buffer_ Buffer buffer = {};
        int r;

        r = binding_read_device_attribute(host, address, "modalias", &modalias);
        if (r < 0)
                return r;
        r = modules_host_drivers(host, modalias, &modules);
        if (r < 0)
                return r;

        for (char **module = modules; module && *module; module++) {
                _cleanup_free_ char *name = NULL;

                /* one that cannot be loaded is not there to take the function */
                if (modules_load_fitting(host, *module) < 0 && !driver_exists(host, *module))
                        continue;
                if (find_driver_name(host, *module, &name) >= 0)
                        buffer_printf(&buffer, "%s%s", buffer.length > 0 ? "\n" : "", name);
        }
        if (buffer.length == 0 && !buffer.failed)
                return 0;
        r = buffer_finish(&buffer, &text);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(text);
        return 0;
}

#define DEVICE_NODES_MAX 63

/* M of /sys/bus/pci/devices/ADDRESS/vfio-dev/vfioM, since Linux 6.1. */
static void add_device_node(const Host *host, const char *address, int64_t *nodes, size_t *n)
{
        char path[384];
        const struct dirent *entry;
        DIR *directory;
        int fd;

        (void) snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/vfio-dev", address);
        fd = openat(host->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return;
        directory = fdopendir(fd);
        if (!directory) {
                (void) close(fd);
                return;
        }
        while ((entry = readdir(directory)) && *n < DEVICE_NODES_MAX) {
                const char *number = startswith(entry->d_name, "vfio");
                uint64_t value;

                if (number && parse_unsigned(number, INT64_MAX, &value) >= 0)
                        nodes[(*n)++] = (int64_t) value;
        }
        (void) closedir(directory);
}

static void add_group_device_nodes(const Host *host, int64_t group, int64_t *nodes, size_t *n)
{
        const struct dirent *entry;
        char path[64];
        DIR *directory;
        int fd;

        (void) snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%" PRIi64 "/devices", group);
        fd = openat(host->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return;
        directory = fdopendir(fd);
        if (!directory) {
                (void) close(fd);
                return;
        }
        while ((entry = readdir(directory)))
                if (entry->d_name[0] != '.')
                        add_device_node(host, entry->d_name, nodes, n);
        (void) closedir(directory);
}

static int name_holder(void *userdata, const HolderProcess *process)
{
        char **who = userdata;
        int r;

        r = format_string(who, "%" PRIu32 " (%s)%s%s", process->pid,
                process->command[0] ? process->command : "?",
                process->machine[0] ? ", machine " : "", process->machine);
        return r < 0 ? r : 1;
}

/* Without leave to look into other processes only the count of pci_enable_device() is left, which
 * vfio-pci raises while a device is open. A host driver may have left it raised as well, so where
 * processes can be seen it does not count. */
static int check_enable_count(const Host *host, const PciAddress *address, char **ret)
{
        _cleanup_free_ char *count = NULL;
        char target[16];
        int r;

        if (readlinkat(host->root, "proc/1/fd/0", target, sizeof(target)) >= 0 || errno == ENOENT)
                return 0;
        r = binding_read_device_attribute(host, address, "enable", &count);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (streq(count, "0"))
                return 0;
        return format_string(ret, "a process that may not be looked at");
}

static int is_open(const Host *host, const Operation *operation, char **ret)
{
        int64_t nodes[DEVICE_NODES_MAX];
        char *who = NULL;
        size_t n = 0;
        int r;

        if (operation->number >= 0)
                add_group_device_nodes(host, operation->number, nodes, &n);
        else
                add_device_node(host, PCI_ADDRESS_TEXT(&operation->address), nodes, &n);
        r = holders_find(host, operation->number, nodes, n, name_holder, &who);
        if (r < 0)
                return r;
        if (who) {
                *ret = who;
                return 0;
        }
        r = operation->number >= 0 ? node_is_open(host, operation->number) : -ENOENT;
        if (r == -ENOENT)
                return check_enable_count(host, &operation->address, ret);
        if (r < 0)
                return r; /* it is there, and cannot be asked: as good as open */
        return r == 0 ? 0 : format_string(ret, "a program that holds its device, but not its node");
}

static NodeRequest node_request(const Operation *operation, bool use_name_service)
{
        return (NodeRequest){
                .group = operation->number,
                .user = operation->node->user,
                .user_group = operation->node->group,
                .mode = operation->node->mode,
                .use_name_service = use_name_service,
                .member = operation->node->member,
                .inode = operation->node->inode,
        };
}

static int finish_node(const Host *host, const Operation *operation, bool use_name_service)
{
        NodeRequest request = node_request(operation, use_name_service);
        NodeStatus given;
        int r;

        r = node_apply(host, &request, &given);
        if (operation->ret_node && (r == 0 || r == -ENXIO))
                *operation->ret_node = (NodeOutcome){
                        .is_known = true,
                        .user = given.uid,
                        .group = given.gid,
                        .mode = given.mode,
                };
        return r;
}

static int link_node(const Host *host, const Operation *operation, bool use_name_service)
{
        NodeRequest request = node_request(operation, use_name_service);
        int r, k;

        r = node_apply_device(host, &operation->address, &request);
        k = node_link(host, &operation->address, operation->number, operation->text);
        if (r == -ENOENT) /* a kernel without device nodes */
                r = 0;
        return r < 0 ? r : k;
}

static void unlock_group(void)
{
        binding_drop_directory();
        close_descriptor(&group_lock);
        group_lock = -1;
}

static int lock_group(const Host *host, int64_t group)
{
        int fd = store_lock_group(host, group, true);

        if (fd < 0)
                return fd;
        unlock_group();
        group_lock = fd;
        return 0;
}

static int test_lock(const Host *host, int64_t group)
{
        _cleanup_close_ int fd = store_lock_group(host, group, false);

        return fd < 0 ? fd : 0;
}

static int perform_on_group(const Host *host, const Operation *operation, bool use_name_service)
{
        switch (operation->type) {
        case OPERATION_LOCK_GROUP:
                return lock_group(host, operation->number);
        case OPERATION_UNLOCK_GROUP:
                unlock_group();
                return 0;
        case OPERATION_TEST_LOCK:
                return test_lock(host, operation->number);
        case OPERATION_SECURE_NODE:
                return node_secure(host, operation->number);
        case OPERATION_FINISH_NODE:
                return finish_node(host, operation, use_name_service);
        case OPERATION_ANNOUNCE_NODE:
                return node_announce(host, operation->number);
        case OPERATION_BEGIN_INTENT:
                return store_begin_intent(host, operation->number, operation->text);
        case OPERATION_END_INTENT:
                return store_end_intent(host, operation->number);
        default:
                return -EOPNOTSUPP;
        }
}

static int perform_on_record(const Host *host, const Operation *operation)
{
        const PciAddress *address = &operation->address;
        int r;

        if (operation->type == OPERATION_LOAD_RECORD)
                return store_load(host, address, operation->inode, operation->ret_record);
        /* a late worker must not write over the record of what was plugged in since */
        r = check_instance(host, operation);
        if (r < 0)
                return r;

        switch (operation->type) {
        case OPERATION_SAVE_ORIGINAL:
                return store_save_original(host, address, operation->inode, operation->record);
        case OPERATION_REPLACE_ORIGINAL:
                return store_replace_original(host, address, operation->inode, operation->record);
        case OPERATION_SAVE_RECORD:
                return store_save(host, address, operation->inode, operation->record);
        case OPERATION_REMOVE_RECORD:
                return store_remove(host, address);
        default:
                return -EOPNOTSUPP;
        }
}

static int perform_on_function(const Host *host, const Operation *operation, char **ret)
{
        const PciAddress *address = &operation->address;
        const char *text = operation->text;

        switch (operation->type) {
        case OPERATION_LOAD_MODULE:
                return load_module(host, text);
        case OPERATION_LOAD_HOST_DRIVERS:
                return load_host_drivers(host, address, ret);
        case OPERATION_READ_DRIVER:
                return binding_read_driver(host, address, ret);
        case OPERATION_READ_OVERRIDE:
                return binding_read_override(host, address, ret);
        case OPERATION_WRITE_OVERRIDE:
                return binding_write_override(host, address, text);
        case OPERATION_UNBIND:
                return binding_unbind(host, address, text);
        case OPERATION_BIND:
                return binding_bind(host, address, text);
        case OPERATION_PROBE:
                return binding_probe(host, address);
        case OPERATION_READ_POWER_CONTROL:
                return binding_read_device_attribute(host, address, POWER_CONTROL, ret);
        case OPERATION_WRITE_POWER_CONTROL:
                return binding_write_device_attribute(host, address, POWER_CONTROL, text);
        case OPERATION_READ_AUTOPROBE:
                return binding_read_device_attribute(host, address, AUTOPROBE, ret);
        case OPERATION_WRITE_AUTOPROBE:
                return binding_write_device_attribute(host, address, AUTOPROBE, text);
        case OPERATION_READ_NUM_VFS:
                return binding_read_device_attribute(host, address, NUM_VFS, ret);
        case OPERATION_WRITE_NUM_VFS:
                return binding_write_device_attribute(host, address, NUM_VFS, text);
        case OPERATION_GUARD:
                return guard_check(host, address, (unsigned) operation->number,
                        operation->udev_usec, operation->ret_answer, ret);
        case OPERATION_IS_OPEN:
                return is_open(host, operation, ret);
        case OPERATION_UNLINK_NODE:
                return node_unlink(host, address);
        default:
                return -EOPNOTSUPP;
        }
}

static int perform_on_instance(const Host *host, const Operation *operation, bool use_name_service,
        char **ret)
{
        bool is_kept = group_lock >= 0 && operation->inode != 0;
        int r;

        r = is_kept ? binding_keep_directory(host, &operation->address, operation->inode)
                    : check_instance(host, operation);
        if (r < 0)
                return r;
        if (is_kept && is_on_directory(operation->type)) {
                r = perform_on_function(host, operation, ret);
                if (r == -ENOENT && check_instance(host, operation) == -ENODEV)
                        r = -ENODEV;
                return r;
        }
        r = is_kept ? check_instance(host, operation) : 0;
        if (r < 0)
                return r;
        if (operation->type == OPERATION_LINK_NODE)
                return link_node(host, operation, use_name_service);
        return perform_on_function(host, operation, ret);
}

static int perform(const Host *host, const Operation *operation, bool use_name_service, char **ret)
{
        switch (operation->type) {
        case OPERATION_LOCK_GROUP:
        case OPERATION_UNLOCK_GROUP:
        case OPERATION_TEST_LOCK:
        case OPERATION_SECURE_NODE:
        case OPERATION_FINISH_NODE:
        case OPERATION_ANNOUNCE_NODE:
        case OPERATION_BEGIN_INTENT:
        case OPERATION_END_INTENT:
                return perform_on_group(host, operation, use_name_service);
        case OPERATION_LOAD_RECORD:
        case OPERATION_SAVE_ORIGINAL:
        case OPERATION_REPLACE_ORIGINAL:
        case OPERATION_SAVE_RECORD:
        case OPERATION_REMOVE_RECORD:
                return perform_on_record(host, operation);
        default:
                return perform_on_instance(host, operation, use_name_service, ret);
        }
}

static int perform_with_files(void *userdata, const Operation *operation, char **ret)
{
        return perform(userdata, operation, false, ret);
}

static int perform_with_name_service(void *userdata, const Operation *operation, char **ret)
{
        return perform(userdata, operation, true, ret);
}

void operations_host(const Host *host, Operations *ret)
{
        *ret = (Operations){
                .userdata = (void *) host,
                .perform = perform_with_files,
                .descriptors = &host->root,
                .n_descriptors = 1,
        };
}

void operations_host_with_name_service(const Host *host, Operations *ret)
{
        operations_host(host, ret);
        ret->perform = perform_with_name_service;
}
