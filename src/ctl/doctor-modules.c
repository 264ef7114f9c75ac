/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/doctor.h"
#include "ctl/tree.h"
#include "util/strings.h"

/* Can the drivers be loaded? Files of depmod(8): modules.dep, and modules.builtin of the kernel. */

typedef struct Modules {
        char *release;
        char *dependencies, *builtin; /* NULL: not there */
} Modules;

static void modules_done(Modules *modules)
{
        free(modules->release);
        free(modules->dependencies);
        free(modules->builtin);
}

static int read_one(const Doctor *doctor, const char *release, const char *name, char **ret)
{
        static const char *const directories[] = { "/usr/lib/modules", "/lib/modules" };
        int r = -ENOENT;

        for (size_t i = 0; r == -ENOENT && i < ELEMENTSOF(directories); i++) {
                _cleanup_free_ char *path = NULL;

                r = format_string(&path, "%s/%s/%s", directories[i], release, name);
                if (r >= 0)
                        r = tree_read(&doctor->host, path, ret);
        }
        return r == -ENOMEM ? r : 0;
}

static bool lists(const char *text, const char *file)
{
        return text && strstr(text, file);
}

/* "kernel/drivers/vfio/pci/vfio-pci.ko", perhaps compressed; files have "-" for "_" or not. */
static int examine_one(Doctor *doctor, const Modules *modules, const char *file,
        const char *loaded, const char *what)
{
        int r;

        if (tree_exists(&doctor->host, loaded) || lists(modules->dependencies, file) ||
            lists(modules->builtin, file))
                return 0;
        r = doctor_find(doctor, true, "module-missing", "Kernel %s has no %s: %s.",
                modules->release, file + 1, what);
        if (r < 0)
                return r;
        if (!modules->dependencies)
                return doctor_remedy(doctor,
                        "/lib/modules/%s has no modules.dep: install the modules of this kernel, "
                        "or reboot into the kernel whose modules are installed; \"depmod\" makes "
                        "the file anew.",
                        modules->release);
        return doctor_remedy(doctor,
                "Install the package with the rest of this kernel's modules "
                "(linux-modules-extra-%s, kernel-modules), or a kernel with CONFIG_VFIO_PCI and "
                "CONFIG_VFIO_IOMMU_TYPE1.",
                modules->release);
}

int doctor_examine_modules(Doctor *doctor)
{
        _cleanup_(modules_done) Modules modules = {};
        int r;

        r = host_kernel_release(&doctor->host, &modules.release);
        if (r == -ENOENT)
                return 0;
        if (r >= 0)
                r = read_one(doctor, modules.release, "modules.dep", &modules.dependencies);
        if (r >= 0)
                r = read_one(doctor, modules.release, "modules.builtin", &modules.builtin);
        if (r >= 0)
                r = examine_one(doctor, &modules, "/vfio-pci.ko", "/sys/module/vfio_pci",
                        "no device can be bound");
        if (r >= 0)
                r = examine_one(doctor, &modules, "/vfio_iommu_type1.ko",
                        "/sys/module/vfio_iommu_type1", "no device can be opened");
        return r;
}
