/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/vocabulary.h"
#include "ctl/doctor.h"
#include "ctl/physical-functions.h"
#include "ctl/sentence.h"
#include "util/strings.h"

/* Does every claim have what it asks for? Its own text says what is in the way and, in a sentence
 * of its own, what helps. */

static bool is_reason(const char *text, Reason reason)
{
        return streq_null(text, reason_to_string(reason));
}

/* What the examinations of the machine say once, for all claims. */
static bool is_said_elsewhere(const Doctor *doctor, const ModelClaim *claim)
{
        const char *reason = claim->text[CLAIM_REASON];

        return is_reason(reason, REASON_CONFIG_ERROR) || is_reason(reason, REASON_DRIVER_MISSING) ||
               is_reason(reason, REASON_DISABLED_BY_KERNEL_COMMAND_LINE) ||
               (is_reason(reason, REASON_NO_IOMMU) && !doctor->snapshot->has_iommu);
}

/* The function that the claim's reason is about; else any that it selects; NULL: none. */
static const ModelDevice *find_device(const Model *model, const ModelClaim *claim)
{
        const ModelDevice *found = NULL;

        for (size_t i = 0; i < model->n_devices; i++) {
                const ModelDevice *device = &model->devices[i];

                if (!streq_null(device->claim, claim->text[CLAIM_NAME]) ||
                    !streq_null(device->text[DEVICE_ROLE], role_to_string(ROLE_SELECTED)))
                        continue;
                if (streq_null(device->text[DEVICE_REASON], claim->text[CLAIM_REASON]))
                        return device;
                found = found ?: device;
        }
        return found;
}

static int add_remedy(Doctor *doctor, const Model *model, const ModelClaim *claim)
{
        const ModelDevice *device = find_device(model, claim);
        const char *name = claim->text[CLAIM_NAME];

        if (streq_null(claim->text[CLAIM_STATE], "absent"))
                return doctor_remedy(doctor, "If it is to come later, nothing has to be done. If "
                                             "its lines are wrong, \"vfio-bindctl suggest %s "
                                             "ADDRESS\" prints right ones.",
                        name);
        if (device && is_reason(claim->text[CLAIM_REASON], REASON_IDENTITY_MISMATCH))
                return doctor_remedy(doctor, "If what stands there now is the one you mean, print "
                                             "the line anew: \"vfio-bindctl suggest %s %s\".",
                        name, device->text[DEVICE_ADDRESS]);
        if (!claim->text[CLAIM_REASON])
                return doctor_remedy(doctor, doctor->told
                                ? "Run \"vfio-bindctl apply %s\"."
                                : "vfio-bindd does not run: \"systemctl start vfio-bindd\", then "
                                  "\"vfio-bindctl apply %s\".",
                        name);
        if (device)
                return doctor_remedy(doctor, "\"vfio-bindctl explain %s\" tells how every line "
                                             "answers.",
                        device->text[DEVICE_ADDRESS]);
        return doctor_remedy(doctor, "Change the lines of claim %s.", name);
}

/* Where the first sentence ends: not inside of quotes. NULL: there is but one. */
static char *find_second_sentence(char *text)
{
        bool is_quoted = false;

        for (char *c = text; *c; c++) {
                if (*c == '"')
                        is_quoted = !is_quoted;
                if (!is_quoted && c[0] == '.' && c[1] == ' ')
                        return c + 1;
        }
        return NULL;
}

static int examine_claim(Doctor *doctor, const Model *model, const ModelClaim *claim,
        bool is_error, const char *code)
{
        const char *reason = claim->text[CLAIM_REASON];
        const char *text = claim->text[CLAIM_REASON_TEXT] ?: reason_explanation(reason ?: "");
        _cleanup_free_ char *sentence = NULL;
        char *rest;
        int r;

        r = sentence_with_place(text ?: reason ?: "nothing has bound it yet", claim->file,
                claim->line, true, &sentence);
        if (r < 0)
                return r;
        rest = find_second_sentence(sentence);
        if (rest)
                *rest = '\0';
        r = doctor_find(doctor, is_error, code, "Claim %s is %s: %s", claim->text[CLAIM_NAME],
                claim->text[CLAIM_STATE], sentence);
        if (r < 0)
                return r;
        return rest ? doctor_remedy(doctor, "%s", rest + 1) : add_remedy(doctor, model, claim);
}

/* One whose functions are in several states is judged by the reason that it shows. What is stuck is
 * told of with the device. */
