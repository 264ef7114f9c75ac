/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>

#include "core/planner-internal.h"
#include "util/strings.h"

/* Why a group with selected members may not move. The first cause found is the group's reason;
 * causes that the operator's configuration can mend come before those that it cannot. */

typedef struct Refusal {
        const Planning *planning;
        GroupPlan *group;
        const ClaimSettings *settings;
        bool has_selected; /* the group has a member that is to be taken */
        State state;
        Reason reason;
} Refusal;

int planner_format_location(const Location *location, char **ret)
{
        if (!location || !location->file)
                return format_string(ret, "%s", "");
        return format_string(ret, " (%s:%u)", location->file, location->line);
}

int planner_format_elsewhere(const Match *match, const Snapshot *snapshot, char **ret)
{
        size_t n;
        const Device *first = match_find_identity(match, snapshot, &n);

        if (!first)
                return format_string(ret, "%s", "is nowhere here");
        if (n == 1)
                return format_string(ret, "is now at %s", PCI_ADDRESS_TEXT(&first->address));
        return format_string(ret, "may be any of %zu functions, the first at %s", n,
                PCI_ADDRESS_TEXT(&first->address));
}

/* Notes the cause on the member and, as the first one, on the group. Takes over `text`. */
static int refuse(Refusal *refusal, MemberPlan *member, State state, Reason reason, char *text)
{
        if (member && member->reason == REASON_NONE) {
                member->state = state;
                member->reason = reason;
                if (!member->text && text && replace_string(&member->text, text) < 0) {
                        free(text);
                        return -ENOMEM;
                }
        }
        if (refusal->reason == REASON_NONE) {
                refusal->state = state;
                refusal->reason = reason;
                free(refusal->group->text);
                refusal->group->text = TAKE_POINTER(text);
        }
        free(text);
        return 0;
}

#define REFUSE(refusal, member, state, reason, ...)                                                \
        ({                                                                                         \
                char *_text = NULL;                                                                \
                int _r = format_string(&_text, __VA_ARGS__);                                       \
                _r < 0 ? _r : refuse((refusal), (member), (state), (reason), _text);               \
        })

static int member_location(const MemberPlan *member, char **ret)
{
        if (member->match)
                return planner_format_location(&member->match->location, ret);
        return planner_format_location(member->claim ? &member->claim->location : NULL, ret);
}

/* The claim line that made us look at this group at all. */
static const MemberPlan *first_selected(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (group->members[i].role == ROLE_SELECTED)
                        return &group->members[i];
        return &group->members[0];
}

static int refuse_conflict(Refusal *refusal, MemberPlan *member, const Selection *selection)
{
        _cleanup_free_ char *one = NULL, *other = NULL;
        int r;

        r = planner_format_location(selection->match ? &selection->match->location
                                                     : &selection->claim->location, &one);
        if (r >= 0)
                r = planner_format_location(selection->other_match
                                ? &selection->other_match->location : &selection->other->location,
                        &other);
        if (r < 0)
                return r;
        return REFUSE(refusal, member, STATE_REFUSED, REASON_CLAIM_CONFLICT,
                "%s is selected by both claim %s%s and claim %s%s. Let one of them exclude it.",
                PCI_ADDRESS_TEXT(&member->device->address), selection->claim->name, one,
                selection->other->name, other);
}

static int refuse_reserved(Refusal *refusal, MemberPlan *member, const Claim *claim)
{
        _cleanup_free_ char *location = NULL;
        int r;

        r = planner_format_location(&claim->location, &location);
        if (r < 0)
                return r;
        if (claim->has_error)
                return REFUSE(refusal, member, STATE_REFUSED, REASON_CONFIG_ERROR,
                        "%s is named by claim %s, which has errors%s. Correct it and reload.",
                        PCI_ADDRESS_TEXT(&member->device->address), claim->name, location);
        return REFUSE(refusal, member, STATE_REFUSED, REASON_DISABLED_BY_KERNEL_COMMAND_LINE,
                "%s belongs to claim %s, which vfio_bindd.skip= on the kernel command line skips.",
                PCI_ADDRESS_TEXT(&member->device->address), claim->name);
}

