/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec/intent.h"

#include <errno.h>
#include <inttypes.h>

#include "util/array.h"
#include "util/buffer.h"
#include "util/parse.h"
#include "util/strings.h"

#define ENTRIES_MAX 4096

static bool is_by_hand(const MemberPlan *member)
{
        return member->manual == (member->action == ACTION_RELEASE ? MANUAL_RELEASED
                                                                   : MANUAL_BOUND);
}

/* Early passes may, whoever handles a function that has just appeared, and a plan that knew of
 * another driver: without leave there would have been nothing to do. */
static bool may_unbind(const MemberPlan *member, Stage stage)
{
        if (member->action == ACTION_RELEASE)
                return false;
        return member->fresh || stage != STAGE_RUNTIME ||
               (member->device->driver && !streq_null(member->device->driver, member->target));
}

int intent_format(const GroupPlan *group, Stage stage, char **ret)
{
        _cleanup_buffer_ Buffer buffer = {};

        for (size_t i = 0; i < group->n_members; i++) {
                const MemberPlan *member = &group->members[i];

                if (member->action == ACTION_NONE || member->action == ACTION_ADOPT ||
                    member->action == ACTION_PROBE_HOST)
                        continue;
                buffer_printf(&buffer, "%s%s %s %s -> %s", buffer.length > 0 ? "; " : "",
                        action_to_string(member->action),
                        PCI_ADDRESS_TEXT(&member->device->address),
                        member->device->driver ?: "-", member->target ?: "-");
                if (member->device->inode != 0)
                        buffer_printf(&buffer, " inode=%" PRIu64, member->device->inode);
                buffer_printf(&buffer, "%s%s%s", is_by_hand(member) ? " by-hand" : "",
                        member->no_probe ? " no-probe" : "",
                        may_unbind(member, stage) ? " may-unbind" : "");
        }
        if (buffer.length == 0 && !buffer.failed) {
                *ret = NULL;
                return 0;
        }
        return buffer_finish(&buffer, ret);
}

static bool parse_action(const char *word, Action *ret)
{
        static const Action actions[] = { ACTION_BIND, ACTION_DETACH, ACTION_HOLD, ACTION_RELEASE };

        for (size_t i = 0; word && i < ELEMENTSOF(actions); i++) {
                if (!streq(action_to_string(actions[i]), word))
                        continue;
                *ret = actions[i];
                return true;
        }
        return false;
}

static bool parse_entry(char *text, IntentEntry *ret)
{
        IntentEntry entry = {};
        const char *word;

        text += strspn(text, " ");
        if (!parse_action(strsep(&text, " "), &entry.action))
                return false;
        word = strsep(&text, " ");
        if (!word || pci_address_parse(word, &entry.address) < 0)
                return false;
        (void) strsep(&text, " "); /* the driver before */
        word = strsep(&text, " ");
        if (!word || !streq(word, "->"))
                return false;
        word = strsep(&text, " ");
        if (!word || strlen(word) >= sizeof(entry.target))
                return false;
        if (!streq(word, "-"))
                strcpy(entry.target, word);
        while ((word = strsep(&text, " "))) {
                const char *inode = startswith(word, "inode=");

                if (inode && parse_unsigned(inode, UINT64_MAX, &entry.inode) < 0)
                        return false;
                entry.by_hand = entry.by_hand || streq(word, "by-hand");
                entry.no_probe = entry.no_probe || streq(word, "no-probe");
                entry.may_unbind = entry.may_unbind || streq(word, "may-unbind");
        }
        *ret = entry;
        return true;
}

int intent_parse(const char *text, IntentEntry **ret, size_t *ret_n)
{
        _cleanup_free_ char *copy = strdup(text);
        _cleanup_free_ IntentEntry *entries = NULL;
        char *rest = copy, *part;
        size_t n = 0;

        if (!copy)
                return -ENOMEM;
        rest[strcspn(rest, "\n")] = '\0';
        while (n < ENTRIES_MAX && (part = strsep(&rest, ";"))) {
                IntentEntry entry;
                int r;

                if (!parse_entry(part, &entry))
                        continue;
                r = ARRAY_GROW(entries, n);
                if (r < 0)
                        return r;
                entries[n++] = entry;
        }
        *ret = TAKE_POINTER(entries);
        *ret_n = n;
        return 0;
}
