/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/object.h"

/* org.vfio.Bind1.Claim: a [Claim NAME] section. */

static const ClaimEntry *claim_of(const Entry *entry)
{
        return (const ClaimEntry *) entry;
}

static const ClaimPlan *plan_of(const Entry *entry)
{
        static const ClaimPlan none = { .state = STATE_PENDING };
        const ClaimPlan *plan = claim_of(entry)->plan;

        return plan ? plan : &none;
}

static int get_name(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, claim_of(entry)->claim->name);
}

static int get_source(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_location(sink, &claim_of(entry)->claim->location);
}

static int get_selectors(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const Claim *claim = claim_of(entry)->claim;
        int r = sink_open_array(sink, "s");

        for (size_t i = 0; r >= 0 && i < claim->n_matches; i++)
                r = sink_string(sink, claim->matches[i]->text);
        return r < 0 ? r : sink_close(sink);
}

static int get_missing(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const Claim *claim = claim_of(entry)->claim;
        const bool *missing = plan_of(entry)->missing;
        int r = sink_open_array(sink, "s");

        for (size_t i = 0; r >= 0 && missing && i < claim->n_matches; i++)
                if (missing[i])
                        r = sink_string(sink, claim->matches[i]->text);
        return r < 0 ? r : sink_close(sink);
}

static int get_driver(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, claim_of(entry)->claim->settings.driver);
}

static int get_companions(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink,
                companion_policy_to_string(claim_of(entry)->claim->settings.companions));
}

static int get_allow_in_use(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        unsigned allowed = claim_of(entry)->claim->allow_in_use;
        int r = sink_open_array(sink, "s");

        for (InUse use = 0; r >= 0 && use < _IN_USE_MAX; use++)
                if (allowed & (1U << use))
                        r = sink_string(sink, in_use_to_string(use));
        return r < 0 ? r : sink_close(sink);
}

static int get_state(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, claim_plan_state(plan_of(entry)));
}

static int get_reason(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, reason_to_string(plan_of(entry)->reason));
}

static int get_reason_text(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, plan_of(entry)->text);
}

static int get_devices(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_devices(sink, claim_of(entry)->devices, claim_of(entry)->n_devices);
}

static int get_groups(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const ClaimEntry *claim = claim_of(entry);
        int r = sink_open_array(sink, "o");

        for (size_t i = 0; r >= 0 && i < claim->n_groups; i++)
                r = sink_group_path(sink, claim->groups[i]->number);
        return r < 0 ? r : sink_close(sink);
}

static const BusProperty properties[] = {
        { "Name", "s", get_name, PROPERTY_CONSTANT | PROPERTY_LISTED },
        { "Source", "(su)", get_source, PROPERTY_LISTED },
        { "Selectors", "as", get_selectors, PROPERTY_LISTED },
        { "Missing", "as", get_missing, PROPERTY_LISTED },
        { "Driver", "s", get_driver, PROPERTY_LISTED },
        { "Companions", "s", get_companions, PROPERTY_LISTED },
        { "AllowInUse", "as", get_allow_in_use, PROPERTY_LISTED },
        { "State", "s", get_state, PROPERTY_LISTED },
        { "Reason", "s", get_reason, PROPERTY_LISTED },
        { "ReasonText", "s", get_reason_text, PROPERTY_LISTED },
        { "Devices", "ao", get_devices },
        { "Groups", "ao", get_groups },
};

static char *path(const Entry *entry, char text[static BUS_PATH_MAX])
{
        return path_of_name(BUS_PREFIX_CLAIM, claim_of(entry)->claim->name, text);
}

static Entry *find(const ViewIndex *index, const char *label)
{
        char name[BUS_PATH_MAX];

        if (path_parse_name(label, name) < 0)
                return NULL;
        return (Entry *) view_index_claim(index, name);
}

const BusInterface bus_claim_interface = {
        .name = BUS_INTERFACE_CLAIM,
        .prefix = BUS_PREFIX_CLAIM,
        .properties = properties,
        .n_properties = ELEMENTSOF(properties),
        BUS_ENTRIES(claims),
        .path = path,
        .find = find,
};
