/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "core/vocabulary.h"
#include "ctl/doctor.h"
#include "ctl/sentence.h"
#include "util/strings.h"

/* Does every claim have what it asks for? Its own text says what is in the way, and then, in a
 * sentence of its own, what helps. */

/* What the examinations of the machine say once, for all claims. */
static bool is_said_elsewhere(const ModelClaim *claim)
{
        static const Reason reasons[] = {
                REASON_NO_IOMMU, REASON_CONFIG_ERROR, REASON_DISABLED_BY_KERNEL_COMMAND_LINE,
        };

        for (size_t i = 0; i < ELEMENTSOF(reasons); i++)
                if (streq_null(claim->text[CLAIM_REASON], reason_to_string(reasons[i])))
                        return true;
        return false;
}

static const ModelDevice *find_device(const Model *model, const ModelClaim *claim)
{
        for (size_t i = 0; i < model->n_devices; i++)
                if (streq_null(model->devices[i].claim, claim->text[CLAIM_NAME]))
                        return &model->devices[i];
        return NULL;
}

static int add_remedy(Doctor *doctor, const ModelClaim *claim, const char *sentence)
{
        const ModelDevice *device = find_device(doctor->model, claim);

        if (*sentence)
                return doctor_remedy(doctor, "%s", sentence);
        if (device && streq_null(claim->text[CLAIM_REASON],
                              reason_to_string(REASON_IDENTITY_MISMATCH)))
                return doctor_remedy(doctor, "If that is the one you mean, print the line anew: "
                                             "\"vfio-bindctl suggest %s %s\".",
                        claim->text[CLAIM_NAME], device->text[DEVICE_ADDRESS]);
        if (device)
                return doctor_remedy(doctor, "\"vfio-bindctl explain %s\" tells how every line "
                                             "answers.", device->text[DEVICE_ADDRESS]);
        return doctor_remedy(doctor, "Where that is not a device that comes and goes, print the "
                                     "line anew: \"vfio-bindctl suggest %s ADDRESS\".",
                claim->text[CLAIM_NAME]);
}

static int examine_claim(Doctor *doctor, const ModelClaim *claim, bool is_error, const char *code)
{
        const char *text = claim->text[CLAIM_REASON_TEXT]
                ?: reason_explanation(claim->text[CLAIM_REASON] ?: "")
                ?: claim->text[CLAIM_REASON];
        _cleanup_free_ char *sentence = NULL;
        char *remedy;
        int r;

        r = sentence_with_place(text ?: "nothing tells why", claim->file, claim->line, true,
                &sentence);
        if (r < 0)
                return r;
        remedy = strstr(sentence, ". ");
        if (remedy) {
                remedy[1] = '\0';
                remedy += 2;
        }
        r = doctor_find(doctor, is_error, code, "Claim %s is %s: %s", claim->text[CLAIM_NAME],
                claim->text[CLAIM_STATE], sentence);
        return r < 0 ? r : add_remedy(doctor, claim, remedy ?: "");
}

int doctor_examine_claims(Doctor *doctor)
{
        static const struct {
                State state;
                bool is_error;
                const char *code;
        } troubles[] = {
                { STATE_REFUSED, true, "claim-refused" },
                { STATE_FAILED, true, "claim-failed" },
                { STATE_STUCK, true, "claim-stuck" },
                { STATE_GAVE_BACK, true, "claim-failed" },
                { STATE_PENDING, false, "claim-pending" },
                { STATE_DRIFTED, false, "claim-drifted" },
        };
        const Model *model = doctor->model;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < model->n_claims; i++) {
                const ModelClaim *claim = &model->claims[i];
                const char *state = claim->text[CLAIM_STATE];

                if (is_said_elsewhere(claim))
                        continue;
                if (streq_null(state, "absent"))
                        r = examine_claim(doctor, claim, false, "claim-absent");
                for (size_t j = 0; r >= 0 && j < ELEMENTSOF(troubles); j++)
                        if (streq_null(state, state_to_string(troubles[j].state)))
                                r = examine_claim(doctor, claim, troubles[j].is_error,
                                        troubles[j].code);
        }
        return r;
}
