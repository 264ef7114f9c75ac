/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/fake-kernel.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/fake-kernel-internal.h"
#include "lib/test.h"
#include "util/strings.h"

void fake_set(char target[static FAKE_NAME_MAX], const char *text)
{
        ASSERT_TRUE(strlen(text ?: "") < FAKE_NAME_MAX);
        strcpy(target, text ?: "");
}

_printf_(2, 3) static void violate(FakeKernel *kernel, const char *format, ...)
{
        size_t used = strlen(kernel->violations);
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(kernel->violations + used, sizeof(kernel->violations) - used, format,
                arguments);
        va_end(arguments);
}

/* "-" and "_" in names of modules are alike. */
static bool same_module(const char *a, const char *b)
{
        for (; *a && *b; a++, b++)
                if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
                        return false;
        return *a == *b;
}

static FakeDriver *find_driver(FakeKernel *kernel, const char *name)
{
        for (size_t i = 0; i < kernel->n_drivers; i++)
                if (same_module(kernel->drivers[i].name, name))
                        return &kernel->drivers[i];
        return NULL;
}

static FakeFunction *find_function(FakeKernel *kernel, const PciAddress *address)
{
        for (size_t i = 0; i < kernel->n_functions; i++)
                if (pci_address_equal(&kernel->functions[i].address, address))
                        return &kernel->functions[i];
        return NULL;
}

static const char *group_is_open(const FakeKernel *kernel, int64_t group)
{
        for (size_t i = 0; i < kernel->n_functions; i++) {
                const FakeFunction *function = &kernel->functions[i];

                if (function->group == group && function->open_by[0] &&
                    (!function->driver[0] || driver_is_vfio(function->driver)))
                        return function->open_by;
        }
        return NULL;
}

/* pci_match_device(): an override for another driver forbids; for this one it allows. */
static bool matches(const FakeFunction *function, const char *driver)
{
        if (function->not_ready || function->gone)
                return false;
        if (function->override[0])
                return streq(function->override, driver);
        return streq(function->host_drivers[0], driver) || streq(function->host_drivers[1], driver);
}

/* pci_device_can_probe() */
static bool can_probe(FakeKernel *kernel, const FakeFunction *function)
{
        const FakeFunction *pf;

        if (!function->is_virtual_function || function->override[0])
                return true;
        pf = find_function(kernel, &function->physical_function);
        return !pf || pf->autoprobe != 0;
}

static int probe_driver(FakeKernel *kernel, FakeFunction *function, const char *driver)
{
        if (!can_probe(kernel, function))
                return -ENODEV;
        if (streq(function->refused_by, driver))
                return function->refusal;
        if (driver_is_vfio(driver)) {
                if (function->group < 0)
                        return -EINVAL;
                if (function->num_vfs > 0)
                        return -EBUSY;
                fake_set(function->power_control, "auto");
        } else if (!driver_is_harmless(driver) && group_is_open(kernel, function->group)) {
                violate(kernel, "%s probes %s in an open group\n", driver,
                        PCI_ADDRESS_TEXT(&function->address));
                return -EBUSY;
        }
        fake_set(function->driver, driver);
        return 0;
}

/* device_attach(): the registered drivers in their order; a failed probe is none. */
static int attach(FakeKernel *kernel, FakeFunction *function)
{
        for (size_t i = 0; i < kernel->n_drivers && !function->driver[0]; i++) {
                const FakeDriver *driver = &kernel->drivers[i];
                int r;

                if (!driver->registered || !matches(function, driver->name))
                        continue;
                r = probe_driver(kernel, function, driver->name);
                if (r == -EBUSY)
                        return -EINVAL;
        }
        return 0;
}

static int load_module(FakeKernel *kernel, const char *name)
{
        FakeDriver *driver = find_driver(kernel, name);

        if (!driver)
                return -ENOENT;
        if (driver->registered)
                return 0;
        driver->registered = true;
        for (size_t i = 0; i < kernel->n_functions; i++)
                if (!kernel->functions[i].driver[0] &&
                    matches(&kernel->functions[i], driver->name))
                        (void) probe_driver(kernel, &kernel->functions[i], driver->name);
        return 0;
}

static int load_host_drivers(FakeKernel *kernel, const FakeFunction *function, char **ret)
{
        char text[2 * FAKE_NAME_MAX + 2] = "";

        for (size_t i = 0; i < ELEMENTSOF(function->host_drivers); i++) {
                const char *name = function->host_drivers[i];

                if (!name[0] || load_module(kernel, name) < 0)
                        continue;
                if (text[0])
                        strcat(text, "\n");
                strcat(text, name);
        }
        if (text[0])
                *ret = strdup(text);
        return 0;
}