int doctor_examine_claims(Doctor *doctor)
{
        static const struct {
                const char *state;
                bool is_error;
                const char *code;
        } troubles[] = {
                { "refused", true, "claim-refused" },   { "failed", true, "claim-failed" },
                { "gave-back", true, "claim-failed" },  { "partial", true, "claim-partial" },
                { "pending", false, "claim-pending" },  { "drifted", false, "claim-drifted" },
                { "absent", false, "claim-absent" },
        };
        const Model *model = doctor->told ?: doctor->model;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < model->n_claims; i++) {
                const ModelClaim *claim = &model->claims[i];
                bool is_blind = is_reason(claim->text[CLAIM_REASON], REASON_GUARD_BLIND);

                for (size_t j = 0; r >= 0 && j < ELEMENTSOF(troubles); j++)
                        if (streq_null(claim->text[CLAIM_STATE], troubles[j].state) &&
                            !is_said_elsewhere(doctor, claim))
                                r = examine_claim(doctor, model, claim,
                                        troubles[j].is_error && !is_blind, troubles[j].code);
        }
        return r;
}

/* Our own eyes tell why nothing matches where the daemon says only that. */
static const ModelPhysicalFunction *look_closer(const Doctor *doctor,
        const ModelPhysicalFunction *told)
{
        const ModelPhysicalFunctions *own = &doctor->model->physical_functions;

        for (size_t i = 0; streq_null(told->state, "absent") && i < own->n_items; i++)
                if (streq_null(own->items[i].name, told->name))
                        return &own->items[i];
        return told;
}

static int remedy_for_physical_function(Doctor *doctor, const ModelPhysicalFunction *function)
{
        const char *reason = function->reason;

        if (streq_null(function->state, "absent"))
                return doctor_remedy(doctor, "If it is to come later, nothing has to be done. If "
                                             "its lines are wrong, \"vfio-bindctl groups\" shows "
                                             "what is here.");
        if (is_reason(reason, REASON_IDENTITY_MISMATCH))
                return doctor_remedy(doctor, "If what stands there now is the one you mean, change "
                                             "expect=; else name the address of the one you mean.");
        if (is_reason(reason, REASON_SRIOV_UNSUPPORTED))
                return doctor_remedy(doctor, "Take NumVFs= out, or switch SR-IOV on in the "
                                             "firmware setup and in the card's own.");
        if (is_reason(reason, REASON_VFS_FEWER_THAN_ASKED))
                return doctor_remedy(doctor, "Ask for fewer, or write NumVFs=max.");
        if (is_reason(reason, REASON_PF_NOT_BOUND))
                return doctor_remedy(doctor, "Load the module of its host driver, or bind the "
                                             "function to it.");
        if (!doctor->told)
                return doctor_remedy(doctor, "vfio-bindd does not run: \"systemctl start "
                                             "vfio-bindd\", then \"vfio-bindctl apply\".");
        return doctor_remedy(doctor, "Run \"vfio-bindctl apply\". \"vfio-bindctl status %s\" "
                                     "shows its last journal lines.", function->device ?: "");
}

static int examine_physical_function(Doctor *doctor, const ModelPhysicalFunction *function,
        bool is_error, const char *code)
{
        const char *text = function->text ?: streq_null(function->state, "absent")
                ? "nothing in this machine matches it"
                : "its virtual functions have not been made, or not been kept from host drivers";
        _cleanup_free_ char *name = NULL, *sentence = NULL;
        char *rest;
        int r;

        r = physical_function_format_name(function, &name);
        if (r >= 0)
                r = sentence_with_place(text, function->file, function->line, true, &sentence);
        if (r < 0)
                return r;
        rest = find_second_sentence(sentence);
        if (rest)
                *rest = '\0';
        r = doctor_find(doctor, is_error, code, "%s is %s: %s", name, function->state, sentence);
        if (r < 0)
                return r;
        return rest ? doctor_remedy(doctor, "%s", rest + 1)
                    : remedy_for_physical_function(doctor, function);
}

int doctor_examine_physical_functions(Doctor *doctor)
{
        static const struct {
                const char *state;
                bool is_error;
                const char *code;
        } troubles[] = {
                { "refused", true, "physical-function-refused" },
                { "failed", true, "physical-function-failed" },
                { "pending", false, "physical-function-pending" },
                { "absent", false, "physical-function-absent" },
        };
        const Model *model = doctor->told ?: doctor->model;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < model->physical_functions.n_items; i++) {
                const ModelPhysicalFunction *function =
                        look_closer(doctor, &model->physical_functions.items[i]);

                for (size_t j = 0; r >= 0 && j < ELEMENTSOF(troubles); j++)
                        if (function->name && streq_null(function->state, troubles[j].state))
                                r = examine_physical_function(doctor, function,
                                        troubles[j].is_error, troubles[j].code);
        }
        return r;
}