/* The first condition that cannot be judged; NULL: the line as a whole can. */
static const Term *find_unknown(const Planning *planning, const Match *line, const Device *device)
{
        MatchContext context = planner_match_context(planning);

        for (size_t i = 0; line && i < line->n_terms; i++)
                if (term_evaluate(&line->terms[i], &context, device) == ANSWER_UNKNOWN)
                        return &line->terms[i];
        return NULL;
}

/* The section that pf=NAME goes by and that has errors; NULL: none. */
static const PhysicalFunction *find_bad_section(const Planning *planning, const Term *term)
{
        const PhysicalFunction *section;

        if (!term || term->type != TERM_PF || term->pf.naming != PF_BY_NAME)
                return NULL;
        section = config_find_physical_function(planning->config, term->value);
        return section && section->has_error ? section : NULL;
}

static int refuse_bad_section(Refusal *refusal, MemberPlan *member, const char *whose,
        const PhysicalFunction *section)
{
        _cleanup_free_ char *location = NULL;
        int r;

        r = planner_format_location(&section->location, &location);
        if (r < 0)
                return r;
        return REFUSE(refusal, member, STATE_PENDING, REASON_DEFERRED_TO_NEXT_STAGE,
                "whether %s is told by [PhysicalFunction %s], which has errors%s. Correct it and "
                "reload.", whose, section->name, location);
}

/* After the last stage nothing becomes known by waiting: another way to name it is the remedy. */
static int refuse_deferred(Refusal *refusal, MemberPlan *member, const Selection *selection)
{
        const Match *line = selection->exclude ?: selection->match;
        const Term *term = find_unknown(refusal->planning, line, member->device);
        const char *name = term ? term_type_to_string(term->type) : "what it names";
        const PhysicalFunction *bad = find_bad_section(refusal->planning, term);
        _cleanup_free_ char *location = NULL, *whose = NULL;
        int r;

        r = planner_format_location(line ? &line->location : NULL, &location);
        if (r >= 0)
                r = selection->exclude ? format_string(&whose, "Exclude= keeps %s with the host",
                                                 PCI_ADDRESS_TEXT(&member->device->address))
                                       : format_string(&whose, "claim %s selects %s",
                                                 selection->claim->name,
                                                 PCI_ADDRESS_TEXT(&member->device->address));
        if (r < 0)
                return r;
        if (bad)
                return refuse_bad_section(refusal, member, whose, bad);
        if (refusal->planning->request->stage != STAGE_RUNTIME)
                return REFUSE(refusal, member, STATE_PENDING, REASON_DEFERRED_TO_NEXT_STAGE,
                        "whether %s is told by %s%s, which is not known at this stage yet%s", whose,
                        name, term ? "=" : "", location);
        return REFUSE(refusal, member, STATE_PENDING, REASON_DEFERRED_TO_NEXT_STAGE,
                "whether %s is told by %s%s, which cannot be read of it. Use address= or path= "
                "there%s.",
                whose, name, term ? "=" : "", location);
}

static int check_selection(Refusal *refusal, MemberPlan *member)
{
        const Selection *selection = planning_selection(refusal->planning, member->device);

        switch (selection->verdict) {
        case VERDICT_CONFLICT:
                return refuse_conflict(refusal, member, selection);
        case VERDICT_RESERVED:
                return refuse_reserved(refusal, member, selection->claim);
        case VERDICT_DEFERRED:
                /* of one that nothing else asks for, it only matters that nobody takes it along */
                if (!selection->claim && !refusal->has_selected)
                        return 0;
                return refuse_deferred(refusal, member, selection);
        default:
                return 0;
        }
}

/* The key that two claims differ in; NULL: none. */
static const char *find_difference(const ClaimSettings *a, const ClaimSettings *b)
{
        if (!streq(a->driver, b->driver))
                return "Driver";
        if (a->companions != b->companions)
                return "Companions";
        if (!streq(a->node_user, b->node_user))
                return "NodeUser";
        if (!streq(a->node_group, b->node_group))
                return "NodeGroup";
        if (a->node_mode != b->node_mode)
                return "NodeMode";
        return a->on_drift != b->on_drift ? "OnDrift" : NULL;
}