static int write_override(FakeKernel *kernel, FakeFunction *function, const char *text)
{
        if (!function->has_override_file)
                return -ENOENT;
        if (function->attached_at_write[0] && !function->driver[0])
                fake_set(function->driver, function->attached_at_write);
        function->attached_at_write[0] = '\0';
        if (driver_is_vfio(function->driver) && streq(function->driver, function->override) &&
            !driver_is_vfio(text) && !function->override_may_differ)
                violate(kernel, "override of %s cleared while it is bound to %s\n",
                        PCI_ADDRESS_TEXT(&function->address), function->driver);
        fake_set(function->override, text);
        return 0;
}

static int unbind(FakeKernel *kernel, FakeFunction *function, const char *driver)
{
        if (!streq(function->driver, driver) || !driver[0])
                return -ENODEV;
        if (driver_is_vfio(driver)) {
                if (function->open_by[0])
                        violate(kernel, "%s unbound while it is open\n",
                                PCI_ADDRESS_TEXT(&function->address));
                /* vfio_pci_core_unregister_device(): pm_runtime_forbid() */
                fake_set(function->power_control, "on");
        } else if (function->in_use[0]) {
                violate(kernel, "%s unbound while it is in use\n",
                        PCI_ADDRESS_TEXT(&function->address));
        }
        function->driver[0] = '\0';
        return 0;
}

/* bind_store(): matching comes before "already bound". */
static int bind(FakeKernel *kernel, FakeFunction *function, const char *driver)
{
        const FakeDriver *entry = find_driver(kernel, driver);

        if (!entry || !entry->registered || !streq(entry->name, driver))
                return -ENOENT;
        if (!matches(function, driver))
                return -ENODEV;
        if (function->driver[0])
                return -EBUSY;
        return probe_driver(kernel, function, driver);
}

static int write_num_vfs(FakeFunction *function, unsigned number)
{
        if (!function->driver[0] || driver_is_vfio(function->driver))
                return -ENOENT;
        if (number > function->total_vfs)
                return -ERANGE;
        if (number > 0 && function->num_vfs > 0)
                return -EBUSY;
        function->num_vfs = number < function->possible_vfs ? number : function->possible_vfs;
        return 0;
}

static int check_guard(FakeFunction *function, const Operation *operation, char **ret)
{
        operation->ret_answer->has_waited = function->waits;
        function->waits = false;
        if (!function->in_use[0] || (operation->number & 1 << function->use))
                return 0;
        *ret = strdup(function->in_use);
        operation->ret_answer->use = function->use;
        operation->ret_answer->is_passing = function->passing;
        return 0;
}

static int read_text(const char *text, bool empty_is_none, char **ret)
{
        if (text[0] || !empty_is_none)
                *ret = strdup(text);
        return 0;
}

static int read_number(int number, char **ret)
{
        if (number < 0)
                return -ENOENT;
        return format_string(ret, "%d", number);
}

static int perform_on_function(FakeKernel *kernel, FakeFunction *function,
        const Operation *operation, char **ret)
{
        switch (operation->type) {
        case OPERATION_LOAD_HOST_DRIVERS:
                return load_host_drivers(kernel, function, ret);
        case OPERATION_READ_DRIVER:
                return read_text(function->driver, true, ret);
        case OPERATION_READ_OVERRIDE:
                return function->has_override_file ? read_text(function->override, true, ret)
                                                   : -ENOENT;
        case OPERATION_WRITE_OVERRIDE:
                return write_override(kernel, function, operation->text);
        case OPERATION_UNBIND:
                return unbind(kernel, function, operation->text);
        case OPERATION_BIND:
                return bind(kernel, function, operation->text);
        case OPERATION_PROBE:
                return attach(kernel, function);
        case OPERATION_READ_POWER_CONTROL:
                return read_text(function->power_control, false, ret);
        case OPERATION_WRITE_POWER_CONTROL:
                fake_set(function->power_control, operation->text);
                return 0;
        case OPERATION_READ_AUTOPROBE:
                return read_number(function->autoprobe, ret);
        case OPERATION_WRITE_AUTOPROBE:
                function->autoprobe = atoi(operation->text);
                return 0;
        case OPERATION_READ_NUM_VFS:
                return read_number(function->total_vfs > 0 ? (int) function->num_vfs : -1, ret);
        case OPERATION_WRITE_NUM_VFS:
                return write_num_vfs(function, (unsigned) atoi(operation->text));
        case OPERATION_GUARD:
                return check_guard(function, operation, ret);
        case OPERATION_LINK_NODE:
                function->linked = true;
                return 0;
        case OPERATION_UNLINK_NODE:
                function->linked = false;
                return 0;
        default:
                return fake_record_perform(function, operation);
        }
}

