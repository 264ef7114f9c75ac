/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/outcome.h"

#include "core/plan.h"
#include "ctl/sentence.h"

/* A line names the function first, then what came of it, then the thing in the way and a remedy,
 * then the line of the configuration. */

void outcome_done(Outcome *outcome)
{
        free(outcome->line);
        *outcome = (Outcome){};
}

static bool is_any(const char *word, const char *a, const char *b)
{
        return streq_null(word, a) || streq_null(word, b);
}

static ExitCode state_code(const char *state)
{
        if (is_any(state, "stuck", "binding") || streq_null(state, "releasing"))
                return EXIT_CODE_STUCK;
        if (is_any(state, "refused", "pending"))
                return EXIT_CODE_REFUSED;
        if (is_any(state, "failed", "drifted") || streq_null(state, "gave-back"))
                return EXIT_CODE_FAILED;
        if (streq_null(state, "error"))
                return EXIT_CODE_USAGE;
        return EXIT_CODE_DONE;
}

/* A refusal for want of a right configuration is the configuration's fault. */
static ExitCode device_code(const char *state, const char *reason)
{
        ExitCode code = state_code(state);

        return code != EXIT_CODE_DONE && streq_null(reason, reason_to_string(REASON_CONFIG_ERROR))
                ? EXIT_CODE_USAGE
                : code;
}

static const char *text_of(const ModelDevice *device, DeviceText text)
{
        return device ? device->text[text] : NULL;
}

/* "0000:03:00.0 (1b36:0010)" */
static int format_subject(const PciAddress *address, const ModelDevice *device, char **ret)
{
        const char *vendor = text_of(device, DEVICE_VENDOR_ID);
        const char *id = text_of(device, DEVICE_DEVICE_ID);

        if (!vendor || !id)
                return format_string(ret, "%s", PCI_ADDRESS_TEXT(address));
        return format_string(ret, "%s (%s:%s)", PCI_ADDRESS_TEXT(address), vendor, id);
}

/* "SUBJECT not bound: TEXT (file:line)." */
static int format_problem(const Model *model, const PciAddress *address,
        const ModelDevice *device, const char *phrase, const char *reason, char **ret)
{
        const ModelClaim *claim =
                device && device->claim ? model_find_claim(model, device->claim) : NULL;
        const char *text = device ? model_explain(model, device, reason) : reason;
        _cleanup_free_ char *subject = NULL, *sentence = NULL;
        int r;

        r = format_subject(address, device, &subject);
        if (r < 0)
                return r;
        if (!text)
                return format_string(ret, "%s %s.", subject, phrase);
        r = sentence_with_place(text, claim ? claim->file : NULL, claim ? claim->line : 0, true,
                &sentence);
        return r < 0 ? r : format_string(ret, "%s %s: %s", subject, phrase, sentence);
}

/* Of a group that was refused, its selected functions speak and count; another one only if a claim
 * with an error keeps it. */
static bool speaks(const ModelDevice *device, const char *reason)
{
        if (!device || is_any(device->text[DEVICE_ROLE], "selected", NULL))
                return true;
        return device->claim && streq_null(device->text[DEVICE_ROLE], "excluded") &&
                streq_null(reason, reason_to_string(REASON_CONFIG_ERROR));
}

static const char *taken_from(const ModelDevice *before, const char *driver)
{
        const char *from = text_of(before, DEVICE_DRIVER);

        return streq_null(from, driver) ? NULL : from;
}

/* "bound to vfio-pci, taken from nvme"; *ret NULL: it was so before. */
static int format_change(const ModelDevice *before, const ModelDevice *after, const char *state,
        char **ret)
{
        const char *driver = text_of(after, DEVICE_DRIVER);
        const char *from = taken_from(before, driver);
        bool moved = !streq_null(text_of(before, DEVICE_DRIVER), driver);
        bool changed = moved || !streq_null(text_of(before, DEVICE_STATE), state);

        *ret = NULL;
        if (streq_null(state, "bound") && changed)
                return format_string(ret, "bound to %s%s%s", driver ?: "its driver",
                        from ? ", taken from " : "", from ?: "");
        if (streq_null(state, "detached") && changed)
                return format_string(ret, "left without a driver%s%s",
                        from ? ", taken from " : "", from ?: "");
        if (is_any(state, "released", "unclaimed") && moved)
                return driver ? format_string(ret, "given back to %s", driver)
                              : format_string(ret, "given back; no driver took it");
        return 0;
}