/* What was bound by hand has no claim: it agrees with any. */
static const Claim *first_claim(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (group->members[i].role == ROLE_SELECTED && group->members[i].claim)
                        return group->members[i].claim;
        return NULL;
}

static int check_agreement(Refusal *refusal, MemberPlan *member)
{
        const Claim *first = first_claim(refusal->group), *claim = member->claim;
        _cleanup_free_ char *one = NULL, *other = NULL;
        const char *key;
        int r;

        if (!claim || !first || claim == first || member->role != ROLE_SELECTED)
                return 0;
        key = find_difference(&claim->settings, &first->settings);
        if (!key)
                return 0;

        r = planner_format_location(&first->location, &one);
        if (r >= 0)
                r = planner_format_location(&claim->location, &other);
        if (r < 0)
                return r;
        return REFUSE(refusal, member, STATE_REFUSED, REASON_CLAIMS_DISAGREE,
                "claims %s%s and %s%s share group %" PRIi64 " but differ in %s=. Give both the "
                "same.",
                first->name, one, claim->name, other, refusal->group->number, key);
}

/* Any other driver would be let loose on a device that it was not made for. */
static int check_driver(Refusal *refusal, MemberPlan *member)
{
        _cleanup_free_ char *location = NULL;
        const char *driver;
        int r;

        if (member->role != ROLE_SELECTED)
                return 0;
        driver = planner_target_driver(refusal->planning, member, refusal->settings);
        if (!driver || driver_is_vfio(driver) || streq(driver, "pci-stub"))
                return 0;

        r = planner_format_location(member->claim ? &member->claim->location : NULL, &location);
        if (r < 0)
                return r;
        return REFUSE(refusal, member, STATE_REFUSED, REASON_DRIVER_NOT_VFIO,
                "%s is no driver that hands devices to others. Use Driver=vfio-pci, or "
                "Driver=auto for the best one%s.", driver, location);
}

static int refuse_identity(Refusal *refusal, MemberPlan *member, const Selection *selection)
{
        const Device *device = member->device;
        const Snapshot *snapshot = refusal->planning->snapshot;
        _cleanup_free_ char *location = NULL, *where = NULL;
        int r;

        r = planner_format_location(&selection->guard->location, &location);
        if (r >= 0)
                r = planner_format_elsewhere(selection->guard, snapshot, &where);
        if (r < 0)
                return r;
        return REFUSE(refusal, member, STATE_REFUSED, REASON_IDENTITY_MISMATCH,
                "%s is %04x:%04x:%04x:%04x, not what \"%s\" expects; what it asks for %s%s.",
                PCI_ADDRESS_TEXT(&device->address), device->vendor, device->device,
                device->subsystem_vendor, device->subsystem_device, selection->guard->text, where,
                location);
}

static int check_identity(Refusal *refusal, MemberPlan *member)
{
        const Selection *selection = planning_selection(refusal->planning, member->device);

        if (selection->verdict != VERDICT_SELECTED || !selection->guard_failed)
                return 0;
        return refuse_identity(refusal, member, selection);
}

static int check_iommu(Refusal *refusal, MemberPlan *member)
{
        if (refusal->group->number >= 0 || member->role != ROLE_SELECTED)
                return 0;
        return REFUSE(refusal, member, STATE_REFUSED, REASON_NO_IOMMU,
                "%s is in no IOMMU group. Switch the IOMMU on in the firmware (VT-d, AMD-Vi, "
                "SMMU)%s.",
                PCI_ADDRESS_TEXT(&member->device->address),
                refusal->planning->snapshot->has_iommu
                        ? ""
                        : " and, for Intel, add intel_iommu=on to the kernel command line");
}

