/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>
#include <errno.h>

#include "host/modules.h"
#include "host/scan.h"
#include "lib/fake-sysfs.h"
#include "lib/module-index.h"
#include "lib/test.h"
#include "util/strings.h"

#define MODULES "lib/modules/6.12.0/"

/* An object file that has nothing but a module's own description of itself. */
static void write_module(FakeSysfs *fake, const char *path, const char *info, size_t length)
{
        static const char names[] = "\0.modinfo\0.shstrtab";
        struct {
                Elf64_Ehdr header;
                Elf64_Shdr sections[3];
                char names[sizeof(names)];
                char info[512];
        } file = {
                .header = {
                        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                                EV_CURRENT},
                        .e_type = ET_REL,
                        .e_version = EV_CURRENT,
                        .e_ehsize = sizeof(Elf64_Ehdr),
                        .e_shentsize = sizeof(Elf64_Shdr),
                        .e_shnum = 3,
                        .e_shstrndx = 2,
                },
        };

        ASSERT_TRUE(length <= sizeof(file.info));
        memcpy(file.names, names, sizeof(names));
        memcpy(file.info, info, length);
        file.header.e_shoff = (size_t) ((char *) file.sections - (char *) &file);
        file.sections[1] = (Elf64_Shdr){.sh_name = 1, .sh_type = SHT_PROGBITS,
                .sh_offset = (size_t) (file.info - (char *) &file), .sh_size = length};
        file.sections[2] = (Elf64_Shdr){.sh_name = 10, .sh_type = SHT_STRTAB,
                .sh_offset = (size_t) (file.names - (char *) &file), .sh_size = sizeof(names)};
        fake_sysfs_write_data(fake, path, &file, sizeof(file));
}

static const char aliases[] =
        "alias pci:v000010DEd*sv*sd*bc03sc00i* nouveau\n"
        "alias pci:v000010DEd*sv*sd*bc03sc00i* nvidiafb\n"
        "alias pci:v000010DEd00002482sv*sd*bc*sc*i* nvidiafb\n"
        "alias pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_core\n"
        "alias pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci\n"
        "alias usb:v1D6Bp0002d*dc*dsc*dp*ic*isc*ip*in* usbcore\n"
        "alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n"
        "alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci\n"
        "alias vfio_pci:v000019E5d*sv*sd*bc*sc*i* b_vfio_pci\n"
        "alias vfio_pci:v000019E5d*sv*sd*bc*sc*i* a_vfio_pci\n"
        "alias vfio_pci:v000019E5d0000A250sv*sd*bc02sc*i* c-vfio-pci\n"
        "alias vfio_pci:v*d*sv*sd*bc*sc*i* everything_vfio_pci\n";

#define GPU   "pci:v000010DEd00002482sv00001043sd00008769bc03sc00i00"
#define VF    "pci:v000015B3d0000101Esv000015B3sd00000016bc02sc00i00"
#define OTHER "pci:v00008086d000010D3sv00000000sd00000000bc02sc00i00"
#define ACC   "pci:v000019E5d0000A250sv00000000sd00000000bc0Bsc40i00"
#define NET   "pci:v000019E5d0000A250sv00000000sd00000000bc02sc00i00"

typedef struct Fixture {
        FakeSysfs *fake;
        Host host;
} Fixture;

static Fixture begin(void)
{
        Fixture f = {.fake = fake_sysfs_new()};

        fake_sysfs_add(f.fake, "file proc/sys/kernel/osrelease 6.12.0");
        module_index_write(f.fake, MODULES "modules.alias.bin", aliases);
        fake_sysfs_write(f.fake, MODULES "modules.alias", aliases);
        ASSERT_OK(host_open(f.fake->root, &f.host));
        return f;
}

static void end(Fixture *f)
{
        host_close(&f->host);
        fake_sysfs_free(f->fake);
}

