/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "core/plan.h"
#include "ctl/by-hand.h"
#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/outcome.h"
#include "ctl/verbs.h"

/* What a claim selects and does not have. */
static int add_claim(ByHand *by_hand, const Model *model, const ModelClaim *claim, bool *ret_any)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < model->n_devices; i++) {
                const ModelDevice *device = &model->devices[i];

                if (!streq_null(device->claim, claim->text[CLAIM_NAME]) ||
                    !streq_null(device->text[DEVICE_ROLE], role_to_string(ROLE_SELECTED)))
                        continue;
                *ret_any = true;
                if (!streq_null(device->text[DEVICE_STATE], state_to_string(STATE_BOUND)))
                        r = by_hand_add(by_hand, model, device);
        }
        return r;
}

/* It is absent, or may not have any: with an error, switched off, or kept from what it names. */
static ExitCode complain_without_device(const ModelClaim *claim)
{
        _cleanup_outcome_ Outcome outcome = {};

        if (outcome_of_claim(claim, true, &outcome) < 0) {
                complain_errno(-ENOMEM, "bind the claim");
                return EXIT_CODE_FAILED;
        }
        complain("%s", outcome.line ?: "It has no device now.");
        return outcome.code != EXIT_CODE_DONE ? outcome.code : EXIT_CODE_ABSENT;
}

static ExitCode choose(ByHand *by_hand, const Model *model)
{
        const char *argument = by_hand->options->arguments[0];
        const ModelClaim *claim = model_find_claim(model, argument);
        const ModelDevice *device = NULL;
        ExitCode code = EXIT_CODE_DONE;
        bool any = false;
        int r;

        if (claim) {
                r = add_claim(by_hand, model, claim, &any);
                if (r >= 0 && !any)
                        return complain_without_device(claim);
        } else {
                device = check_device(model, argument, &code);
                r = device ? by_hand_add(by_hand, model, device) : 0;
        }
        if (r < 0) {
                complain_errno(r, "bind the device");
                return EXIT_CODE_FAILED;
        }
        return code;
}

static int run(const Options *options)
{
        ByHand by_hand = { .options = options, .kind = "bind", .call = client_bind,
                           .choose = choose };

        return (int) by_hand_run(&by_hand);
}

const Verb verb_bind = {
        .name = "bind",
        .arguments = "DEV|CLAIM",
        .summary = "Bind the group of a device by hand, until the next boot",
        .help = "Binds the whole IOMMU group of a device, with or without a claim, or those of a\n"
                "claim, unless the host uses them. They stay so until they are released or the\n"
                "machine boots again; what shall be bound at every boot is a claim\n"
                "(\"vfio-bindctl suggest\").\n"
                "\n"
                "DEV is 0000:01:00.0, 01:00.0 or pci_0000_01_00_0.\n",
        .least = 1,
        .most = 1,
        .changes = true,
        .run = run,
};
