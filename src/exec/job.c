/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec/job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "exec/intent.h"
#include "util/io.h"
#include "util/strings.h"

bool physical_function_has_work(const PhysicalFunctionPlan *plan)
{
        return plan->autoprobe_off || plan->autoprobe_restore || plan->set_num_vfs;
}

static int prepare_report(Job *job)
{
        const GroupPlan *group = job->group;
        GroupReport *report = &job->report;

        report->number = group->number;
        report->members = calloc(group->n_members + 1, sizeof(MemberReport));
        if (!report->members)
                return -ENOMEM;
        for (size_t i = 0; i < group->n_members; i++) {
                const Device *device = group->members[i].device;
                MemberReport *member = &report->members[report->n_members];

                if (group->members[i].action == ACTION_NONE)
                        continue;
                member->address = device->address;
                (void) snprintf(member->from, sizeof(member->from), "%s", device->driver ?: "");
                report->n_members++;
        }
        return 0;
}

Job *job_new(const GroupPlan *group, const PhysicalFunctionPlan *physical_function,
        const TransactionOptions *options)
{
        Job *job = calloc(1, sizeof(*job));

        if (!job)
                return NULL;

        job->group = group;
        job->physical_function = physical_function;
        job->worker.pidfd = job->worker.socket = -1;
        job->options = *options;
        if (replace_string(&job->config_digest, options->config_digest) < 0)
                return job_free(job);
        job->options.config_digest = job->config_digest;
        job->timeout_usec =
                group ? group_timeout(group) : physical_function_timeout(physical_function);

        if (group && prepare_report(job) < 0)
                return job_free(job);
        if (physical_function)
                job->physical_function_report.address = physical_function->device->address;
        return job;
}

Job *job_free(Job *job)
{
        if (!job)
                return NULL;

        worker_done(&job->worker);
        group_report_done(&job->report);
        free(job->config_digest);
        free(job);
        return NULL;
}

uint64_t job_deadline(const Job *job, uint64_t started_usec)
{
        return job->timeout_usec < USEC_INFINITY - started_usec ? started_usec + job->timeout_usec
                                                                : USEC_INFINITY;
}

void job_begin(Job *job, uint64_t start_usec)
{
        uint64_t now = now_monotonic();

        job->state = JOB_RUNNING;
        job->deadline_usec = job_deadline(job, now + start_usec);
        job->look_usec = job_deadline(job, now);
}

static void look_at_board(Job *job)
{
        ProgressOperation operation;
        uint64_t now = now_monotonic();
        int r;

        if (!job->worker.board)
                return;
        if (job->look_usec <= now)
                job->look_usec = job->deadline_usec;
        r = progress_board_read(job->worker.board, &operation);
        if (r < 0) {
                /* killed while it wrote, so it may have come as far as that */
                job->has_operation = job->operation.has_written = true;
                return;
        }
        /* what it did for the job before is still there */
        if (r == 0 || operation.task != job->number)
                return;
        job->operation = operation;
        job->has_operation = true;
        /* a clock of its own gives nobody more time */
        if (job->operation.started_usec > now)
                job->operation.started_usec = now;
        job->look_usec = job->deadline_usec = job_deadline(job, job->operation.started_usec);
}

static void take_member(Job *job, uint32_t index, const MemberReport *member)
{
        if (!job->group || index != job->n_received || index >= job->report.n_members ||
            !pci_address_equal(&job->report.members[index].address, &member->address))
                return;
        job->report.members[index] = *member;
        job->n_received++;
}

static void take_group(Job *job, uint32_t n_members, const GroupReport *group)
{
        MemberReport *members = job->report.members;

        if (!job->group || n_members != job->report.n_members ||
            job->n_received != job->report.n_members || group->number != job->group->number)
                return;
        job->report = *group;
        job->report.members = members;
        job->report.n_members = n_members;
        job->is_complete = true;
}

static void take_physical_function(Job *job, const PhysicalFunctionReport *report)
{
        if (!job->physical_function ||
            !pci_address_equal(&report->address, &job->physical_function->device->address))
                return;
        job->physical_function_report = *report;
        job->is_complete = true;
}

static void take_message(Job *job, const ProgressMessage *message)
{
        if (message->task != job->number)
                return;
        switch (message->type) {
        case PROGRESS_MEMBER:
                take_member(job, message->index, &message->member);
                break;
        case PROGRESS_GROUP:
                take_group(job, message->index, &message->group);
                break;
        case PROGRESS_PHYSICAL_FUNCTION:
                take_physical_function(job, &message->physical_function);
                break;
        default:
                break;
        }
}

static void close_socket(Job *job)
{
        close_descriptor(&job->worker.socket);
        job->worker.socket = -1;
}