static int finish_node(FakeKernel *kernel, const Operation *operation)
{
        ASSERT_TRUE(operation->node && operation->node->user);
        kernel->node_is_set[operation->number] = kernel->account_error == 0;
        return kernel->account_error;
}

static int is_open(FakeKernel *kernel, const Operation *operation, char **ret)
{
        const char *who = group_is_open(kernel, operation->number);

        if (who)
                *ret = strdup(who);
        return 0;
}

static int perform(FakeKernel *kernel, const Operation *operation, char **ret)
{
        FakeFunction *function = find_function(kernel, &operation->address);
        int64_t group = operation->number;

        switch (operation->type) {
        case OPERATION_LOCK_GROUP:
                ASSERT_TRUE(!kernel->locked[group] || kill(kernel->locked_by[group], 0) < 0);
                kernel->locked[group] = true;
                kernel->locked_by[group] = getpid();
                return 0;
        case OPERATION_UNLOCK_GROUP:
                ASSERT_TRUE(kernel->locked[group]);
                kernel->locked[group] = false;
                return 0;
        case OPERATION_TEST_LOCK:
                return kernel->locked[group] ? -EWOULDBLOCK : 0;
        case OPERATION_SECURE_NODE:
                kernel->node_is_set[group] = false;
                return 0;
        case OPERATION_FINISH_NODE:
                return finish_node(kernel, operation);
        case OPERATION_ANNOUNCE_NODE:
                kernel->announced[group] = true;
                return 0;
        case OPERATION_BEGIN_INTENT:
                kernel->has_intent[group] = true;
                return 0;
        case OPERATION_END_INTENT:
                kernel->has_intent[group] = false;
                return 0;
        case OPERATION_IS_OPEN:
                return is_open(kernel, operation, ret);
        case OPERATION_LOAD_MODULE:
                return load_module(kernel, operation->text);
        default:
                if (!function || function->gone ||
                    (operation->inode != 0 && operation->inode != function->inode))
                        return -ENODEV;
                return perform_on_function(kernel, function, operation, ret);
        }
}

static void trace(FakeKernel *kernel, const Operation *operation, int r, const char *result)
{
        static const char *const without_address[] = { "lock-group", "unlock-group", "test-lock",
                "secure-node", "finish-node", "announce-node", "begin-intent", "end-intent" };
        const char *name = operation_type_to_string(operation->type);
        char address[PCI_ADDRESS_TEXT_MAX + 1] = "";
        size_t used = strlen(kernel->trace);
        bool of_group = false;

        for (size_t i = 0; i < ELEMENTSOF(without_address); i++)
                of_group = of_group || streq(name, without_address[i]);
        if (of_group)
                (void) snprintf(address, sizeof(address), "%d", (int) operation->number);
        else
                pci_address_format(&operation->address, address);
        (void) snprintf(kernel->trace + used, sizeof(kernel->trace) - used, "%s %s%s%s%s%s%s%s\n",
                name, address, operation->text ? " " : "", operation->text ?: "",
                result ? " = " : "", result ?: "", r < 0 ? " ! " : "",
                r < 0 ? strerrorname_np(-r) : "");
}

static const FakeInjection *find_injection(const FakeKernel *kernel)
{
        for (size_t i = 0; i < FAKE_INJECTIONS_MAX; i++)
                if (kernel->injections[i].at != 0 &&
                    kernel->injections[i].at == kernel->n_operations)
                        return &kernel->injections[i];
        return NULL;
}

static int perform_injected(FakeKernel *kernel, const FakeInjection *injection,
        const Operation *operation, char **ret)
{
        kernel->hit_write = kernel->hit_write || operation_is_write(operation->type);
        switch (injection->failure) {
        case FAKE_BLOCK:
                for (;;)
                        (void) pause();
        case FAKE_KILL_AFTER:
                (void) perform(kernel, operation, ret);
                (void) raise(SIGKILL);
                return -EINTR;
        case FAKE_KILL:
                (void) raise(SIGKILL);
                return -EINTR;
        case FAKE_FAIL_AFTER: {
                _cleanup_free_ char *text = NULL;

                /* nothing is handed out by a failed call; a record neither */
                if (operation->type != OPERATION_LOAD_RECORD)
                        (void) perform(kernel, operation, &text);
                return injection->error;
        }
        case FAKE_FAIL_BEFORE:
        default:
                return injection->error;
        }
}

