/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every single operation of every kind of plan fails once, with different errors, before and after
 * it took effect; then every two of them. Whatever fails: a group is whole, a function that had a
 * driver has one, overrides are as they were, and the report says what is true. */
#include <errno.h>

#include "lib/test.h"
#include "scenarios.h"
#include "util/strings.h"

typedef struct Case {
        const Stand *stand;
        const GroupReport *report;
        const FakeKernel *before;
        const char *what; /* which injections, for messages */
        unsigned n_failures; /* injected, and that of a scenario that fails by itself */
} Case;

static void fail(const Case *test, const FakeFunction *function, const char *rule)
{
        _cleanup_free_ char *text = stand_format(test->stand, test->report);

        fprintf(stderr, "%s: %s: %s: %s\n%s%s", test->stand->scenario->name, test->what,
                function ? PCI_ADDRESS_TEXT(&function->address) : "group", rule, text,
                test->stand->kernel->trace);
        abort();
}

static const MemberPlan *planned(const Case *test, const MemberReport *report)
{
        for (size_t i = 0; i < test->stand->group.n_members; i++)
                if (pci_address_equal(&test->stand->group.members[i].device->address,
                            &report->address))
                        return &test->stand->group.members[i];
        abort();
}

static const FakeFunction *function_in(const FakeKernel *kernel, const PciAddress *address)
{
        for (size_t i = 0; i < kernel->n_functions; i++)
                if (pci_address_equal(&kernel->functions[i].address, address))
                        return &kernel->functions[i];
        abort();
}

/* As it was, in all that the host can see. A function of which a host driver was faster had that
 * one before we touched it. */
static void check_untouched(const Case *test, const MemberPlan *plan, const FakeFunction *before,
        const FakeFunction *after)
{
        const char *driver = before->driver;
        bool joined = plan->fresh && streq(test->stand->scenario->name, "bind-joined");

        if (!driver[0] && before->attached_at_write[0] && !after->attached_at_write[0])
                driver = before->attached_at_write;
        if (!streq(after->driver, driver))
                fail(test, after, "driver is not as it was");
        if (plan->action != ACTION_HOLD && !joined && !streq(after->override, before->override))
                fail(test, after, "override is not as it was");
        /* where the kernel says that there is no such file, nothing is put back */
        if (!streq(after->power_control, before->power_control) &&
            !(strstr(test->what, "read-power-control") && strstr(test->what, "ENOENT")))
                fail(test, after, "power/control is not as it was");
        if (plan->action == ACTION_BIND && !before->record.has_original &&
            after->record.has_original && test->n_failures == 1 &&
            !strstr(test->what, "remove-record"))
                fail(test, after, "an original is left behind");
}

static void check_done(const Case *test, const MemberPlan *plan, const MemberReport *report,
        const FakeFunction *after)
{
        switch (report->state) {
        case STATE_BOUND:
                if (!streq_null(after->driver, plan->target))
                        fail(test, after, "said to be bound");
                break;
        case STATE_DETACHED:
                if (after->driver[0] || !streq(after->override, DETACHED_OVERRIDE))
                        fail(test, after, "said to be detached");
                break;
        case STATE_BINDING:
                if (plan->action == ACTION_PROBE_HOST ? !after->override[0]
                                                      : !streq(after->override, plan->target))
                        fail(test, after, "left to the kernel without an override");
                break;
        case STATE_RELEASED:
                if (plan->action != ACTION_RELEASE || after->linked ||
                    (driver_is_vfio(after->driver) && !after->override_may_differ))
                        fail(test, after, "said to be released");
                if (after->override[0])
                        fail(test, after, "released under an override");
                break;
        default:
                break;
        }
}