static int check_override_file(Refusal *refusal, MemberPlan *member)
{
        if (member->device->has_override_file ||
            (member->role != ROLE_SELECTED && member->role != ROLE_COMPANION))
                return 0;
        return REFUSE(refusal, member, STATE_REFUSED, REASON_NO_DRIVER_OVERRIDE,
                "%s has no driver_override in /sys, so it cannot be bound to a driver of choice.",
                PCI_ADDRESS_TEXT(&member->device->address));
}

static int check_bridge(Refusal *refusal, MemberPlan *member)
{
        const Device *device = member->device;

        if (member->role != ROLE_BRIDGE || driver_is_harmless(device->driver))
                return 0;
        return REFUSE(refusal, member, STATE_REFUSED, REASON_BRIDGE_DRIVER_HOLDS_GROUP,
                "bridge %s is on driver %s, which holds group %" PRIi64 " for the host. Unload %s, "
                "or bind the bridge to pci-stub.",
                PCI_ADDRESS_TEXT(&device->address), device->driver, refusal->group->number,
                device->driver);
}

static int check_physical_function(Refusal *refusal, MemberPlan *member)
{
        const Device *device = member->device;

        if (member->role != ROLE_SELECTED && member->role != ROLE_COMPANION)
                return 0;
        if (device->sriov_total_vfs > 0 &&
            planning_notes(refusal->planning, device)->n_virtual_functions > 0) {
                for (size_t i = 0; i < refusal->group->n_members; i++) {
                        const MemberPlan *vf = &refusal->group->members[i];

                        if (vf->role == ROLE_SELECTED && vf->device->is_virtual_function &&
                            pci_address_equal(&vf->device->physical_function, &device->address))
                                return REFUSE(refusal, member, STATE_REFUSED, REASON_PF_IN_GROUP,
                                        "group %" PRIi64 " holds both %s and its physical "
                                        "function; they cannot be separated on this machine.",
                                        refusal->group->number,
                                        PCI_ADDRESS_TEXT(&vf->device->address));
                }
                /* on vfio already: the kernel made these VFs ours, nothing moves */
                if (!driver_is_vfio(device->driver) ||
                    !streq_null(device->driver, planner_target_driver(refusal->planning, member,
                                                        refusal->settings)))
                        return REFUSE(refusal, member, STATE_REFUSED, REASON_PF_HAS_VFS,
                                "%s has virtual functions enabled. Write 0 to its sriov_numvfs "
                                "first, or claim the virtual functions instead.",
                                PCI_ADDRESS_TEXT(&device->address));
        }
        return 0;
}

bool planner_is_platform(const Device *device)
{
        unsigned base = device->class_code >> 16;

        return base == 0x05 || base == 0x06 || base == 0x08 || base == 0x0b ||
               device->class_code >> 8 == 0x0c05;
}

bool planner_is_ignorable(const Device *device)
{
        return planner_is_platform(device) &&
               (!device->driver || streq(device->driver, "pci-stub") ||
                       streq(device->driver, "pcieport"));
}

bool planner_lets_in(const GroupPlan *group, const MemberPlan *companion, CompanionPolicy policy)
{
        switch (policy) {
        case COMPANIONS_ALL:
        case COMPANIONS_DETACH:
                return true;
        case COMPANIONS_SLOT:
                if (companion->device->is_virtual_function)
                        return false;
                for (size_t i = 0; i < group->n_members; i++)
                        if (group->members[i].role == ROLE_SELECTED &&
                            !group->members[i].device->is_virtual_function &&
                            pci_address_same_slot(&group->members[i].device->address,
                                    &companion->device->address))
                                return true;
                return false;
        default:
                return false;
        }
}