static int describe_success(const Model *before, const Model *after, const ApplyItem *item,
        Outcome *ret)
{
        const ModelDevice *device = model_find_device(after, &item->address);
        const ModelDevice *earlier = model_find_device(before, &item->address);
        _cleanup_free_ char *change = NULL, *subject = NULL, *phrase = NULL;
        int r;

        r = format_change(earlier, device, item->state, &change);
        if (r < 0)
                return r;
        if (item->reason && device && device->claim && !streq_null(item->state, "unclaimed")) {
                ret->is_problem = true;
                r = format_string(&phrase, "%s, but", change ?: item->state);
                return r < 0 ? r
                             : format_problem(after, &item->address, device, phrase, item->reason,
                                       &ret->line);
        }
        if (!change)
                return 0;
        r = format_subject(&item->address, device, &subject);
        return r < 0 ? r : format_string(&ret->line, "%s %s.", subject, change);
}

int outcome_of_item(const Model *before, const Model *after, const ApplyItem *item, Outcome *ret)
{
        const ModelDevice *device = model_find_device(after, &item->address);
        const char *phrase = "not bound";

        *ret = (Outcome){ .code = device_code(item->state, item->reason) };
        if (ret->code == EXIT_CODE_DONE)
                return describe_success(before, after, item, ret);
        if (!speaks(device, item->reason)) {
                *ret = (Outcome){};
                return 0;
        }
        ret->is_problem = true;
        if (streq_null(item->state, "stuck"))
                phrase = "stuck";
        else if (streq_null(item->state, "binding"))
                phrase = "still being bound";
        else if (streq_null(item->state, "releasing"))
                phrase = "still being given back";
        return format_problem(after, &item->address, device, phrase, item->reason, &ret->line);
}

static int describe_action(const ModelStep *step, const char *subject, char **ret)
{
        const char *action = step->action ?: "";
        const char *from = streq_null(step->from, step->to) ? NULL : step->from;

        if (streq(action, action_to_string(ACTION_BIND)))
                return format_string(ret, "%s would be bound to %s%s%s.", subject,
                        step->to ?: "its driver", from ? ", taken from " : "", from ?: "");
        if (streq(action, action_to_string(ACTION_DETACH)))
                return format_string(ret, "%s would be left without a driver%s%s.", subject,
                        from ? ", taken from " : "", from ?: "");
        if (streq(action, action_to_string(ACTION_HOLD)))
                return format_string(ret, "%s would be kept from host drivers.", subject);
        if (streq(action, action_to_string(ACTION_ADOPT)))
                return format_string(ret, "%s would stay as it is, with its node set up.",
                        subject);
        if (streq(action, action_to_string(ACTION_RELEASE)) ||
            streq(action, action_to_string(ACTION_PROBE_HOST)))
                return format_string(ret, "%s would be given to %s.", subject,
                        step->to ?: "the host");
        return format_string(ret, "%s would see \"%s\".", subject, action);
}

int outcome_of_step(const Model *model, const ModelStep *step, Outcome *ret)
{
        const ModelDevice *device = model_find_device(model, &step->address);
        const char *state = text_of(device, DEVICE_STATE);
        _cleanup_free_ char *subject = NULL;
        int r;

        *ret = (Outcome){};
        if (step->action && !streq(step->action, action_to_string(ACTION_NONE))) {
                r = format_subject(&step->address, device, &subject);
                return r < 0 ? r : describe_action(step, subject, &ret->line);
        }
        ret->code = device_code(state, step->reason);
        if (ret->code == EXIT_CODE_DONE)
                return 0;
        if (!speaks(device, step->reason)) {
                *ret = (Outcome){};
                return 0;
        }
        ret->is_problem = true;
        return format_problem(model, &step->address, device,
                streq_null(state, "stuck") ? "stuck" : "would not be bound", step->reason,
                &ret->line);
}

int outcome_of_claim(const ModelClaim *claim, bool is_named, Outcome *ret)
{
        const char *state = claim->text[CLAIM_STATE], *reason = claim->text[CLAIM_REASON];
        const char *text = claim->text[CLAIM_REASON_TEXT];
        _cleanup_free_ char *sentence = NULL;
        int r;

        *ret = (Outcome){ .code = state_code(state) };
        if (is_named && streq_null(state, "disabled"))
                ret->code = EXIT_CODE_REFUSED;
        ret->is_problem = ret->code != EXIT_CODE_DONE;
        if (!ret->is_problem && !(is_named && streq_null(state, "absent")))
                return 0;
        if (!text && reason)
                text = reason_explanation(reason) ?: reason;
        r = sentence_with_place(text ?: "nothing to do", claim->file, claim->line, true, &sentence);
        if (r < 0)
                return r;
        if (ret->code == EXIT_CODE_USAGE)
                return format_string(&ret->line, "Claim %s: %s", claim->text[CLAIM_NAME],
                        sentence);
        return format_string(&ret->line, "Claim %s is %s: %s", claim->text[CLAIM_NAME], state,
                sentence);
}
