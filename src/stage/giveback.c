/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stage/giveback.h"

#include <errno.h>
#include <string.h>

#include "config/config-load.h"
#include "host/questions.h"
#include "host/scan.h"
#include "host/store.h"
#include "log/log.h"
#include "stage/pass.h"

#define GIVEBACK_TIMEOUT_USEC (60 * USEC_PER_SEC)

/* As long as vfio-bindd-giveback.timer. */
#define QUIET_USEC (60 * USEC_PER_SEC)

/* PCI Code and ID Assignment Specification, base classes. A screen is wanted by whoever sits before
 * it now; everything that could carry a disk, a network or a keyboard goes back. */
static bool is_certainly_not_needed(const Device *device)
{
        switch (device->class_code >> 16) {
        case 0x03:
                return device->has_details && !device->boot_vga;
        case 0x04:
        case 0x11:
        case 0x12:
        case 0x40:
                return true;
        default:
                return false;
        }
}

static bool is_kept(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (!group->members[i].device->is_bridge &&
                    !is_certainly_not_needed(group->members[i].device))
                        return false;
        return true;
}

static bool was_taken_here(const MemberPlan *member)
{
        return member->device->record && member->device->record->stage == STAGE_INITRD;
}

/* What goes back is left alone afterwards, as after a release by hand. */
static void choose(Plan *plan)
{
        for (size_t i = 0; i < plan->n_groups; i++) {
                GroupPlan *group = &plan->groups[i];
                bool kept = is_kept(group);

                group->has_work = false;
                for (size_t j = 0; j < group->n_members; j++) {
                        MemberPlan *member = &group->members[j];

                        if (kept || member->action != ACTION_RELEASE || !was_taken_here(member))
                                member->action = ACTION_NONE;
                        else
                                member->manual = MANUAL_RELEASED;
                        group->has_work = group->has_work || member->action != ACTION_NONE;
                }
        }
}

static int note_gave_back(const Host *host, const Device *device)
{
        _cleanup_(device_record_freep) DeviceRecord *record = NULL;
        int r;

        r = store_load(host, &device->address, device->inode, &record);
        if (r < 0 || !record)
                return r;
        record->state = STATE_GAVE_BACK;
        return store_save(host, &device->address, device->inode, record);
}

static int note_report(const Pass *pass, const Snapshot *snapshot, const Report *report)
{
        int n = 0;

        for (size_t i = 0; i < report->n_groups; i++)
                for (size_t j = 0; j < report->groups[i].n_members; j++) {
                        const MemberReport *member = &report->groups[i].members[j];
                        int r;

                        if (member->state != STATE_RELEASED)
                                continue;
                        n++;
                        r = note_gave_back(&pass->host,
                                snapshot_find(snapshot, &member->address));
                        if (r < 0)
                                log_warning("Cannot note that %s was given back, ignoring: %s",
                                        PCI_ADDRESS_TEXT(&member->address), strerror(-r));
                }
        return n;
}

static int run(Pass *pass)
{
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        _cleanup_plan_ Plan *plan = NULL;
        _cleanup_(report_freep) Report *report = NULL;
        /* with nothing configured, all that is ours is what nobody claims */
        const PlanRequest request = { .stage = STAGE_RUNTIME, .prune = true };
        int r;

        r = config_load_text("", "", 0, &pass->config);
        if (r >= 0)
                r = scan_machine(&pass->host, SNAPSHOT_FACT_DETAILS, NULL, &snapshot);
        if (r >= 0)
                r = planner_plan(snapshot, pass->config, &request, &plan);
        if (r < 0)
                return r;
        choose(plan);
        if (plan_is_empty(plan))
                return 0;
        r = pass_execute(pass, plan, GIVEBACK_TIMEOUT_USEC, &report);
        return r < 0 ? r : note_report(pass, snapshot, report);
}

int giveback_run(const char *root)
{
        _cleanup_pass_ Pass pass = {};
        int r;

        r = pass_open(&pass, root, STAGE_INITRD);
        if (r >= 0)
                r = run(&pass);
        if (r < 0)
                log_error("What was taken cannot be given back: %s", strerror(-r));
        else if (r == 0)
                log_notice("Nothing was taken that has to be given back.");
        else
                log_notice("%d functions were given back to the host.", r);
        return r;
}

/* What cannot be waited for is not waited for: without its root the machine does not start. */
int giveback_await_answers(const char *root)
{
        _cleanup_host_ Host host = { .root = -1 };
        int r;

        r = host_open(root, &host);
        if (r >= 0)
                r = questions_await(&host, QUIET_USEC);
        if (r < 0)
                log_warning("Whether somebody is asked for a passphrase cannot be seen, ignoring: "
                            "%s", strerror(-r));
        return r;
}
