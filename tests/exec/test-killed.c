/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worker of every kind of plan is killed at every single operation, before and after its
 * effect. Another one takes up the work: the group ends as it would have without, or where that
 * cannot be, as it was found. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executor-bench.h"
#include "lib/test.h"
#include "util/strings.h"

#define TIMEOUT (10 * USEC_PER_SEC)

static void fail(const Bench *bench, const FakeInjection *injection, const char *rule)
{
        fprintf(stderr, "%s, killed %s operation %u: %s\nstate %s %s %s\n%s%s",
                bench->stand.scenario->name,
                injection->failure == FAKE_KILL ? "before" : "after", injection->at, rule,
                state_to_string(bench->last.state), reason_to_string(bench->last.reason),
                bench->last.text, bench->stand.kernel->trace, bench->stand.kernel->violations);
        abort();
}

/* All that the host can see, and what a release needs later. */
static bool is_alike(const FakeFunction *a, const FakeFunction *b)
{
        return streq(a->driver, b->driver) && streq(a->override, b->override) &&
                streq(a->power_control, b->power_control) && a->linked == b->linked &&
                a->record.has_original == b->record.has_original &&
                streq(a->record.original_driver, b->record.original_driver) &&
                streq(a->record.original_override, b->record.original_override) &&
                streq(a->record.original_power_control, b->record.original_power_control) &&
                a->record.exists == b->record.exists && a->record.state == b->record.state;
}

/* Nothing of it is left with us. */
static bool is_with_host(const FakeFunction *function, const char *driver)
{
        return driver && streq(function->driver, driver) && !function->override[0] &&
                !function->linked && !function->record.has_original;
}

static void compare(const Bench *bench, const FakeInjection *injection, const FakeKernel *wanted)
{
        const FakeKernel *kernel = bench->stand.kernel;
        int64_t group = bench->stand.group.number;

        for (size_t i = 0; i < kernel->n_functions; i++)
                if (!is_alike(&kernel->functions[i], &wanted->functions[i]) &&
                    !is_with_host(&kernel->functions[i], bench->stand.scenario->host_driver))
                        fail(bench, injection, PCI_ADDRESS_TEXT(&kernel->functions[i].address));
        if (kernel->has_intent[group])
                fail(bench, injection, "the intent is kept");
        if (kernel->node_is_set[group] != wanted->node_is_set[group])
                fail(bench, injection, "the node is not as it should be");
        if (kernel->violations[0])
                fail(bench, injection, "violations");
}

/* Runs the plan, and once more as whoever finds the intent does; the second worker is killed too
 * where there is a second injection. Returns the number of operations. Without an injection *kernel
 * is what came of it, with one it is what should come of it. */
static unsigned run(const Scenario *scenario, const FakeInjection *injection, unsigned again,
        FakeKernel *kernel)
{
        Bench bench = {};
        unsigned n;

        bench_set_up(&bench, scenario->name, TIMEOUT);
        bench.stand.kernel->keep_trace = true;
        if (injection)
                fake_kernel_inject(bench.stand.kernel, injection->at, injection->failure, 0);
        if (again > 0)
                fake_kernel_inject(bench.stand.kernel, again, FAKE_KILL_AFTER, 0);
        bench_run(&bench);
        ASSERT_EQ(bench.n_done, 1);
        if (strstr(bench.last.text, "was killed"))
                bench_run(&bench);
        n = bench.stand.kernel->n_operations;
        if (injection)
                compare(&bench, injection, kernel);
        else
                *kernel = *bench.stand.kernel;
        bench_tear_down(&bench);
        return n;
}

static void kill_at_each(const Scenario *scenario)
{
        static FakeKernel wanted;
        unsigned n = run(scenario, NULL, 0, &wanted);

        for (unsigned at = 1; at <= n; at++) {
                (void) run(scenario, &(FakeInjection){ .at = at, .failure = FAKE_KILL }, 0,
                        &wanted);
                (void) run(scenario, &(FakeInjection){ .at = at, .failure = FAKE_KILL_AFTER }, 0,
                        &wanted);
        }
}

static void kill_twice(const char *name)
{
        const Scenario *scenario = scenario_find(name);
        static FakeKernel wanted;
        unsigned n = run(scenario, NULL, 0, &wanted);

        for (unsigned at = 1; at <= n; at++)
                for (unsigned again = at + 1 + at % 5; again <= at + n; again += 5)
                        (void) run(scenario, &(FakeInjection){ at, FAKE_KILL_AFTER, 0 }, again,
                                &wanted);
}

int main(int argc, char **argv)
{
        (void) alarm(170); /* whatever hangs */
        executor_setup_process(argc, argv);

        for (size_t i = 0; i < n_scenarios; i++)
                kill_at_each(&scenarios[i]);
        kill_twice("undo-bind");
        kill_twice("release-taken");

        while (wait(NULL) > 0)
                ;
        return 0;
}
