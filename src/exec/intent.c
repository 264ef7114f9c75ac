/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec/intent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "util/array.h"
#include "util/buffer.h"
#include "util/parse.h"
#include "util/strings.h"

#define ENTRIES_MAX 4096
#define DRIVER_SIZE sizeof(((IntentEntry *) NULL)->target)

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

static bool is_to_be_finished(const MemberPlan *member)
{
        return member->action != ACTION_NONE && member->action != ACTION_ADOPT &&
               member->action != ACTION_PROBE_HOST;
}

static void format_count(ResumeCount count, Buffer *buffer)
{
        if (count.n_tries > 0 || count.n_timeouts > 0)
                buffer_printf(buffer, "\ntries=%u timeouts=%u\n", count.n_tries,
                        count.n_timeouts);
}

static void format_options(const MemberPlan *member, const ClaimSettings *settings, Buffer *buffer)
{
        const char *separator = " allow-in-use=";

        if (!member->is_asked_for || !settings)
                return;
        buffer_printf(buffer, " asked companions=%s",
                companion_policy_to_string(settings->companions));
        if (streq(settings->driver, "auto"))
                buffer_append(buffer, " auto");
        for (unsigned use = 0; use < _IN_USE_MAX; use++) {
                if (!(member->allow_by_hand & 1U << use))
                        continue;
                buffer_printf(buffer, "%s%s", separator, in_use_to_string((InUse) use));
                separator = ",";
        }
}

static void format_entry(const MemberPlan *member, const ClaimSettings *settings, Stage stage,
        Buffer *buffer)
{
        const Device *device = member->device;
        const char *driver = device->driver ?: member->found_driver;
        Action action = is_to_be_finished(member) ? member->action : ACTION_BIND;

        buffer_printf(buffer, "%s%s %s %s -> %s", buffer->length > 0 ? "; " : "",
                action_to_string(action), PCI_ADDRESS_TEXT(&device->address),
                driver ?: "-", member->target ?: "-");
        if (device->inode != 0)
                buffer_printf(buffer, " inode=%" PRIu64, device->inode);
        buffer_printf(buffer, "%s%s%s", is_by_hand(member) ? " by-hand" : "",
                member->no_probe ? " no-probe" : "",
                may_unbind(member, stage) ? " may-unbind" : "");
        format_options(member, settings, buffer);
}

/* What was asked for is named where it is in place already, too: the others are bound for it. */
int intent_format(const GroupPlan *group, Stage stage, char **ret)
{
        _cleanup_buffer_ Buffer buffer = {};
        bool any = false;

        for (size_t i = 0; i < group->n_members; i++)
                any = any || is_to_be_finished(&group->members[i]);
        for (size_t i = 0; any && i < group->n_members; i++) {
                const MemberPlan *member = &group->members[i];

                if (is_to_be_finished(member) || (member->is_asked_for && member->target))
                        format_entry(member, group->settings, stage, &buffer);
        }
        if (buffer.length == 0 && !buffer.failed) {
                *ret = NULL;
                return 0;
        }
        format_count(group->resumed, &buffer);
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

static bool parse_driver(const char *word, char ret[static DRIVER_SIZE])
{
        if (!word || strlen(word) >= DRIVER_SIZE)
                return false;
        strcpy(ret, streq(word, "-") ? "" : word);
        return true;
}

/* Whatever stands in the file: nothing that may never be allowed. */
static unsigned parse_uses(const char *words)
{
        unsigned uses = 0;

        for (size_t n; *words; words += n + (words[n] == ',')) {
                char word[16];
                int use;

                n = strcspn(words, ",");
                (void) snprintf(word, sizeof(word), "%.*s", (int) n, words);
                use = n < sizeof(word) ? in_use_from_string(word) : -EINVAL;
                if (use >= 0)
                        uses |= 1U << use;
        }
        return uses & ALLOWABLE_USES;
}

static bool parse_word(const char *word, IntentEntry *entry)
{
        const char *inode = startswith(word, "inode=");
        const char *companions = startswith(word, "companions=");
        const char *uses = startswith(word, "allow-in-use=");

        if (inode)
                return parse_unsigned(inode, UINT64_MAX, &entry->inode) >= 0;
        if (companions && companion_policy_from_string(companions) >= 0)
                entry->companions = companion_policy_from_string(companions);
        if (uses)
                entry->allow_in_use = parse_uses(uses);
        entry->by_hand = entry->by_hand || streq(word, "by-hand");
        entry->no_probe = entry->no_probe || streq(word, "no-probe");
        entry->may_unbind = entry->may_unbind || streq(word, "may-unbind");
        entry->is_asked_for = entry->is_asked_for || streq(word, "asked");
        entry->is_auto = entry->is_auto || streq(word, "auto");
        return true;
}

static bool parse_entry(char *text, IntentEntry *ret)
{
        IntentEntry entry = { .companions = -1 };
        const char *word;

        text += strspn(text, " ");
        if (!parse_action(strsep(&text, " "), &entry.action))
                return false;
        word = strsep(&text, " ");
        if (!word || pci_address_parse(word, &entry.address) < 0)
                return false;
        if (!parse_driver(strsep(&text, " "), entry.driver))
                return false;
        word = strsep(&text, " ");
        if (!word || !streq(word, "->") || !parse_driver(strsep(&text, " "), entry.target))
                return false;
        while ((word = strsep(&text, " ")))
                if (!parse_word(word, &entry))
                        return false;
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

static unsigned parse_number(const char *line, const char *name)
{
        const char *word = strstr(line, name);
        char digits[8];
        uint64_t number;

        if (!word)
                return 0;
        word += strlen(name);
        (void) snprintf(digits, sizeof(digits), "%.*s", (int) strcspn(word, " \n"), word);
        return parse_unsigned(digits, UINT16_MAX, &number) < 0 ? 0 : (unsigned) number;
}

ResumeCount intent_parse_count(const char *text)
{
        const char *line = strchr(text, '\n');

        if (!line)
                return (ResumeCount){};
        return (ResumeCount){
                .n_tries = parse_number(line, "\ntries="),
                .n_timeouts = parse_number(line, " timeouts="),
        };
}

int intent_set_count(const char *text, ResumeCount count, char **ret)
{
        _cleanup_buffer_ Buffer buffer = {};

        buffer_append_length(&buffer, text, strcspn(text, "\n"));
        format_count(count, &buffer);
        return buffer_finish(&buffer, ret);
}
