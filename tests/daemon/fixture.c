/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/fixture.h"

#include <sys/epoll.h>

#include "log/log.h"
#include "util/io.h"

#define PATIENCE_USEC (60 * USEC_PER_SEC)

/* Wakes the loop, for a test that waits for it. */
static int on_gate(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        return 0;
}

void fixture_init(Fixture *fixture, const char *tree, const char *config)
{
        *fixture = (Fixture){};
        log_open("test", getenv("TEST_VERBOSE") ? LOG_TARGET_STDERR : LOG_TARGET_NULL,
                STAGE_RUNTIME);
        log_set_max_level(LOG_DEBUG);
        machine_init(&fixture->machine, tree);
        machine_configure(&fixture->machine, config);
        ASSERT_OK(sd_event_new(&fixture->event));
        ASSERT_TRUE(sd_event_add_io(fixture->event, NULL, fixture->machine.at_gate[0],
                            EPOLLIN | EPOLLET, on_gate, NULL) >= 0);
}

static void on_changed(void *userdata, View *old, View *new)
{
        Fixture *fixture = userdata;

        ASSERT_TRUE(new);
        ASSERT_EQ(new->generation, old ? old->generation + 1 : 1);
        fixture->n_published++;
}

void fixture_start(Fixture *fixture)
{
        ASSERT_TRUE(!fixture->manager);
        ASSERT_OK(manager_new_with_options(fixture->event, &fixture->machine.host,
                &(ManagerOptions){ .operations = &fixture->machine.operations, .may_act = true },
                &fixture->manager));
        manager_set_listener(fixture->manager, &(ManagerListener){ on_changed, fixture });
}

/* Whoever writes the record does so in the tree, which may be gone next. */
void fixture_stop(Fixture *fixture)
{
        while (fixture->manager && fixture->manager->needs_writing)
                fixture_run_once(fixture, "the record is not written");
        fixture->manager = manager_free(fixture->manager);
}

void fixture_done(Fixture *fixture)
{
        fixture_stop(fixture);
        sd_event_unref(fixture->event);
        machine_done(&fixture->machine);
}

void fixture_run_once(Fixture *fixture, const char *condition)
{
        uint64_t deadline = now_monotonic() + PATIENCE_USEC;
        int r;

        /* sd-event may wake up for what it deals with by itself */
        do
                r = sd_event_run(fixture->event, PATIENCE_USEC);
        while (r == 0 && now_monotonic() < deadline);
        if (r == 0)
                fprintf(stderr, "waited in vain for: %s\n", condition);
        ASSERT_TRUE(r > 0);
}

static bool is_due(const Manager *manager)
{
        int enabled;

        ASSERT_TRUE(sd_event_source_get_enabled(manager->wake_timer, &enabled) >= 0);
        return enabled != SD_EVENT_OFF;
}

void fixture_settle(Fixture *fixture)
{
        while (!manager_view(fixture->manager) || is_due(fixture->manager) ||
               fixture->manager->works || fixture->manager->needs_writing)
                fixture_run_once(fixture, "nothing left to do");
}

void fixture_event(Fixture *fixture, const char *added_address)
{
        WatcherEvent event = { .is_added = added_address };

        if (added_address)
                ASSERT_OK(pci_address_parse(added_address, &event.address));
        manager_handle_event(fixture->manager, &event);
}

const MemberPlan *fixture_member(Fixture *fixture, const char *address)
{
        PciAddress parsed;
        const MemberPlan *member;

        ASSERT_OK(pci_address_parse(address, &parsed));
        member = plan_find(manager_view(fixture->manager)->plan, &parsed, NULL);
        ASSERT_TRUE(member);
        return member;
}

const char *fixture_state(Fixture *fixture, const char *address)
{
        return state_to_string(fixture_member(fixture, address)->state);
}

const char *fixture_reason(Fixture *fixture, const char *address)
{
        return reason_to_string(fixture_member(fixture, address)->reason);
}

const char *fixture_claim_state(Fixture *fixture, const char *name)
{
        const Plan *plan = manager_view(fixture->manager)->plan;

        for (size_t i = 0; i < plan->n_claims; i++)
                if (strcmp(plan->claims[i].claim->name, name) == 0)
                        return claim_plan_state(&plan->claims[i]);
        return NULL;
}
