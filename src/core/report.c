/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/report.h"

void group_report_done(GroupReport *group)
{
        free(group->members);
        *group = (GroupReport){};
}

Report *report_free(Report *report)
{
        if (!report)
                return NULL;

        for (size_t i = 0; i < report->n_groups; i++)
                group_report_done(&report->groups[i]);
        free(report->groups);
        free(report->physical_functions);
        free(report);
        return NULL;
}
