/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/sentence.h"

#include <errno.h>

#include "core/vocabulary.h"
#include "util/buffer.h"

int sentence_with_place(const char *text, const char *file, unsigned line, bool full_stop,
        char **ret)
{
        _cleanup_free_ char *place = NULL;
        size_t length = strlen(text);
        bool stops = length > 0 && text[length - 1] == '.';
        int r;

        if (stops)
                length--;
        if (file) {
                r = format_string(&place, "%s:", file);
                if (r < 0)
                        return r;
                if (strstr(text, place))
                        file = NULL;
        }
        if (!file)
                return format_string(ret, "%.*s%s", (int) length, text,
                        stops || full_stop ? "." : "");
        return format_string(ret, "%.*s (%s:%u)%s", (int) length, text, file, line,
                stops || full_stop ? "." : "");
}

const char *reason_explanation(const char *reason)
{
        switch (reason_from_string(reason)) {
        case REASON_NEEDS_APPLY:
                return "a host driver has it; \"vfio-bindctl apply\" takes it unless the host "
                       "uses it";
        case REASON_CLAIM_REMOVED:
                return "no claim selects it any more; it stays as it is until "
                       "\"vfio-bindctl apply --prune\" or the next boot";
        case REASON_DRIFTED:
                return "somebody else changed its driver; \"vfio-bindctl apply\" binds it again";
        case REASON_RECLAIM_GAVE_UP:
                return "somebody else changed its driver again and again; \"vfio-bindctl apply\" "
                       "binds it again";
        case REASON_ACCOUNT_UNKNOWN:
                return "the account in NodeUser= or NodeGroup= does not exist; the node stays "
                       "with root";
        case REASON_EXCLUDED:
                return "Exclude= of [Defaults] keeps it with the host, whatever claims say";
        case REASON_DEFERRED_TO_NEXT_STAGE:
                return "it cannot be told yet whether a claim selects it";
        default:
                return NULL;
        }
}

static const char *group_text(const Model *model, const ModelDevice *device)
{
        const ModelClaim *claim = device->claim ? model_find_claim(model, device->claim) : NULL;

        for (size_t i = 0; device->group >= 0 && i < model->n_devices; i++) {
                const ModelDevice *other = &model->devices[i];

                if (other->group == device->group && other->text[DEVICE_REASON_TEXT])
                        return other->text[DEVICE_REASON_TEXT];
        }
        return claim ? claim->text[CLAIM_REASON_TEXT] : NULL;
}

const char *model_explain(const Model *model, const ModelDevice *device, const char *reason)
{
        const char *text = NULL;

        if (!reason)
                return NULL;
        if (streq_null(device->text[DEVICE_REASON], reason))
                text = device->text[DEVICE_REASON_TEXT];
        if (!text && streq(reason, reason_to_string(REASON_GROUP_REFUSED)))
                text = group_text(model, device);
        if (!text)
                text = reason_explanation(reason);
        return text ?: reason;
}
