/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/selector-internal.h"

#include <stdio.h>
#include <string.h>

#include "util/strings.h"

static Answer answer(bool holds)
{
        return holds ? ANSWER_YES : ANSWER_NO;
}

static bool id_fits(const IdPattern *id, const Device *device)
{
        return (id->any_vendor || id->vendor == device->vendor) &&
                (id->any_device || id->device == device->device) &&
                (id->any_class || id->class_code == device->class_code >> 8) &&
                (id->any_interface || id->interface == (device->class_code & 0xff));
}

static bool subsystem_fits(const IdPattern *id, const Device *device)
{
        return (id->any_vendor || id->vendor == device->subsystem_vendor) &&
                (id->any_device || id->device == device->subsystem_device);
}

static bool path_fits(const char *path, const Device *device)
{
        return !device->is_virtual_function && streq(path, device->path);
}

static Answer evaluate_path(const char *path, const MatchContext *context, const Device *device)
{
        unsigned n = 0;

        if (!path_fits(path, device))
                return ANSWER_NO;
        for (size_t i = 0; i < context->snapshot->n_devices; i++)
                if (path_fits(path, &context->snapshot->devices[i]))
                        n++;
        return n > 1 ? ANSWER_AMBIGUOUS : ANSWER_YES;
}

static Answer evaluate_fact(const char *wanted, const Fact *fact)
{
        if (!fact->known)
                return ANSWER_UNKNOWN;
        return answer(fact->text && streq(wanted, fact->text));
}

static Answer evaluate_name(const regex_t *pattern, const Device *device)
{
        const char *vendor = device->vendor_name.text, *model = device->device_name.text;
        char name[512];

        if (!device->vendor_name.known || !device->device_name.known)
                return ANSWER_UNKNOWN;
        if (isempty(vendor) && isempty(model))
                return ANSWER_NO;

        int n = snprintf(name, sizeof(name), "%s%s%s", vendor ?: "",
                isempty(vendor) || isempty(model) ? "" : " ", model ?: "");
        /* No name of the database is nearly as long: whatever this is, it is not judged. */
        if (n < 0 || (size_t) n >= sizeof(name))
                return ANSWER_UNKNOWN;

        int r = regexec(pattern, name, 0, NULL, 0);
        return r == 0 ? ANSWER_YES : r == REG_NOMATCH ? ANSWER_NO : ANSWER_UNKNOWN;
}

/* Module names: '-' and '_' are the same to the kernel. */
static bool same_module(const char *a, const char *b)
{
        for (; *a && *b; a++, b++)
                if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
                        return false;
        return *a == *b;
}

static bool has_host_driver(const Device *device, const char *module)
{
        for (char **item = device->host_drivers.list; item && *item; item++)
                if (same_module(*item, module))
                        return true;
        return false;
}

/* An image lists the aliases of those modules only that it has: one that it names for another
 * function is there with all of them. */
static bool knows_module(const MatchContext *context, const char *module)
{
        for (size_t i = 0; i < context->snapshot->n_devices; i++)
                if (has_host_driver(&context->snapshot->devices[i], module))
                        return true;
        return false;
}

static Answer evaluate_host_driver(const char *module, const MatchContext *context,
        const Device *device)
{
        if (!device->host_drivers.known)
                return ANSWER_UNKNOWN;
        if (has_host_driver(device, module))
                return ANSWER_YES;
        if (context->stage == STAGE_INITRD && !knows_module(context, module))
                return ANSWER_UNKNOWN;
        return ANSWER_NO;
}

static Answer evaluate_pf_name(const char *name, const MatchContext *context, const Device *pf)
{
        Answer found;

        if (context->lookup && context->lookup(context, name, pf, &found))
                return found;
        if (!pf->interfaces.known)
                return ANSWER_UNKNOWN;
        if (string_list_contains(pf->interfaces.list, name))
                return ANSWER_YES;
        /* Interfaces get their final names from udev: before it has run none is final. */
        return context->stage == STAGE_RUNTIME ? ANSWER_NO : ANSWER_UNKNOWN;
}

static Answer evaluate_pf(const Term *term, const MatchContext *context, const Device *device)
{
        if (!device->is_virtual_function)
                return ANSWER_NO;
        if (term->pf.naming == PF_BY_ADDRESS)
                return answer(pci_address_equal(&term->pf.address, &device->physical_function));

        const Device *pf = snapshot_find(context->snapshot, &device->physical_function);
        if (!pf)
                return ANSWER_UNKNOWN;
        if (term->pf.naming == PF_BY_PATH)
                return evaluate_path(term->pf.path, context, pf);
        return evaluate_pf_name(term->value, context, pf);
}