static void check_member(const Case *test, const MemberReport *report)
{
        const MemberPlan *plan = planned(test, report);
        const FakeFunction *before = function_in(test->before, &report->address);
        const FakeFunction *after = function_in(test->stand->kernel, &report->address);
        bool is_undone = report->state == STATE_FAILED || report->state == STATE_REFUSED ||
                report->state == STATE_PENDING;

        /* what joined an open group stays where it was put: it may be open by now, too */
        if (report->reason == REASON_ROLLBACK_FAILED && strstr(report->text, "is open in") &&
            streq(test->stand->scenario->name, "bind-joined"))
                return;
        if (report->reason == REASON_ROLLBACK_FAILED) {
                /* one failure never hits both a step and its undoing; clearing the override of a
                 * function of the host is undoing alone */
                if (test->n_failures == 1 && plan->action != ACTION_PROBE_HOST)
                        fail(test, after, "one failure made rollback-failed");
                if (!test->stand->kernel->hit_write && !strstr(test->what, "read-") &&
                    !strstr(test->what, "guard") && !strstr(test->what, "is-open"))
                        fail(test, after, "rollback-failed without a failed write");
                return;
        }
        if (is_undone && plan->action != ACTION_PROBE_HOST)
                check_untouched(test, plan, before, after);
        else
                check_done(test, plan, report, after);
        if (before->driver[0] && !after->driver[0] && report->state != STATE_DETACHED &&
            report->state != STATE_RELEASED && report->state != STATE_BINDING)
                fail(test, after, "it had a driver and has none");
        if (plan->action == ACTION_PROBE_HOST && report->state == STATE_FAILED &&
            !streq(after->override, before->record.has_original ? before->record.original_override
                                                                : before->override) &&
            !(after->record.has_original && streq(after->override, before->override)))
                fail(test, after, "override is not as it was");
}

/* The report speaks of what is there. A link that could not be read, after a write that said it
 * failed, is the one thing that nobody can know. */
static void check_report_is_true(const Case *test, const MemberReport *report)
{
        const FakeFunction *after = function_in(test->stand->kernel, &report->address);

        if (streq(report->to, after->driver) ||
            (test->n_failures > 1 && strstr(test->what, "read-driver")))
                return;
        /* nothing was looked at */
        if (report->from[0] == '\0' && report->to[0] == '\0' && (report->state == STATE_FAILED ||
            report->state == STATE_REFUSED))
                return;
        fail(test, after, "the report names another driver");
}

static void check_whole(const Case *test)
{
        const GroupReport *report = test->report;
        size_t n_moving = 0, n_moved = 0, n_open_ended = 0;

        for (size_t i = 0; i < report->n_members; i++) {
                const MemberPlan *plan = planned(test, &report->members[i]);
                const FakeFunction *after = function_in(test->stand->kernel,
                        &report->members[i].address);

                if (report->members[i].reason == REASON_ROLLBACK_FAILED ||
                    report->members[i].state == STATE_BINDING)
                        n_open_ended++;
                if (plan->action == ACTION_BIND) {
                        n_moving++;
                        n_moved += streq(after->driver, plan->target);
                } else if (plan->action == ACTION_RELEASE && !after->override_may_differ) {
                        n_moving++;
                        n_moved += !driver_is_vfio(after->driver);
                }
        }
        if (n_open_ended == 0 && n_moved != 0 && n_moved != n_moving &&
            !streq(test->stand->scenario->name, "release-detached"))
                fail(test, NULL, "the group is neither here nor there");
}

static void check_group(const Case *test)
{
        const FakeKernel *kernel = test->stand->kernel;
        int64_t number = test->stand->group.number;
        bool any_vfio = false;

        if (kernel->violations[0])
                fail(test, NULL, kernel->violations);
        if (kernel->locked[number] && !strstr(test->what, "unlock-group") &&
            !strstr(test->what, "lock-group"))
                fail(test, NULL, "the lock is kept");
        if (kernel->has_intent[number] && !strstr(test->what, "-intent"))
                fail(test, NULL, "the intent is kept");
        for (size_t i = 0; i < kernel->n_functions; i++)
                any_vfio = any_vfio || (kernel->functions[i].group == number &&
                        driver_is_vfio(kernel->functions[i].driver));
        if (!any_vfio && kernel->node_is_set[number] && !strstr(test->what, "secure-node"))
                fail(test, NULL, "the node of an empty group is not root's");
        if (test->report->state == STATE_BOUND && !kernel->node_is_set[number] &&
            test->stand->options.stage != STAGE_INITRD)
                fail(test, NULL, "said to be bound, but its node is not set");
}

static void check(const Case *test)
{
        for (size_t i = 0; i < test->report->n_members; i++) {
                check_member(test, &test->report->members[i]);
                check_report_is_true(test, &test->report->members[i]);
        }
        check_whole(test);
        check_group(test);
}

/* The name of operation number `at` of the trace. */
static char *describe(const FakeKernel *kernel, unsigned at)
{
        const char *line = kernel->trace;
        char *text = NULL;

        for (unsigned i = 1; i < at && line; i++)
                line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
        ASSERT_OK(format_string(&text, "%u %.*s", at, line ? (int) strcspn(line, "\n") : 0,
                line ?: ""));
        return text;
}

/* Whatever failed, and whatever it left: the same again, with nothing in its way, comes to the same
 * end as if nothing had failed. */
