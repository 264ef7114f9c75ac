/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "exec/transaction.h"
#include "util/parse.h"
#include "util/strings.h"

/* SR-IOV physical functions: autoprobe of their VFs, and how many there are. */

typedef struct Work {
        const PhysicalFunctionPlan *plan;
        const TransactionOptions *options;
        const Operations *operations;
        DeviceRecord *previous;
        PhysicalFunctionReport *report;
} Work;

static int perform(const Work *work, OperationType type, const char *text,
        const DeviceRecord *record, char **ret_text)
{
        Operation operation = {
                .type = type,
                .address = work->plan->device->address,
                .inode = work->plan->device->inode,
                .number = work->plan->device->group,
                .text = text,
                .record = record,
        };

        return work->operations->perform(work->operations->userdata, &operation, ret_text);
}

_printf_(5, 6) static bool stop(Work *work, State state, Reason reason, int error,
        const char *format, ...)
{
        va_list arguments;

        work->report->state = state;
        work->report->reason = reason;
        work->report->error = error;
        va_start(arguments, format);
        (void) vsnprintf(work->report->text, sizeof(work->report->text), format, arguments);
        va_end(arguments);
        return false;
}

static bool stop_operation(Work *work, OperationType type, int error)
{
        if (error == -ENODEV)
                return stop(work, STATE_FAILED, REASON_ABSENT, error,
                        "It was removed or replaced while it was worked on. What stands in its "
                        "place is judged anew");
        return stop(work, STATE_FAILED, REASON_PROBE_FAILED, error,
                "The step %s failed (%s). See \"journalctl -k\" for what its driver says, then "
                "run \"vfio-bindctl apply\"", operation_type_to_string(type), strerror(-error));
}

static int load_record(Work *work)
{
        Operation operation = {
                .type = OPERATION_LOAD_RECORD,
                .address = work->plan->device->address,
                .inode = work->plan->device->inode,
                .ret_record = &work->previous,
        };

        return work->operations->perform(work->operations->userdata, &operation, NULL);
}

/* Originals are written once; an earlier one of this function may know nothing of autoprobe yet. */
static int record_autoprobe(Work *work, char *value)
{
        DeviceRecord record = {};
        _cleanup_free_ char *driver = NULL;
        int r;

        if (work->previous)
                record = *work->previous;
        if (record.original_autoprobe)
                return 0;

        record.original_autoprobe = value;
        if (record.has_original)
                return perform(work, OPERATION_REPLACE_ORIGINAL, NULL, &record, NULL);

        r = perform(work, OPERATION_READ_DRIVER, NULL, NULL, &driver);
        if (r < 0)
                return r;
        record.has_original = true;
        record.original_driver = driver;
        r = perform(work, OPERATION_SAVE_ORIGINAL, NULL, &record, NULL);
        return r == -EEXIST ? 0 : r;
}

static bool write_autoprobe(Work *work, const char *value)
{
        _cleanup_free_ char *now = NULL;
        int r;

        r = perform(work, OPERATION_WRITE_AUTOPROBE, value, NULL, NULL);
        if (r < 0)
                return stop_operation(work, OPERATION_WRITE_AUTOPROBE, r);
        r = perform(work, OPERATION_READ_AUTOPROBE, NULL, NULL, &now);
        if (r < 0)
                return stop_operation(work, OPERATION_READ_AUTOPROBE, r);
        if (!streq_null(now, value))
                return stop(work, STATE_FAILED, REASON_PROBE_FAILED, 0,
                        "sriov_drivers_autoprobe reads \"%s\" after \"%s\" was written. Find out "
                        "who sets it, then run \"vfio-bindctl apply\"", now ?: "", value);
        return true;
}

static bool turn_autoprobe_off(Work *work)
{
        _cleanup_free_ char *value = NULL;
        int r;

        r = perform(work, OPERATION_READ_AUTOPROBE, NULL, NULL, &value);
        if (r == -ENOENT)
                return stop(work, STATE_REFUSED, REASON_SRIOV_UNSUPPORTED, r,
                        "It has no sriov_drivers_autoprobe: SR-IOV is off in its firmware, or this "
                        "kernel has none");
        if (r < 0)
                return stop_operation(work, OPERATION_READ_AUTOPROBE, r);
        if (streq_null(value, "0"))
                return true;

        r = record_autoprobe(work, value);
        if (r == -ENODEV)
                return stop_operation(work, OPERATION_SAVE_ORIGINAL, r);
        if (r < 0)
                return stop(work, STATE_FAILED, REASON_ROLLED_BACK, r,
                        "/run/vfio-bindd could not be used (%s). Make room on /run and see that "
                        "it is writable, then run \"vfio-bindctl apply\"", strerror(-r));
        work->report->autoprobe_off = write_autoprobe(work, "0");
        return work->report->autoprobe_off;
}