static Answer evaluate_vf(const Term *term, const Device *device)
{
        if (!device->is_virtual_function)
                return ANSWER_NO;
        if (device->vf_index < 0)
                return ANSWER_UNKNOWN;
        for (size_t i = 0; i < term->vf.n_ranges; i++) {
                const IndexRange *range = &term->vf.ranges[i];

                if ((unsigned) device->vf_index >= range->first &&
                    (unsigned) device->vf_index <= range->last)
                        return ANSWER_YES;
        }
        return ANSWER_NO;
}

static bool identity_fits(const Identity *identity, const Device *device)
{
        return identity->vendor == device->vendor && identity->device == device->device &&
                (!identity->has_subsystem ||
                        (identity->subsystem_vendor == device->subsystem_vendor &&
                                identity->subsystem_device == device->subsystem_device));
}

Answer term_evaluate(const Term *term, const MatchContext *context, const Device *device)
{
        switch (term->type) {
        case TERM_ADDRESS:
                return answer(term->address.whole_slot
                                ? device_in_slot(device, &term->address.address)
                                : pci_address_equal(&device->address, &term->address.address));
        case TERM_ID:
                return answer(id_fits(&term->id, device));
        case TERM_SUBSYSTEM:
                return answer(subsystem_fits(&term->id, device));
        case TERM_CLASS:
                return answer(device->class_code >> (24 - 4 * term->class_code.digits) ==
                        term->class_code.value);
        case TERM_PATH:
                return evaluate_path(term->path, context, device);
        case TERM_PHYSICAL_SLOT:
                return evaluate_fact(term->value, &device->physical_slot);
        case TERM_SERIAL:
        case TERM_EXPECT_SERIAL:
                return evaluate_fact(term->serial, &device->serial);
        case TERM_NAME:
                return evaluate_name(term->name, device);
        case TERM_HOST_DRIVER:
                return evaluate_host_driver(term->value, context, device);
        case TERM_PF:
                return evaluate_pf(term, context, device);
        case TERM_VF:
                return evaluate_vf(term, device);
        case TERM_EXPECT:
                return answer(identity_fits(&term->expect, device));
        default:
                return ANSWER_UNKNOWN;
        }
}

/* Which of two answers stands when both conditions must hold. */
static Answer both(Answer a, Answer b)
{
        static const unsigned strength[] = {
                [ANSWER_YES] = 0,
                [ANSWER_UNKNOWN] = 1,
                [ANSWER_AMBIGUOUS] = 2,
                [ANSWER_NO] = 3,
        };

        return strength[a] > strength[b] ? a : b;
}

/* Which stands when one of them is enough. */
static Answer either(Answer a, Answer b)
{
        return both(a, b) == a ? b : a;
}

/* All terms of one type together: only lines with errors have more than one (see
 * match_parse_readable()), and there each value counts. */
static Answer evaluate_type(const Match *match, size_t first, const MatchContext *context,
        const Device *device)
{
        TermType type = match->terms[first].type;
        Answer result = term_evaluate(&match->terms[first], context, device);

        for (size_t i = first + 1; i < match->n_terms && result != ANSWER_YES; i++)
                if (match->terms[i].type == type)
                        result = either(result,
                                term_evaluate(&match->terms[i], context, device));
        return result;
}

Answer match_evaluate(const Match *match, const MatchContext *context, const Device *device)
{
        Answer result = ANSWER_YES;
        unsigned done = 0;

        for (size_t i = 0; i < match->n_terms && result != ANSWER_NO; i++) {
                const Term *term = &match->terms[i];

                if (!term_selects(term) || (done & 1U << term->type))
                        continue;
                done |= 1U << term->type;
                result = both(result, evaluate_type(match, i, context, device));
        }
        return result;
}

GuardVerdict match_guard(const Match *match, const Device *device)
{
        GuardVerdict verdict = GUARD_NONE;

        for (size_t i = 0; i < match->n_terms; i++) {
                const Term *term = &match->terms[i];

                if (term_selects(term))
                        continue;

                Answer found = term->type == TERM_EXPECT
                        ? answer(identity_fits(&term->expect, device))
                        : evaluate_fact(term->serial, &device->serial);
                if (found == ANSWER_NO)
                        return GUARD_MISMATCH;
                if (found == ANSWER_UNKNOWN)
                        verdict = GUARD_UNKNOWN;
                else if (verdict == GUARD_NONE)
                        verdict = GUARD_HOLDS;
        }
        return verdict;
}

const Device *match_find_identity(const Match *match, const Snapshot *snapshot, size_t *ret_n)
{
        const Device *first = NULL;

        *ret_n = 0;
        for (size_t i = 0; i < snapshot->n_devices; i++) {
                if (match_guard(match, &snapshot->devices[i]) != GUARD_HOLDS)
                        continue;
                first = first ?: &snapshot->devices[i];
                ++*ret_n;
        }
        return first;
}