static void test_host_drivers(void)
{
        Fixture f = begin();
        char **list = NULL;

        ASSERT_OK(modules_host_drivers(&f.host, GPU, &list));
        ASSERT_EQ(string_list_length(list), 2);
        ASSERT_STREQ(list[0], "nouveau");
        ASSERT_STREQ(list[1], "nvidiafb");
        string_list_free(list);
        /* a variant driver never takes a function by itself */
        ASSERT_OK(modules_host_drivers(&f.host, VF, &list));
        ASSERT_EQ(string_list_length(list), 1);
        ASSERT_STREQ(list[0], "mlx5_core");
        string_list_free(list);
        ASSERT_OK(modules_host_drivers(&f.host, OTHER, &list));
        ASSERT_TRUE(!list);

        ASSERT_EQ(modules_host_drivers(&f.host, "usb:v1D6Bp0002", &list), -EINVAL);
        ASSERT_EQ(modules_host_drivers(&f.host, "", &list), -EINVAL);
        fake_sysfs_remove(f.fake, MODULES);
        ASSERT_EQ(modules_host_drivers(&f.host, GPU, &list), -ENOENT);
        end(&f);
}

static void assert_best(Fixture *f, const char *modalias, const char *module)
{
        _cleanup_free_ char *best = NULL;

        ASSERT_OK(modules_best_vfio_driver(&f->host, modalias, &best));
        ASSERT_STREQ(best, module);
}

static void test_best_vfio_driver(void)
{
        Fixture f = begin();
        char *best = NULL;

        assert_best(&f, GPU, "vfio_pci");
        assert_best(&f, VF, "mlx5_vfio_pci");
        assert_best(&f, ACC, "a_vfio_pci"); /* a tie: by name */
        assert_best(&f, NET, "c_vfio_pci"); /* fewest wildcards */
        ASSERT_EQ(modules_best_vfio_driver(&f.host, "usb:x", &best), -EINVAL);

        fake_sysfs_write(f.fake, MODULES "modules.alias",
                "alias vfio_pci: nothing\nalias vfio_pci:v* \nalias vfio_pci:v*d*\n"
                "# alias vfio_pci:v000010DE* commented\nxalias vfio_pci:v000010DE* x\n"
                "alias vfio_pci:v000010DE* ../../evil\nalias vfio_pci:v000010DE* last_line");
        assert_best(&f, GPU, "last_line");
        fake_sysfs_remove(f.fake, "lib");
        assert_best(&f, VF, "vfio_pci");
        end(&f);
}

/* An initramfs may have the binary index alone: then the modules tell their patterns. */
static void test_without_text(void)
{
        static const char generic[] = "alias=vfio_pci:v*d*sv*sd*bc*sc*i*\0license=GPL";
        static const char variant[] = "license=GPL\0alias=usb:x\0"
                                      "alias=vfio_pci:v000015B3d0000101Dsv*sd*bc*sc*i*\0"
                                      "alias=vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i*";
        Fixture f = begin();

        fake_sysfs_remove(f.fake, MODULES "modules.alias");
        module_index_write(f.fake, MODULES "modules.dep.bin",
                "dep vfio_pci vfio-pci.ko:\ndep mlx5_vfio_pci mlx5-vfio-pci.ko:\n"
                "dep mlx5_core mlx5_core.ko:\n");
        write_module(f.fake, MODULES "vfio-pci.ko", generic, sizeof(generic));
        write_module(f.fake, MODULES "mlx5-vfio-pci.ko", variant, sizeof(variant));
        write_module(f.fake, MODULES "mlx5_core.ko", "license=GPL", 12);

        assert_best(&f, VF, "mlx5_vfio_pci");
        assert_best(&f, GPU, "vfio_pci");
        assert_best(&f, ACC, "vfio_pci"); /* its modules are not in this initramfs */
        ASSERT_TRUE(modules_is_vfio(&f.host, "mlx5-vfio-pci"));
        ASSERT_TRUE(!modules_is_vfio(&f.host, "mlx5_core"));
        ASSERT_TRUE(!modules_is_vfio(&f.host, "a_vfio_pci"));
        end(&f);
}

