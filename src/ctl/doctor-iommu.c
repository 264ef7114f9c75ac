/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/doctor.h"
#include "ctl/tree.h"
#include "host/interrupt-remapping.h"
#include "util/strings.h"

typedef enum Platform {
        PLATFORM_OTHER,
        PLATFORM_INTEL,
        PLATFORM_AMD,
        PLATFORM_GUEST, /* a virtual machine without a virtual IOMMU */
} Platform;

/* The firmware says by these tables that there is an IOMMU and that it is switched on. */
static bool has_table(const Doctor *doctor)
{
        return tree_exists(&doctor->host, "/sys/firmware/acpi/tables/DMAR") ||
                tree_exists(&doctor->host, "/sys/firmware/acpi/tables/IVRS");
}

static Platform find_platform(const Doctor *doctor)
{
        _cleanup_free_ char *text = NULL;

        if (tree_read(&doctor->host, "/proc/cpuinfo", &text) < 0)
                return PLATFORM_OTHER;
        /* a flag of x86; a guest sees the vendor of its host's processor */
        if (strstr(text, " hypervisor") && !has_table(doctor))
                return PLATFORM_GUEST;
        if (strstr(text, "GenuineIntel"))
                return PLATFORM_INTEL;
        return strstr(text, "AuthenticAMD") || strstr(text, "HygonGenuine") ? PLATFORM_AMD
                                                                            : PLATFORM_OTHER;
}

/* A word that switches it off; NULL: there is none. */
static const char *find_off_word(const Doctor *doctor)
{
        static const char *const words[] = { "iommu=off", "intel_iommu=off", "amd_iommu=off" };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (doctor_boots_with(doctor, words[i]))
                        return words[i];
        return NULL;
}

static int add_remedy(Doctor *doctor)
{
        Platform platform = find_platform(doctor);
        const char *word = find_off_word(doctor);

        if (word)
                return doctor_remedy(doctor,
                        "Take \"%s\" off the kernel command line and reboot.", word);
        if (platform == PLATFORM_GUEST)
                return doctor_remedy(doctor,
                        "This is a virtual machine: it needs a virtual IOMMU from its host "
                        "(libvirt: <iommu model='intel'> with intremap='on'; QEMU: -device "
                        "intel-iommu,intremap=on), and then intel_iommu=on on the kernel command "
                        "line, if the IOMMU is Intel's.");
        if (platform == PLATFORM_INTEL && has_table(doctor))
                return doctor_remedy(doctor,
                        "The firmware has it switched on, the kernel does not use it: add "
                        "intel_iommu=on to the kernel command line and reboot.");
        if (platform == PLATFORM_INTEL)
                return doctor_remedy(doctor,
                        "Switch \"VT-d\" (\"Intel Virtualization for Directed I/O\") on in the "
                        "firmware setup; if there is still none after that, add intel_iommu=on "
                        "to the kernel command line.");
        if (platform == PLATFORM_AMD)
                return doctor_remedy(doctor,
                        "Switch \"IOMMU\" (\"AMD-Vi\", \"SVM\" with it) on in the firmware setup: "
                        "\"Enabled\", not \"Auto\". The kernel needs no option for it.");
        return doctor_remedy(doctor,
                "Switch the IOMMU (VT-d, AMD-Vi, SMMU) on in the firmware setup; a virtual "
                "machine needs a virtual IOMMU from its host.");
}

static int examine_noiommu(Doctor *doctor)
{
        int r;

        if (!doctor_attribute_is(doctor, "sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
                    "Y"))
                return 0;
        r = doctor_find(doctor, false, "unsafe-noiommu",
                "VFIO works without an IOMMU (enable_unsafe_noiommu_mode): who uses a device can "
                "read and write all memory.");
        return r < 0 ? r
                     : doctor_remedy(doctor,
                               "Remove \"options vfio enable_unsafe_noiommu_mode=1\" from "
                               "/etc/modprobe.d and reboot, unless that is meant.");
}

static int examine_remapping(Doctor *doctor)
{
        bool allowed = doctor_attribute_is(doctor,
                "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y");
        int r;

        if (host_remaps_interrupts(&doctor->host) != 0)
                return 0;
        if (allowed)
                r = doctor_find(doctor, false, "interrupt-remapping-off",
                        "Interrupts are not remapped, and allow_unsafe_interrupts lets devices be "
                        "used nevertheless: a guest can send interrupts to the host.");
        else
                r = doctor_find(doctor, true, "interrupt-remapping-off",
                        "Interrupts are not remapped: devices are bound, but opening one fails "
                        "with \"Operation not permitted\".");
        if (r < 0)
                return r;
        if (doctor_boots_with(doctor, "intremap=off") || doctor_boots_with(doctor, "nointremap"))
                return doctor_remedy(doctor, "Take \"%s\" off the kernel command line and reboot.",
                        doctor_boots_with(doctor, "nointremap") ? "nointremap" : "intremap=off");
        return doctor_remedy(doctor,
                "Switch \"Interrupt Remapping\" and \"x2APIC\" on in the firmware setup. If the "
                "machine cannot, and every guest is trusted: \"options vfio_iommu_type1 "
                "allow_unsafe_interrupts=1\" in /etc/modprobe.d.");
}

int doctor_examine_iommu(Doctor *doctor)
{
        int r;

        r = examine_noiommu(doctor);
        if (r < 0)
                return r;
        if (doctor->snapshot->has_iommu)
                return examine_remapping(doctor);
        r = doctor_find(doctor, true, "iommu-off",
                "No IOMMU is in use: no device can be given to a guest.");
        return r < 0 ? r : add_remedy(doctor);
}