/* Whoever turns it off from now on is not us. What else the record says of the PF stays. */
static int forget_autoprobe(Work *work)
{
        DeviceRecord record = *work->previous;
        int r;

        record.original_autoprobe = NULL;
        if (record.original_power_control)
                return perform(work, OPERATION_REPLACE_ORIGINAL, NULL, &record, NULL);

        r = perform(work, OPERATION_REMOVE_RECORD, NULL, NULL, NULL);
        if (r >= 0 && (record.provenance != PROVENANCE_NONE || record.manual != MANUAL_NONE))
                return perform(work, OPERATION_SAVE_RECORD, NULL, &record, NULL);
        if (r >= 0)
                work->previous = device_record_free(work->previous);
        return r;
}

static bool restore_autoprobe(Work *work)
{
        const DeviceRecord *record = work->previous;
        int r;

        if (!record || !record->original_autoprobe)
                return true;
        if (!write_autoprobe(work, record->original_autoprobe))
                return false;
        work->report->autoprobe_restored = true;
        r = forget_autoprobe(work);
        return r < 0 ? stop_operation(work, OPERATION_REMOVE_RECORD, r) : true;
}

static bool read_num_vfs(Work *work, uint64_t *ret)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = perform(work, OPERATION_READ_NUM_VFS, NULL, NULL, &text);
        if (r == -ENOENT)
                return stop(work, STATE_REFUSED, REASON_SRIOV_UNSUPPORTED, r,
                        "It has no sriov_numvfs. Turn SR-IOV on in its firmware");
        if (r >= 0)
                r = text ? parse_unsigned(text, UINT16_MAX, ret) : -EINVAL;
        if (r < 0)
                return stop_operation(work, OPERATION_READ_NUM_VFS, r);
        return true;
}

static bool stop_num_vfs(Work *work, const char *driver, int error)
{
        unsigned wanted = work->plan->num_vfs;

        if (error == -ENOENT)
                return stop(work, STATE_FAILED, REASON_SRIOV_UNSUPPORTED, error,
                        "Its driver %s makes no virtual functions. Use another driver for it, or "
                        "take NumVFs= out", driver);
        if (error == -ERANGE)
                return stop(work, STATE_FAILED, REASON_VFS_FEWER_THAN_ASKED, error,
                        "It cannot have %u virtual functions. Ask for fewer", wanted);
        if (error == -ENOMEM || error == -ENOSPC || error == -EINVAL)
                return stop(work, STATE_FAILED, REASON_VFS_FEWER_THAN_ASKED, error,
                        "There is no room for %u virtual functions (%s). Ask for fewer, or boot "
                        "with pci=realloc", wanted, strerror(-error));
        return stop_operation(work, OPERATION_WRITE_NUM_VFS, error);
}

static int perform_on(const Work *work, const Device *vf, Operation *operation, char **ret_text)
{
        operation->address = vf->address;
        operation->inode = vf->inode;
        return work->operations->perform(work->operations->userdata, operation, ret_text);
}

static bool stop_in_use(Work *work, const Device *vf, int error, const char *why)
{
        return stop(work, STATE_REFUSED, REASON_NUMVFS_DIFFERS, error,
                "Its virtual function %s may be in use: %s. Stop that, then run "
                "\"vfio-bindctl apply\"", PCI_ADDRESS_TEXT(&vf->address), why);
}

uint64_t physical_function_timeout(const PhysicalFunctionPlan *physical_function)
{
        return physical_function->section ? physical_function->section->timeout_usec
                                          : TRANSACTION_DEFAULT_TIMEOUT_USEC;
}

/* The second look, as before every unbind: removing a VF unbinds it. One without a driver may still
 * be open: an unbind that waits for whoever has it open has taken the driver's link away first. */
static bool check_virtual_function(Work *work, const Device *vf)
{
        _cleanup_free_ char *driver = NULL, *why = NULL;
        Operation read = { .type = OPERATION_READ_DRIVER };
        Operation guard = { .type = OPERATION_GUARD };
        Operation is_open = { .type = OPERATION_IS_OPEN, .number = vf->group };
        GuardAnswer answer = {};
        int r;

        r = perform_on(work, vf, &read, &driver);
        if (r < 0)
                return stop_in_use(work, vf, r, strerror(-r));
        guard.ret_answer = &answer;
        r = perform_on(work, vf, !driver || driver_is_vfio(driver) ? &is_open : &guard, &why);
        if (r < 0)
                return stop_in_use(work, vf, r, strerror(-r));
        return why ? stop_in_use(work, vf, 0, why) : true;
}

static bool write_num_vfs(Work *work, const char *driver, uint64_t number)
{
        char text[24];
        int r;

        (void) snprintf(text, sizeof(text), "%" PRIu64, number);
        r = perform(work, OPERATION_WRITE_NUM_VFS, text, NULL, NULL);
        return r < 0 ? stop_num_vfs(work, driver, r) : true;
}

/* As many as there were are better than none. */
static void put_number_back(Work *work, uint64_t before)
{
        uint64_t now;
        PhysicalFunctionReport report = *work->report;
        char text[24];

        (void) snprintf(text, sizeof(text), "%" PRIu64, before);
        if (read_num_vfs(work, &now) && now == 0)
                (void) perform(work, OPERATION_WRITE_NUM_VFS, text, NULL, NULL);
        *work->report = report;
}