static int perform_counted(void *userdata, const Operation *operation, char **ret_text)
{
        FakeKernel *kernel = userdata;
        const FakeInjection *injection;
        char *text = NULL;
        int r;

        kernel->n_operations++;
        if (kernel->hook)
                kernel->hook(kernel, operation);
        injection = find_injection(kernel);
        r = injection ? perform_injected(kernel, injection, operation, &text)
                      : perform(kernel, operation, &text);
        if (kernel->keep_trace)
                trace(kernel, operation, r, text);
        if (ret_text && r >= 0)
                *ret_text = text;
        else
                free(text);
        return r;
}

void fake_kernel_operations(FakeKernel *kernel, Operations *ret)
{
        *ret = (Operations){ .userdata = kernel, .perform = perform_counted };
}

void fake_kernel_add_driver(FakeKernel *kernel, const char *name, bool registered)
{
        FakeDriver *driver = find_driver(kernel, name);

        if (!driver) {
                ASSERT_TRUE(kernel->n_drivers < FAKE_DRIVERS_MAX);
                driver = &kernel->drivers[kernel->n_drivers++];
                fake_set(driver->name, name);
        }
        driver->registered = driver->registered || registered;
}

void fake_kernel_remove_driver(FakeKernel *kernel, const char *name)
{
        FakeDriver *driver = fake_kernel_driver(kernel, name);

        *driver = kernel->drivers[--kernel->n_drivers];
}

FakeDriver *fake_kernel_driver(FakeKernel *kernel, const char *name)
{
        FakeDriver *driver = find_driver(kernel, name);

        ASSERT_TRUE(driver);
        return driver;
}

FakeFunction *fake_kernel_function(FakeKernel *kernel, const char *text)
{
        PciAddress address;
        FakeFunction *function;

        ASSERT_OK(pci_address_parse(text, &address));
        function = find_function(kernel, &address);
        ASSERT_TRUE(function);
        return function;
}

void fake_kernel_inject(FakeKernel *kernel, unsigned at, FakeFailure failure, int error)
{
        for (size_t i = 0; i < FAKE_INJECTIONS_MAX; i++) {
                if (kernel->injections[i].at != 0)
                        continue;
                kernel->injections[i] = (FakeInjection){ at, failure, error };
                return;
        }
        abort();
}

static void add_function(FakeKernel *kernel, const Device *device)
{
        FakeFunction *function;

        ASSERT_TRUE(kernel->n_functions < FAKE_FUNCTIONS_MAX);
        function = &kernel->functions[kernel->n_functions++];
        *function = (FakeFunction){
                .address = device->address,
                .inode = device->inode,
                .group = device->group,
                .is_virtual_function = device->is_virtual_function,
                .physical_function = device->physical_function,
                .has_override_file = device->has_override_file,
                .total_vfs = device->sriov_total_vfs,
                .possible_vfs = device->sriov_total_vfs,
                .autoprobe = device->sriov_autoprobe,
        };
        fake_set(function->driver, device->driver);
        fake_set(function->power_control, driver_is_vfio(device->driver) ? "auto" : "on");
        for (size_t i = 0; device->host_drivers.list && device->host_drivers.list[i] &&
             i < ELEMENTSOF(function->host_drivers); i++) {
                fake_set(function->host_drivers[i], device->host_drivers.list[i]);
                fake_kernel_add_driver(kernel, device->host_drivers.list[i], false);
        }
        if (device->driver)
                fake_kernel_add_driver(kernel, device->driver, true);
        fake_record_load(&function->record, device->record);
}

FakeKernel *fake_kernel_new(const Snapshot *snapshot)
{
        FakeKernel *kernel = mmap(NULL, sizeof(FakeKernel), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        ASSERT_TRUE(kernel != MAP_FAILED);
        for (size_t i = 0; i < snapshot->n_devices; i++)
                add_function(kernel, &snapshot->devices[i]);
        fake_kernel_add_driver(kernel, "vfio-pci", false);
        fake_kernel_add_driver(kernel, "vfio_iommu_type1", false);
        fake_kernel_add_driver(kernel, "pci-stub", false);
        return kernel;
}

FakeKernel *fake_kernel_free(FakeKernel *kernel)
{
        if (kernel)
                ASSERT_OK(munmap(kernel, sizeof(FakeKernel)));
        return NULL;
}