static void test_is_vfio(void)
{
        Fixture f = begin();

        ASSERT_TRUE(modules_is_vfio(&f.host, "vfio_pci"));
        ASSERT_TRUE(modules_is_vfio(&f.host, "vfio-pci"));
        ASSERT_TRUE(modules_is_vfio(&f.host, "mlx5_vfio_pci"));
        ASSERT_TRUE(modules_is_vfio(&f.host, "mlx5-vfio-pci"));
        ASSERT_TRUE(!modules_is_vfio(&f.host, "mlx5_core"));
        ASSERT_TRUE(!modules_is_vfio(&f.host, "not_vfio_pci"));
        ASSERT_TRUE(!modules_is_vfio(&f.host, ""));
        ASSERT_TRUE(!modules_is_vfio(&f.host, "../vfio_pci"));
        end(&f);
}

static void test_driver_name(void)
{
        Fixture f = begin();
        char *name = NULL;

        fake_sysfs_add(f.fake,
                "driver vfio-pci\n"
                "link sys/module/vfio_pci/drivers/pci:vfio-pci sys/bus/pci/drivers/vfio-pci\n"
                "link sys/module/other/drivers/usb:x sys/bus/pci/drivers/vfio-pci");
        ASSERT_OK(modules_driver_name(&f.host, "vfio-pci", &name));
        ASSERT_STREQ(name, "vfio-pci");
        free(name);
        ASSERT_EQ(modules_driver_name(&f.host, "other", &name), -ENOENT);
        ASSERT_EQ(modules_driver_name(&f.host, "absent", &name), -ENOENT);
        ASSERT_EQ(modules_driver_name(&f.host, "..", &name), -EINVAL);
        end(&f);
}

/* The scan asks once for all functions that are alike. */
static void test_scan(void)
{
        const unsigned facts = SNAPSHOT_FACT_HOST_DRIVERS | SNAPSHOT_FACT_VFIO_DRIVERS;
        Fixture f = begin();
        _cleanup_snapshot_ Snapshot *snapshot = NULL, *without = NULL;

        fake_sysfs_add(f.fake,
                "0000:01:00.0 id=10de:2482 class=030000\n"
                "0000:02:00.0 id=15b3:101e class=020000\n0000:02:00.1 id=15b3:101e class=020000\n"
                "driver mlx5-odd-name\n"
                "link sys/module/c_vfio_pci/drivers/pci:c-vfio sys/bus/pci/drivers/mlx5-odd-name\n"
                "0000:03:00.0 id=19e5:a250 class=020000");
        ASSERT_OK(scan_machine(&f.host, facts, NULL, &snapshot));
        const Device *gpu = &snapshot->devices[0], *vf = &snapshot->devices[2];
        ASSERT_TRUE(gpu->host_drivers.known);
        ASSERT_EQ(string_list_length(gpu->host_drivers.list), 2);
        ASSERT_STREQ(gpu->vfio_driver.text, "vfio-pci");
        ASSERT_STREQ(vf->host_drivers.list[0], "mlx5_core");
        ASSERT_STREQ(vf->vfio_driver.text, "mlx5_vfio_pci");
        /* what the loaded module says itself counts */
        ASSERT_STREQ(snapshot->devices[3].vfio_driver.text, "c-vfio");

        fake_sysfs_remove(f.fake, "proc/sys");
        fake_sysfs_remove(f.fake, "lib");
        ASSERT_OK(scan_machine(&f.host, facts, NULL, &without));
        ASSERT_TRUE(!without->devices[0].host_drivers.known);
        ASSERT_TRUE(!without->devices[0].vfio_driver.known);
        end(&f);
}

static void test_load(void)
{
        Fixture f = begin();

        ASSERT_EQ(modules_load(&f.host, "vfio-pci"), -EOPNOTSUPP);
        ASSERT_EQ(modules_load(&f.host, "../vfio"), -EINVAL);
        ASSERT_EQ(modules_load(&f.host, "pci:v*"), -EINVAL);
        end(&f);

        /* On this machine: a name that no module has. */
        _cleanup_host_ Host host = {.root = -1};
        ASSERT_OK(host_open(NULL, &host));
        ASSERT_TRUE(host.is_live);
        ASSERT_EQ(modules_load(&host, "vfio_bindd_no_such_module"), -ENOENT);
}

int main(void)
{
        test_host_drivers();
        test_best_vfio_driver();
        test_without_text();
        test_is_vfio();
        test_driver_name();
        test_scan();
        test_load();
        return 0;
}