void job_receive(Job *job)
{
        look_at_board(job);
        for (unsigned i = 0; i < JOB_MESSAGES_MAX && !job->is_complete; i++) {
                ProgressMessage message;
                int r;

                if (job->worker.socket < 0)
                        break;
                r = progress_receive(job->worker.socket, &message);
                if (r > 0) {
                        take_message(job, &message);
                } else if (r == 0) {
                        break;
                } else if (r != -EBADMSG) {
                        close_socket(job);
                }
        }
}

_printf_(5, 6) static void report_all(Job *job, State state, Reason reason, int error,
        const char *format, ...)
{
        PhysicalFunctionReport *physical_function = &job->physical_function_report;
        GroupReport *group = &job->report;
        char text[sizeof(group->text)];
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);

        physical_function->state = group->state = state;
        physical_function->reason = group->reason = reason;
        physical_function->error = error;
        strcpy(physical_function->text, text);
        strcpy(group->text, text);
        for (size_t i = 0; i < group->n_members; i++) {
                group->members[i].state = state;
                group->members[i].reason = reason;
                group->members[i].error = error;
                strcpy(group->members[i].text, text);
        }
}

static const char *operation_name(const Job *job)
{
        return job->has_operation ? operation_type_to_string(job->operation.type) : "begin";
}

/* The transaction finds in the records how its members were before the first worker. */
static void queue_again(Job *job)
{
        worker_done(&job->worker);
        job->is_second = true;
        job->has_operation = false;
        job->n_received = 0;
        job->state = JOB_QUEUED;
}

void job_finish_ended(Job *job)
{
        if (!job->is_complete && !job->is_second) {
                queue_again(job);
                return;
        }
        job->state = JOB_FINISHED;
        if (job->is_complete)
                return;

        if (job->has_operation && job->operation.has_written)
                report_all(job, STATE_FAILED, REASON_ROLLBACK_FAILED, -ECHILD,
                        "The worker was killed at the step %s and has put back nothing. Run "
                        "\"vfio-bindctl apply\" to finish, or ReleaseDevice over D-Bus to undo it",
                        operation_name(job));
        else
                report_all(job, STATE_FAILED, REASON_ROLLED_BACK, -ECHILD,
                        "The worker was killed at the step %s, before anything was changed. Run "
                        "\"vfio-bindctl apply\"", operation_name(job));
}

void job_finish_unstarted(Job *job, int error)
{
        job->state = JOB_FINISHED;
        if (error == -ETIMEDOUT)
                report_all(job, STATE_PENDING, REASON_WORKER_TIMEOUT, error,
                        "The time was over before it was begun. It is judged again at the next "
                        "stage");
        else
                report_all(job, STATE_FAILED, REASON_ROLLED_BACK, error,
                        "No worker could be started (%s), nothing was changed. Free memory or "
                        "processes, then run \"vfio-bindctl apply\"", strerror(-error));
}

uint64_t job_peek_task(Job *job)
{
        for (unsigned i = 0; i < JOB_MESSAGES_MAX && job->worker.socket >= 0; i++) {
                uint64_t task;
                int r = progress_peek(job->worker.socket, &task);

                if (r > 0)
                        return task;
                if (r == 0)
                        break;
                if (r != -EBADMSG)
                        close_socket(job);
        }
        return 0;
}

void job_drop_message(Job *job)
{
        ProgressMessage message;

        if (job->worker.socket >= 0 && progress_receive(job->worker.socket, &message) == -ENOTCONN)
                close_socket(job);
}

uint64_t job_board_task(const Job *job)
{
        ProgressOperation operation;

        if (!job->worker.board || progress_board_read(job->worker.board, &operation) <= 0)
                return 0;
        return operation.task == job->number ? 0 : operation.task;
}

void job_pass_worker(Job *job, Job *next)
{
        next->worker = job->worker;
        job->worker = (Worker){ .pidfd = -1, .socket = -1 };
        job->state = job->state == JOB_DONE ? JOB_FINISHED : JOB_GONE;
}

static void let_go_of_plan(Job *job, JobState state)
{
        job->state = state;
        job->group = NULL;
        job->physical_function = NULL;
        group_report_done(&job->report);
}

void job_rest(Job *job)
{
        let_go_of_plan(job, JOB_RESTING);
}

static const MemberPlan *find_stuck(const Job *job)
{
        const MemberPlan *first = NULL;

        for (size_t i = 0; job->group && i < job->group->n_members; i++) {
                const MemberPlan *member = &job->group->members[i];

                if (member->action == ACTION_NONE)
                        continue;
                if (job->has_operation &&
                    pci_address_equal(&member->device->address, &job->operation.address))
                        return member;
                if (!first)
                        first = member;
        }
        return first;
}