/* The kernel changes no number but 0 (EBUSY in sriov_numvfs_store(), drivers/pci/iov.c). */
static bool remove_virtual_functions(Work *work, const char *driver, uint64_t now)
{
        const PhysicalFunctionPlan *plan = work->plan;

        if (now != plan->n_virtual_functions)
                return stop(work, STATE_REFUSED, REASON_NUMVFS_DIFFERS, 0,
                        "It has %" PRIu64 " virtual functions, %u are asked for. Stop what uses "
                        "them and run \"vfio-bindctl apply\"", now, plan->num_vfs);
        for (size_t i = 0; i < plan->n_virtual_functions; i++)
                if (!check_virtual_function(work, plan->virtual_functions[i]))
                        return false;
        if (write_num_vfs(work, driver, 0))
                return true;
        put_number_back(work, now); /* they may be gone all the same */
        return false;
}

static bool make_virtual_functions(Work *work, const char *driver)
{
        unsigned wanted = work->plan->num_vfs;
        uint64_t now;

        if (wanted > 0 && !write_num_vfs(work, driver, wanted))
                return false;
        if (!read_num_vfs(work, &now))
                return false;
        if (now < wanted)
                return stop(work, STATE_FAILED, REASON_VFS_FEWER_THAN_ASKED, 0,
                        "%u virtual functions were asked for, %" PRIu64 " came. Ask for that many",
                        wanted, now);
        return true;
}

static bool set_num_vfs(Work *work)
{
        _cleanup_free_ char *driver = NULL;
        uint64_t before;
        int r;

        if (!read_num_vfs(work, &before))
                return false;
        if (before == work->plan->num_vfs)
                return true;

        r = perform(work, OPERATION_READ_DRIVER, NULL, NULL, &driver);
        if (r < 0)
                return stop_operation(work, OPERATION_READ_DRIVER, r);
        if (!driver)
                return stop(work, STATE_PENDING, REASON_PF_NOT_BOUND, 0,
                        "It needs its host driver before virtual functions can be made");

        if (before > 0 && !remove_virtual_functions(work, driver, before))
                return false;
        if (make_virtual_functions(work, driver)) {
                work->report->num_vfs_written = true;
                work->report->num_vfs = work->plan->num_vfs;
                return true;
        }
        if (before > 0)
                put_number_back(work, before);
        return false;
}

static bool carry_out(Work *work)
{
        int r;

        r = load_record(work);
        if (r < 0)
                return stop_operation(work, OPERATION_LOAD_RECORD, r);
        if (work->plan->autoprobe_off && !turn_autoprobe_off(work))
                return false;
        if (work->plan->autoprobe_restore && !restore_autoprobe(work))
                return false;
        return !work->plan->set_num_vfs || set_num_vfs(work);
}

/* A failure is kept, so that it is not tried again by itself under the same configuration. */
static void save_outcome(Work *work)
{
        const PhysicalFunctionReport *report = work->report;
        DeviceRecord record = {};

        if (report->state != STATE_FAILED && (!work->previous ||
            work->previous->state != STATE_FAILED))
                return;
        if (work->previous)
                record = *work->previous;
        record.state = report->state == STATE_FAILED ? STATE_FAILED : STATE_UNCLAIMED;
        record.reason = report->reason;
        record.reason_text = report->text[0] ? (char *) report->text : NULL;
        record.config_digest = (char *) work->options->config_digest;
        /* the report says it in any case */
        (void) perform(work, OPERATION_SAVE_RECORD, NULL, &record, NULL);
}

int physical_function_run(const PhysicalFunctionPlan *plan, const TransactionOptions *options,
        const Operations *operations, PhysicalFunctionReport *ret)
{
        PhysicalFunctionReport report = {
                .address = plan->device->address,
                .state = STATE_BOUND,
        };
        Work work = {
                .plan = plan,
                .options = options,
                .operations = operations,
                .report = &report,
        };
        bool has_group = plan->device->group >= 0;
        int r = 0;

        if (has_group)
                r = perform(&work, OPERATION_LOCK_GROUP, NULL, NULL, NULL);
        if (r < 0) {
                stop_operation(&work, OPERATION_LOCK_GROUP, r);
        } else {
                if (carry_out(&work)) {
                        /* where the number was wrong, it is right now */
                        bool is_settled = plan->reason == REASON_NONE || plan->set_num_vfs;

                        report.state = is_settled ? STATE_BOUND : plan->state;
                        report.reason = is_settled ? REASON_NONE : plan->reason;
                        (void) snprintf(report.text, sizeof(report.text), "%s",
                                is_settled || !plan->text ? "" : plan->text);
                }
                save_outcome(&work);
                if (has_group)
                        (void) perform(&work, OPERATION_UNLOCK_GROUP, NULL, NULL, NULL);
        }

        device_record_free(work.previous);
        *ret = report;
        return 0;
}
