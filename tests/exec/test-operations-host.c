/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operations table on a machine's tree: which file each operation comes to, and what keeps it
 * from the wrong one. */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/operations-host.h"
#include "host/store.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/strings.h"

#define GPU "0000:01:00.0"

typedef struct Stand {
        FakeSysfs *fake;
        Host host;
        Operations operations;
        PciAddress address;
        uint64_t inode;
        char *directory;
} Stand;

static void set_up(Stand *stand)
{
        stand->fake = fake_sysfs_new();
        fake_sysfs_add(stand->fake,
                "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=nouveau vfio-dev=3\n"
                "0000:06:00.0 id=8086:10c9 class=020000 group=20 driver=igb vfs=7 autoprobe=1\n"
                "driver vfio-pci\n"
                "file @0000:01:00.0/power/control auto\n"
                "file @0000:01:00.0/enable 1\n"
                "file @0000:06:00.0/sriov_numvfs 0\n");
        ASSERT_OK(host_open(stand->fake->root, &stand->host));
        ASSERT_OK(store_prepare(&stand->host));
        operations_host(&stand->host, &stand->operations);
        ASSERT_OK(pci_address_parse(GPU, &stand->address));
        stand->inode = fake_sysfs_inode(stand->fake, GPU);
        stand->directory = fake_sysfs_directory(stand->fake, GPU);
}

static void tear_down(Stand *stand)
{
        free(stand->directory);
        host_close(&stand->host);
        fake_sysfs_free(stand->fake);
}

static int perform(const Stand *stand, OperationType type, const char *text, char **ret)
{
        Operation operation = {
                .type = type,
                .address = stand->address,
                .inode = stand->inode,
                .text = text,
                .number = 14,
        };

        return stand->operations.perform(stand->operations.userdata, &operation, ret);
}

static void expect_read(const Stand *stand, OperationType type, const char *wanted)
{
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(perform(stand, type, NULL, &text));
        ASSERT_STREQ(text, wanted);
}

static void expect_write(const Stand *stand, OperationType type, const char *text,
        const char *path, const char *wanted)
{
        _cleanup_free_ char *got = NULL;

        fake_sysfs_write(stand->fake, path, "");
        ASSERT_OK(perform(stand, type, text, NULL));
        got = fake_sysfs_read(stand->fake, path);
        ASSERT_STREQ(got, wanted);
}

static void test_attributes(void)
{
        _cleanup_free_ char *override = NULL, *power = NULL;
        Stand stand = {};

        set_up(&stand);
        expect_read(&stand, OPERATION_READ_DRIVER, "nouveau");
        expect_read(&stand, OPERATION_READ_OVERRIDE, NULL);
        expect_read(&stand, OPERATION_READ_POWER_CONTROL, "auto");
        ASSERT_EQ(perform(&stand, OPERATION_READ_AUTOPROBE, NULL, &power), -ENOENT);

        ASSERT_OK(format_string(&override, "%s/driver_override", stand.directory));
        ASSERT_OK(format_string(&power, "%s/power/control", stand.directory));
        expect_write(&stand, OPERATION_WRITE_OVERRIDE, "vfio-pci", override, "vfio-pci");
        /* the kernel never sees a write of nothing */
        expect_write(&stand, OPERATION_WRITE_OVERRIDE, NULL, override, "\n");
        expect_write(&stand, OPERATION_WRITE_POWER_CONTROL, "on", power, "on");
        expect_write(&stand, OPERATION_UNBIND, "nouveau", "sys/bus/pci/drivers/nouveau/unbind",
                GPU);
        expect_write(&stand, OPERATION_BIND, "vfio-pci", "sys/bus/pci/drivers/vfio-pci/bind", GPU);
        expect_write(&stand, OPERATION_PROBE, NULL, "sys/bus/pci/drivers_probe", GPU);
        ASSERT_EQ(perform(&stand, OPERATION_BIND, "no-such-driver", NULL), -ENOENT);
        tear_down(&stand);
}

static void test_physical_function(void)
{
        _cleanup_free_ char *directory = NULL, *autoprobe = NULL, *number = NULL;
        Stand stand = {};

        set_up(&stand);
        ASSERT_OK(pci_address_parse("0000:06:00.0", &stand.address));
        stand.inode = fake_sysfs_inode(stand.fake, "0000:06:00.0");
        directory = fake_sysfs_directory(stand.fake, "0000:06:00.0");
        ASSERT_OK(format_string(&autoprobe, "%s/sriov_drivers_autoprobe", directory));
        ASSERT_OK(format_string(&number, "%s/sriov_numvfs", directory));
        expect_read(&stand, OPERATION_READ_AUTOPROBE, "1");
        expect_read(&stand, OPERATION_READ_NUM_VFS, "0");
        expect_write(&stand, OPERATION_WRITE_AUTOPROBE, "0", autoprobe, "0");
        expect_write(&stand, OPERATION_WRITE_NUM_VFS, "4", number, "4");
        tear_down(&stand);
}

