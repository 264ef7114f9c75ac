/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/by-hand.h"
#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/verbs.h"

/* Is there anything of it to be given back? */
static bool is_ours(const ModelDevice *device)
{
        static const char *const ours[] = { "bound", "detached", "drifted", "binding", "stuck" };

        for (size_t i = 0; i < ELEMENTSOF(ours); i++)
                if (streq_null(device->text[DEVICE_STATE], ours[i]))
                        return true;
        return false;
}

/* `claim` NULL: whatever is ours. */
static int add_all(ByHand *by_hand, const Model *model, const char *claim)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < model->n_devices; i++) {
                const ModelDevice *device = &model->devices[i];

                if (is_ours(device) && (!claim || streq_null(device->claim, claim)))
                        r = by_hand_add(by_hand, model, device);
        }
        return r;
}

static ExitCode choose(ByHand *by_hand, const Model *model)
{
        const char *argument = by_hand->options->arguments[0];
        const ModelDevice *device = NULL;
        ExitCode code = EXIT_CODE_DONE;
        PciAddress address;
        int r = 0;

        if (!argument) {
                r = add_all(by_hand, model, NULL);
        } else if (pci_address_parse(argument, &address) >= 0) {
                device = check_device(model, argument, &code);
                r = device ? by_hand_add(by_hand, model, device) : 0;
        } else if (check_claim(model, argument)) {
                r = add_all(by_hand, model, argument);
        } else {
                code = EXIT_CODE_ABSENT;
        }
        if (r < 0) {
                complain_errno(r, "release the device");
                return EXIT_CODE_FAILED;
        }
        return code;
}

static int run(const Options *options)
{
        ByHand by_hand = { .options = options, .kind = "release", .call = client_release,
                           .choose = choose };

        if (options->all != !options->arguments[0]) {
                complain(options->all
                                ? "release takes --all or a device or claim, not both."
                                : "release needs a device, a claim, or --all for everything.");
                return EXIT_CODE_USAGE;
        }
        return (int) by_hand_run(&by_hand);
}

const Verb verb_release = {
        .name = "release",
        .arguments = "DEV|CLAIM|--all",
        .summary = "Give devices back to the host, until bind or boot",
        .help = "Gives the whole IOMMU groups of a device, of a claim, or of all that is bound\n"
                "back to the host, each with the driver and settings it had before. It is\n"
                "refused while a virtual machine or program has the group open. What was\n"
                "released stays so until \"vfio-bindctl bind\" or the next boot.\n"
                "\n"
                "Options:\n"
                "  --all                   Everything\n"
                "\n"
                "DEV is 0000:01:00.0, 01:00.0 or pci_0000_01_00_0.\n",
        .options = VERB_OPTION_ALL,
        .most = 1,
        .changes = true,
        .run = run,
};