/* Who sits on it: the driver whose code runs in this step. */
static const char *find_culprit(const Job *job, const MemberPlan *member)
{
        switch (job->operation.type) {
        case OPERATION_BIND:
                return member && member->target ? member->target : "its driver";
        case OPERATION_LOAD_MODULE:
        case OPERATION_LOAD_HOST_DRIVERS:
                return "a module";
        default:
                break;
        }
        if (member)
                return member->device->driver ? member->device->driver : "its driver";
        return job->physical_function && job->physical_function->device->driver
                ? job->physical_function->device->driver : "its driver";
}

static int load_record(const Operations *operations, const Device *device, DeviceRecord **ret)
{
        Operation operation = {
                .type = OPERATION_LOAD_RECORD,
                .address = device->address,
                .inode = device->inode,
                .ret_record = ret,
        };

        return operations->perform(operations->userdata, &operation, NULL);
}

/* A worker holds its group's lock until it has written what came of it. */
static bool is_done(const Operations *operations, const Device *device)
{
        Operation operation = { .type = OPERATION_TEST_LOCK, .number = device->group };

        return device->group >= 0 &&
                operations->perform(operations->userdata, &operation, NULL) >= 0;
}

/* The record was written since the plan was made. */
static bool has_outcome(const Device *device, const DeviceRecord *record)
{
        const DeviceRecord none = {}, *before = device->record ?: &none;

        return record && (record->state != before->state ||
                                 record->bound_usec != before->bound_usec);
}

/* All that is known besides stays in the record. What a worker that was not killed writes just
 * between our look and our writing is lost: it has the lock, and cannot be waited for. */
static void save_stuck(const Operations *operations, const Device *device, const char *text,
        bool killed)
{
        DeviceRecord *previous = NULL, record = {};
        Operation operation = {
                .type = OPERATION_SAVE_RECORD,
                .address = device->address,
                .inode = device->inode,
                .record = &record,
        };

        if (!killed && is_done(operations, device))
                return;
        if (load_record(operations, device, &previous) >= 0 && previous)
                record = *previous;
        record.state = STATE_STUCK;
        record.reason = REASON_WORKER_TIMEOUT;
        record.reason_text = (char *) text;
        /* the report says it in any case */
        if (killed || !has_outcome(device, previous))
                (void) operations->perform(operations->userdata, &operation, NULL);
        device_record_free(previous);
}

/* When a worker that was killed comes back, it ends where it is, and so may one that goes on
 * without us (its own deadline, udevd's cleaning up): what it had to do is taken up from the
 * intent, which it may not have come to write. One that is too many finds nothing left to be
 * done. */
static void begin_intent(const Job *job, const Operations *operations)
{
        _cleanup_free_ char *text = NULL;
        Operation operation = { .type = OPERATION_BEGIN_INTENT };

        if (!job->group || job->group->number < 0 ||
            intent_format(job->group, job->options.stage, &text) < 0 || !text)
                return;
        operation.number = job->group->number;
        operation.text = text;
        /* the report says that it is stuck in any case */
        (void) operations->perform(operations->userdata, &operation, NULL);
}

void job_give_up(Job *job, const Operations *operations, bool killed)
{
        const MemberPlan *member = find_stuck(job);
        const Device *device = job->physical_function ? job->physical_function->device
                                                      : member ? member->device : NULL;
        uint64_t now = now_monotonic(), seconds = 0;

        job->state = JOB_GIVEN_UP;
        job->was_given_up = true;
        if (job->has_operation && job->operation.type == OPERATION_LOCK_GROUP) {
                report_all(job, STATE_PENDING, REASON_WORKER_TIMEOUT, -ETIMEDOUT,
                        "Another process of vfio-bindd works on its group and does not come to an "
                        "end. See \"vfio-bindctl list\"");
                return;
        }
        if (!job->has_operation) {
                report_all(job, STATE_PENDING, REASON_WORKER_TIMEOUT, -ETIMEDOUT,
                        "Its worker had not begun when the time was over. See \"vfio-bindctl "
                        "list\", and run \"vfio-bindctl apply\" where it is still pending");
                return;
        }
        seconds = (now - job->operation.started_usec) / USEC_PER_SEC;
        report_all(job, STATE_STUCK, REASON_WORKER_TIMEOUT, -ETIMEDOUT,
                killed ? "The step %s of %s has not come back for %" PRIu64 " s, %s holds it. "
                         "Stop what uses the device; if it never comes back, only a reboot helps "
                         "(RebootWatchdogSec=)"
                       : "The step %s of %s had taken %" PRIu64 " s when the time of this stage "
                         "was over, %s holds it. It goes on by itself; see "
                         "\"vfio-bindctl list\"",
                operation_name(job), device ? PCI_ADDRESS_TEXT(&device->address) : "its group",
                seconds, find_culprit(job, member));
        if (device)
                save_stuck(operations, device, job->report.text, killed);
        begin_intent(job, operations);
}

void job_abandon(Job *job)
{
        let_go_of_plan(job, JOB_ABANDONED);
        close_socket(job);
}