/* Another card in the slot: what was planned for the one before is not done to it. */
static void test_other_instance(void)
{
        static const OperationType types[] = { OPERATION_READ_DRIVER, OPERATION_WRITE_OVERRIDE,
                OPERATION_UNBIND, OPERATION_BIND, OPERATION_PROBE, OPERATION_WRITE_POWER_CONTROL,
                OPERATION_WRITE_NUM_VFS, OPERATION_GUARD, OPERATION_LINK_NODE };
        Stand stand = {};

        set_up(&stand);
        stand.inode++;
        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                _cleanup_free_ char *text = NULL;

                ASSERT_EQ(perform(&stand, types[i], "nouveau", &text), -ENODEV);
        }
        tear_down(&stand);
}

static int perform_on_the_group(const Stand *stand, OperationType type)
{
        Operation operation = { .type = type, .number = 14 };

        return stand->operations.perform(stand->operations.userdata, &operation, NULL);
}

static void expect_file(const Stand *stand, const char *path, const char *wanted)
{
        _cleanup_free_ char *got = fake_sysfs_read(stand->fake, path);

        ASSERT_STREQ(got, wanted);
}

/* … nor if the card is changed while its group is being worked on. */
static void test_changed_meanwhile(void)
{
        static const OperationType types[] = { OPERATION_READ_DRIVER, OPERATION_READ_OVERRIDE,
                OPERATION_WRITE_OVERRIDE, OPERATION_READ_POWER_CONTROL,
                OPERATION_WRITE_POWER_CONTROL, OPERATION_UNBIND, OPERATION_BIND, OPERATION_PROBE,
                OPERATION_GUARD, OPERATION_LINK_NODE };
        _cleanup_free_ char *override = NULL;
        Stand stand = {};

        set_up(&stand);
        ASSERT_OK(format_string(&override, "%s/driver_override", stand.directory));
        ASSERT_OK(perform_on_the_group(&stand, OPERATION_LOCK_GROUP));
        expect_read(&stand, OPERATION_READ_DRIVER, "nouveau");
        expect_write(&stand, OPERATION_WRITE_OVERRIDE, "vfio-pci", override, "vfio-pci");
        expect_write(&stand, OPERATION_BIND, "vfio-pci", "sys/bus/pci/drivers/vfio-pci/bind", GPU);

        fake_sysfs_remove(stand.fake, stand.directory);
        /* its inode is not given to the next one in this file system */
        fake_sysfs_write(stand.fake, "occupies-the-inode", "");
        fake_sysfs_add(stand.fake, "0000:01:00.0 id=10de:2482 class=030000 group=14 "
                "driver=nouveau vfio-dev=3\n");
        ASSERT_TRUE(fake_sysfs_inode(stand.fake, GPU) != stand.inode);
        fake_sysfs_write(stand.fake, override, "untouched");
        fake_sysfs_write(stand.fake, "sys/bus/pci/drivers/vfio-pci/bind", "untouched");
        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                _cleanup_free_ char *text = NULL;

                ASSERT_EQ(perform(&stand, types[i], "vfio-pci", &text), -ENODEV);
        }
        ASSERT_OK(perform_on_the_group(&stand, OPERATION_UNLOCK_GROUP));
        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                _cleanup_free_ char *text = NULL;

                ASSERT_EQ(perform(&stand, types[i], "vfio-pci", &text), -ENODEV);
        }
        expect_file(&stand, override, "untouched");
        expect_file(&stand, "sys/bus/pci/drivers/vfio-pci/bind", "untouched");
        tear_down(&stand);
}

static void test_gone(void)
{
        _cleanup_free_ char *text = NULL;
        Stand stand = {};

        set_up(&stand);
        fake_sysfs_remove(stand.fake, "sys/bus/pci/devices/" GPU);
        ASSERT_EQ(perform(&stand, OPERATION_READ_DRIVER, NULL, &text), -ENODEV);
        tear_down(&stand);
}

/* What the driver core has needs no module index: there is none in this tree. */
static void test_module_that_is_there(void)
{
        Stand stand = {};

        set_up(&stand);
        ASSERT_OK(perform(&stand, OPERATION_LOAD_MODULE, "vfio-pci", NULL));
        ASSERT_TRUE(perform(&stand, OPERATION_LOAD_MODULE, "pci-stub", NULL) < 0);
        ASSERT_TRUE(perform(&stand, OPERATION_LOAD_MODULE, "../../../etc", NULL) < 0);
        ASSERT_TRUE(perform(&stand, OPERATION_LOAD_MODULE, "vfio_iommu_type1", NULL) < 0);
        fake_sysfs_add(stand.fake, "dir sys/module/iommufd\n");
        ASSERT_OK(perform(&stand, OPERATION_LOAD_MODULE, "vfio_iommu_type1", NULL));
        tear_down(&stand);
}

