/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run.h"

#include <string.h>

#include "lib/test.h"

void run_done(Run *run)
{
        group_report_done(&run->report);
        stand_done(&run->stand);
}

void run_prepare(Run *run, const char *scenario)
{
        stand_set_up(&run->stand, scenario_find(scenario));
        run->stand.kernel->keep_trace = true;
}

void run_carry_out(Run *run)
{
        ASSERT_OK(transaction_run(&run->stand.group, &run->stand.options, &run->stand.operations,
                &run->report));
        ASSERT_STREQ(run->stand.kernel->violations, "");
}

FakeFunction *run_function(Run *run, const char *address)
{
        return fake_kernel_function(run->stand.kernel, address);
}

void run_expect(const Run *run, State state, Reason reason, const char *text)
{
        ASSERT_STREQ(state_to_string(run->report.state), state_to_string(state));
        ASSERT_STREQ(reason_to_string(run->report.reason), reason_to_string(reason));
        ASSERT_CONTAINS(run->report.text, text);
}

void run_expect_member(const Run *run, size_t i, State state, Reason reason)
{
        ASSERT_STREQ(state_to_string(run->report.members[i].state), state_to_string(state));
        ASSERT_STREQ(reason_to_string(run->report.members[i].reason), reason_to_string(reason));
}

void run_expect_no_write(const Run *run)
{
        ASSERT_TRUE(!strstr(run->stand.kernel->trace, "write-"));
        ASSERT_TRUE(!strstr(run->stand.kernel->trace, "\nbind "));
        ASSERT_TRUE(!strstr(run->stand.kernel->trace, "unbind "));
        ASSERT_TRUE(!strstr(run->stand.kernel->trace, "\nprobe "));
}

void run_refuse(Run *run, const char *address, const char *driver, int error)
{
        strcpy(run_function(run, address)->refused_by, driver);
        run_function(run, address)->refusal = error;
}