static void check_next_is_right(const Case *test, const FakeKernel *wanted)
{
        FakeKernel *kernel = test->stand->kernel;
        GroupReport report;

        for (size_t i = 0; i < FAKE_INJECTIONS_MAX; i++)
                kernel->injections[i].at = 0;
        for (size_t i = 0; i < FAKE_GROUPS_MAX; i++)
                kernel->locked[i] = false; /* the process has ended */
        ASSERT_OK(transaction_run(&test->stand->group, &test->stand->options,
                &test->stand->operations, &report));
        for (size_t i = 0; i < report.n_members; i++) {
                const FakeFunction *function = function_in(kernel, &report.members[i].address);
                const FakeFunction *other = function_in(wanted, &report.members[i].address);

                /* what was clean is released without a driver where none takes it */
                if (test->report->members[i].state == STATE_RELEASED && !function->driver[0])
                        continue;
                if (!streq(function->driver, other->driver))
                        fail(test, function, "the next run leaves it on another driver");
                if (!streq(function->override, other->override))
                        fail(test, function, "the next run leaves another override");
                if (!streq(function->power_control, other->power_control) &&
                    !strstr(test->what, "power-control"))
                        fail(test, function, "the next run leaves another power/control");
                if (function->record.has_original != other->record.has_original &&
                    !strstr(test->what, "remove-record"))
                        fail(test, function, "the next run leaves another record");
        }
        if (kernel->violations[0])
                fail(test, NULL, kernel->violations);
        group_report_done(&report);
}

/* Returns the number of operations of the run. *wanted: what comes of it without a failure, written
 * by the run without injections. */
static unsigned run(const Scenario *scenario, const FakeInjection *injections,
        unsigned n_injections, FakeKernel *wanted)
{
        _cleanup_stand_ Stand stand = {};
        _cleanup_free_ char *first = NULL, *second = NULL, *what = NULL;
        static FakeKernel before;
        GroupReport report;
        Case test = { .stand = &stand, .report = &report, .before = &before,
                      .n_failures = n_injections + scenario->is_undone };
        unsigned n;

        stand_set_up(&stand, scenario);
        stand.kernel->keep_trace = true;
        for (unsigned i = 0; i < n_injections; i++)
                fake_kernel_inject(stand.kernel, injections[i].at, injections[i].failure,
                        injections[i].error);
        before = *stand.kernel;
        ASSERT_OK(transaction_run(&stand.group, &stand.options, &stand.operations, &report));

        first = n_injections > 0 ? describe(stand.kernel, injections[0].at) : strdup("");
        second = n_injections > 1 ? describe(stand.kernel, injections[1].at) : strdup("");
        ASSERT_OK(format_string(&what, "%s; %s", first, second));
        test.what = what;
        check(&test);
        n = stand.kernel->n_operations;
        if (n_injections == 0)
                *wanted = *stand.kernel;
        else if (n_injections == 1 && !scenario->is_undone)
                check_next_is_right(&test, wanted);
        group_report_done(&report);
        return n;
}

static void fail_each(const Scenario *scenario)
{
        static const int errors[] = { EIO, EBUSY, ENODEV, EINVAL, ENOENT, EPERM, ENOMEM, EAGAIN };
        static FakeKernel wanted;
        unsigned n = run(scenario, NULL, 0, &wanted);

        for (unsigned at = 1; at <= n; at++)
                for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                        FakeInjection injection = { at, FAKE_FAIL_BEFORE, -errors[i] };

                        (void) run(scenario, &injection, 1, &wanted);
                        injection.failure = FAKE_FAIL_AFTER;
                        (void) run(scenario, &injection, 1, &wanted);
                }
}

static void fail_two(const Scenario *scenario)
{
        static FakeKernel wanted;
        unsigned n = run(scenario, NULL, 0, &wanted);

        for (unsigned at = 1; at <= n; at++) {
                FakeInjection injections[2] = { { at, FAKE_FAIL_BEFORE, -EIO },
                                                { 0, FAKE_FAIL_BEFORE, -EIO } };
                unsigned n_with_one = run(scenario, injections, 1, &wanted);

                for (unsigned then = at + 1; then <= n_with_one; then++) {
                        injections[1].at = then;
                        (void) run(scenario, injections, 2, &wanted);
                }
        }
}

int main(void)
{
        for (size_t i = 0; i < n_scenarios; i++) {
                fail_each(&scenarios[i]);
                fail_two(&scenarios[i]);
        }
        return 0;
}