static void add_process(const Stand *stand, const char *pid, const char *node)
{
        _cleanup_free_ char *command = NULL, *link = NULL;

        ASSERT_OK(format_string(&command, "proc/%s/comm", pid));
        ASSERT_OK(format_string(&link, "proc/%s/fd/7", pid));
        fake_sysfs_write(stand->fake, command, "qemu-system-x86\n");
        fake_sysfs_link(stand->fake, link, node);
}

static void test_open_group(void)
{
        Stand stand = {};

        set_up(&stand);
        add_process(&stand, "1", "/dev/null");
        expect_read(&stand, OPERATION_IS_OPEN, NULL);
        add_process(&stand, "77", "/dev/vfio/140");
        expect_read(&stand, OPERATION_IS_OPEN, NULL);
        add_process(&stand, "1234", "/dev/vfio/14");
        expect_read(&stand, OPERATION_IS_OPEN, "1234 (qemu-system-x86)");
        tear_down(&stand);
}

/* The number of the group is given to another one: its node is not given away. */
static void test_node_of_another_group(void)
{
        Stand stand = {};

        set_up(&stand);
        const NodeSettings node = { .user = "0", .group = "0", .mode = 0660,
                .member = &stand.address, .inode = stand.inode };
        const Operation finish = { .type = OPERATION_FINISH_NODE, .number = 20, .node = &node };
        const Operation finish_ours = { .type = OPERATION_FINISH_NODE, .number = 14,
                .node = &node };

        fake_sysfs_add(stand.fake, "file sys/class/vfio/14/dev 300:0\n"
                                   "file sys/class/vfio/20/dev 300:1\ndir dev/vfio\n");
        if (mknodat(stand.fake->fd, "dev/vfio/14", S_IFCHR | 0600, makedev(300, 0)) == 0 &&
            mknodat(stand.fake->fd, "dev/vfio/20", S_IFCHR | 0600, makedev(300, 1)) == 0) {
                ASSERT_EQ(stand.operations.perform(stand.operations.userdata, &finish, NULL),
                        -ENODEV);
                ASSERT_OK(stand.operations.perform(stand.operations.userdata, &finish_ours, NULL));
        }
        tear_down(&stand);
}

/* A node that cannot be opened for another reason than being open might be: no driver has major
 * number 300, and a sandbox gives EPERM. */
static void test_node_that_cannot_be_asked(void)
{
        _cleanup_free_ char *path = NULL;
        char *who = NULL;
        Stand stand = {};

        set_up(&stand);
        add_process(&stand, "1", "/dev/null");
        fake_sysfs_add(stand.fake, "file sys/class/vfio/14/dev 300:0\ndir dev/vfio\n");
        ASSERT_TRUE(asprintf(&path, "%s/dev/vfio/14", stand.fake->root) > 0);
        if (mknod(path, S_IFCHR | 0600, makedev(300, 0)) == 0) {
                ASSERT_EQ(perform(&stand, OPERATION_IS_OPEN, NULL, &who), -ENXIO);
                ASSERT_TRUE(!who);
        } else {
                ASSERT_EQ(errno, EPERM); /* nobody but root makes nodes */
        }
        tear_down(&stand);
}

static void test_open_device_node(void)
{
        Stand stand = {};

        set_up(&stand);
        add_process(&stand, "1", "/dev/null");
        add_process(&stand, "1234", "/dev/vfio/devices/vfio4");
        expect_read(&stand, OPERATION_IS_OPEN, NULL);
        add_process(&stand, "1235", "/dev/vfio/devices/vfio3");
        expect_read(&stand, OPERATION_IS_OPEN, "1235 (qemu-system-x86)");
        tear_down(&stand);
}