static int check_companion(Refusal *refusal, MemberPlan *member)
{
        const Device *device = member->device;
        const MemberPlan *selected = first_selected(refusal->group);
        _cleanup_free_ char *location = NULL;
        int r;

        if (member->role != ROLE_COMPANION && member->role != ROLE_EXCLUDED)
                return 0;
        /* stays as it is, whether that was asked for or not */
        if (!(member->role == ROLE_EXCLUDED && member->claim) && planner_is_ignorable(device))
                return 0;

        r = member_location(selected, &location);
        if (r < 0)
                return r;

        if (member->role == ROLE_EXCLUDED)
                return REFUSE(refusal, member, STATE_REFUSED, REASON_EXCLUDED,
                        "%s shares group %" PRIi64 " with %s and Exclude= keeps it with the host. "
                        "The group moves whole or not at all: remove the Exclude= or the claim%s.",
                        PCI_ADDRESS_TEXT(&device->address), refusal->group->number,
                        PCI_ADDRESS_TEXT(&selected->device->address), location);
        if (planner_is_platform(device))
                return REFUSE(refusal, member, STATE_REFUSED, REASON_COMPANION_IS_PLATFORM,
                        "%s (class %04x, driver %s) shares group %" PRIi64 " and is part of the "
                        "platform; the host needs it. Move the card to another slot.",
                        PCI_ADDRESS_TEXT(&device->address), device->class_code >> 8,
                        device->driver ?: "none", refusal->group->number);
        if (planner_lets_in(refusal->group, member, refusal->settings->companions))
                return 0;
        return REFUSE(refusal, member, STATE_REFUSED, REASON_COMPANION_NOT_LISTED,
                "%s (%04x:%04x, driver %s) shares group %" PRIi64 " and no claim selects it. If "
                "the host can do without it, add \"Match=%s\" to the claim, or Companions=all%s.",
                PCI_ADDRESS_TEXT(&device->address), device->vendor, device->device,
                device->driver ?: "none", refusal->group->number,
                PCI_ADDRESS_TEXT(&device->address), location);
}

unsigned planner_allowed_uses(const MemberPlan *member)
{
        return member->allow_in_use & ALLOWABLE_USES;
}

/* What is on VFIO already is not going to be taken from the host. */
static bool is_taken_from_host(const MemberPlan *member)
{
        if (driver_is_vfio(member->device->driver))
                return false;
        return member->role == ROLE_SELECTED ||
               (member->role == ROLE_COMPANION && !planner_is_ignorable(member->device));
}

static bool is_group_taken_from_host(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (is_taken_from_host(&group->members[i]))
                        return true;
        return false;
}

/* A part of the platform without a driver is ignored; in an early stage the host may only not have
 * come to give it one, which it could not any more once its group is on VFIO. */
static int check_platform(Refusal *refusal, MemberPlan *member)
{
        HostDeviceVerdict verdict;
        int r;

        if ((member->role != ROLE_COMPANION && member->role != ROLE_EXCLUDED) ||
            member->device->driver || !planner_is_platform(member->device) ||
            !is_group_taken_from_host(refusal->group))
                return 0;
        r = planner_judge_platform(refusal->planning, member, &verdict);
        if (r < 0 || verdict.reason == REASON_NONE)
                return r;
        return refuse(refusal, member, verdict.state, verdict.reason, verdict.text);
}

/* What was asked for by hand may be one that apply leaves, because it was released, or that no line
 * of the configuration is about. */
static int refuse_use_by_hand(Refusal *refusal, MemberPlan *member, const UseNote *note)
{
        const PciAddress *address = refusal->planning->request->manual_function;

        if (isempty(note->remedy))
                return REFUSE(refusal, member, STATE_REFUSED, in_use_reason(note->use),
                        "%s: it stays with the host.", note->what);
        return REFUSE(refusal, member, STATE_REFUSED, in_use_reason(note->use),
                "%s. %s and run \"vfio-bindctl bind %s\".", note->what, note->remedy,
                PCI_ADDRESS_TEXT(address));
}

/* What remains to be said: keep off it, or, where that is possible, take it all the same. */
static int format_ways_out(const Refusal *refusal, const MemberPlan *member, InUse use, char **ret)
{
        const char *address = PCI_ADDRESS_TEXT(&member->device->address);
        _cleanup_free_ char *location = NULL;

        int r = member_location(first_selected(refusal->group), &location);
        if (r < 0)
                return r;
        if (member->role != ROLE_SELECTED || !(ALLOWABLE_USES & 1U << use))
                return format_string(ret, "add Exclude=%s%s", address, location);
        return format_string(ret, "add Exclude=%s, or AllowInUse=%s if the host can do without "
                "it%s", address, in_use_to_string(use), location);
}