static void test_record(void)
{
        DeviceRecord *loaded = NULL;
        DeviceRecord record = { .original_driver = (char *) "nouveau", .has_original = true };
        Operation operation = { .type = OPERATION_SAVE_ORIGINAL, .record = &record };
        Stand stand = {};

        set_up(&stand);
        operation.address = stand.address;
        operation.inode = stand.inode;
        ASSERT_OK(stand.operations.perform(stand.operations.userdata, &operation, NULL));
        ASSERT_EQ(stand.operations.perform(stand.operations.userdata, &operation, NULL), -EEXIST);

        operation.type = OPERATION_LOAD_RECORD;
        operation.ret_record = &loaded;
        ASSERT_OK(stand.operations.perform(stand.operations.userdata, &operation, NULL));
        ASSERT_STREQ(loaded->original_driver, "nouveau");
        device_record_free(loaded);

        loaded = NULL;
        record.original_driver = (char *) "snd_hda_intel";
        operation.type = OPERATION_REPLACE_ORIGINAL;
        ASSERT_OK(stand.operations.perform(stand.operations.userdata, &operation, NULL));
        operation.type = OPERATION_LOAD_RECORD;
        ASSERT_OK(stand.operations.perform(stand.operations.userdata, &operation, NULL));
        ASSERT_STREQ(loaded->original_driver, "snd_hda_intel");
        device_record_free(loaded);

        loaded = NULL;
        operation.type = OPERATION_REMOVE_RECORD;
        ASSERT_OK(stand.operations.perform(stand.operations.userdata, &operation, NULL));
        operation.type = OPERATION_LOAD_RECORD;
        ASSERT_OK(stand.operations.perform(stand.operations.userdata, &operation, NULL));
        ASSERT_TRUE(!loaded);
        tear_down(&stand);
}

/* A worker that comes back late finds another card in the slot, which has a record by now. */
static void test_record_of_another_instance(void)
{
        static const OperationType types[] = { OPERATION_SAVE_ORIGINAL, OPERATION_REPLACE_ORIGINAL,
                OPERATION_SAVE_RECORD, OPERATION_REMOVE_RECORD };
        DeviceRecord record = { .original_driver = (char *) "nouveau", .has_original = true,
                .hotplug_pending = true };
        DeviceRecord late = { .original_driver = (char *) "radeon", .has_original = true };
        DeviceRecord *loaded = NULL;
        Operation operation = { .record = &late };
        Stand stand = {};

        set_up(&stand);
        ASSERT_OK(store_save_original(&stand.host, &stand.address, stand.inode, &record));
        ASSERT_OK(store_save(&stand.host, &stand.address, stand.inode, &record));
        operation.address = stand.address;
        operation.inode = stand.inode + 1;
        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                operation.type = types[i];
                ASSERT_EQ(stand.operations.perform(stand.operations.userdata, &operation, NULL),
                        -ENODEV);
        }
        ASSERT_OK(store_load(&stand.host, &stand.address, stand.inode, &loaded));
        ASSERT_TRUE(loaded);
        ASSERT_STREQ(loaded->original_driver, "nouveau");
        ASSERT_TRUE(loaded->hotplug_pending);
        device_record_free(loaded);
        tear_down(&stand);
}

static void test_lock(void)
{
        Stand stand = {};
        int fd, status;
        pid_t pid;

        set_up(&stand);
        ASSERT_OK(perform(&stand, OPERATION_LOCK_GROUP, NULL, NULL));
        ASSERT_EQ(store_lock_group(&stand.host, 14, false), -EWOULDBLOCK);
        ASSERT_EQ(perform(&stand, OPERATION_TEST_LOCK, NULL, NULL), -EWOULDBLOCK);
        ASSERT_OK(perform(&stand, OPERATION_UNLOCK_GROUP, NULL, NULL));
        ASSERT_OK(perform(&stand, OPERATION_TEST_LOCK, NULL, NULL));
        fd = store_lock_group(&stand.host, 14, false);
        ASSERT_TRUE(fd >= 0);
        close(fd);

        /* a process that ends lets go of it */
        pid = fork();
        if (pid == 0)
                _exit(perform(&stand, OPERATION_LOCK_GROUP, NULL, NULL) < 0);
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
        ASSERT_OK(perform(&stand, OPERATION_LOCK_GROUP, NULL, NULL));
        ASSERT_OK(perform(&stand, OPERATION_UNLOCK_GROUP, NULL, NULL));
        tear_down(&stand);
}

static void test_intent(void)
{
        _cleanup_free_ char *text = NULL;
        Stand stand = {};

        set_up(&stand);
        ASSERT_OK(perform(&stand, OPERATION_BEGIN_INTENT, "bind " GPU, NULL));
        ASSERT_OK(store_read_intent(&stand.host, 14, &text));
        ASSERT_STREQ(text, "bind " GPU);
        ASSERT_OK(perform(&stand, OPERATION_END_INTENT, NULL, NULL));
        ASSERT_EQ(store_read_intent(&stand.host, 14, &text), -ENOENT);
        tear_down(&stand);
}

int main(void)
{
        test_attributes();
        test_physical_function();
        test_other_instance();
        test_changed_meanwhile();
        test_gone();
        test_module_that_is_there();
        test_open_group();
        test_node_of_another_group();
        test_node_that_cannot_be_asked();
        test_open_device_node();
        test_record();
        test_record_of_another_instance();
        test_lock();
        test_intent();
        return 0;
}