/* What drifted may be unbound from whom it drifted to. */
static bool stays_where_it_is(const Refusal *refusal, const MemberPlan *member)
{
        State state = device_recorded_state(member->device);

        return !refusal->planning->request->may_unbind && state != STATE_BOUND &&
               state != STATE_DETACHED;
}

/* A bare address, or udev looking at it, is no use on a function that has just appeared. What udev
 * does for a moment is no reason either where the executor waits for it, or while nothing is to be
 * unbound: nothing would say that it is over. */
static bool is_nothing(const Refusal *refusal, const MemberPlan *member, const UseNote *note)
{
        if (!note->is_passing || member->fresh || note->use != IN_USE_PROCESS)
                return note->is_passing && member->fresh;
        const PlanRequest *request = refusal->planning->request;
        return (request->stage == STAGE_RUNTIME && !request->in_udev_event) ||
               stays_where_it_is(refusal, member);
}

static int check_uses(Refusal *refusal, MemberPlan *member)
{
        const Device *device = member->device;

        if (!is_taken_from_host(member))
                return 0;

        for (size_t i = 0; i < device->n_uses; i++) {
                const UseNote *note = &device->uses[i];
                _cleanup_free_ char *ways_out = NULL;

                if (planner_allowed_uses(member) & 1U << note->use ||
                    is_nothing(refusal, member, note))
                        continue;
                if (planner_is_requested(refusal->planning, refusal->group, MANUAL_BOUND))
                        return refuse_use_by_hand(refusal, member, note);
                int r = format_ways_out(refusal, member, note->use, &ways_out);
                if (r < 0)
                        return r;
                if (isempty(note->remedy))
                        return REFUSE(refusal, member, STATE_REFUSED, in_use_reason(note->use),
                                "%s: %s.", note->what, ways_out);
                return REFUSE(refusal, member, STATE_REFUSED, in_use_reason(note->use),
                        "%s. %s and run \"vfio-bindctl apply\", or %s.", note->what,
                        note->remedy, ways_out);
        }
        return 0;
}

static int check_host_devices(Refusal *refusal, MemberPlan *member)
{
        _cleanup_free_ char *location = NULL;
        HostDeviceVerdict verdict;
        int r;

        if (!is_taken_from_host(member))
                return 0;
        r = member_location(first_selected(refusal->group), &location);
        if (r >= 0)
                r = planner_judge_host_device(refusal->planning, member, location, &verdict);
        if (r < 0 || verdict.reason == REASON_NONE)
                return r;
        return refuse(refusal, member, verdict.state, verdict.reason, verdict.text);
}

typedef int (*Check)(Refusal *refusal, MemberPlan *member);

static const Check checks[] = {
        check_selection, check_agreement, check_driver, check_iommu, check_identity,
        check_override_file, check_bridge,
        check_physical_function, check_companion, check_platform, check_uses,
        check_host_devices,
};

int planner_refuse_group(const Planning *planning, GroupPlan *group, const ClaimSettings *settings,
        State *ret_state, Reason *ret_reason)
{
        Refusal refusal = { .planning = planning, .group = group, .settings = settings };

        for (size_t i = 0; i < group->n_members; i++)
                refusal.has_selected = refusal.has_selected ||
                                       group->members[i].role == ROLE_SELECTED;
        for (size_t i = 0; i < ELEMENTSOF(checks); i++)
                for (size_t j = 0; j < group->n_members; j++) {
                        int r;

                        /* of a group that nobody wants, only what is said about claims counts */
                        if (!refusal.has_selected && checks[i] != check_selection)
                                continue;
                        r = checks[i](&refusal, &group->members[j]);

                        if (r < 0)
                                return r;
                }

        *ret_state = refusal.state;
        *ret_reason = refusal.reason;
        return 0;
}
