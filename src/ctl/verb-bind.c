/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/by-hand.h"
#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/verbs.h"

static ExitCode choose(ByHand *by_hand, const Model *model)
{
        ExitCode code = EXIT_CODE_DONE;
        const ModelDevice *device =
                check_device(model, by_hand->options->arguments[0], &code);
        int r = device ? by_hand_add(by_hand, model, device) : 0;

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
        .arguments = "DEV",
        .summary = "Bind the group of a device by hand, until the next boot",
        .help = "Binds the whole IOMMU group of a device, with or without a claim, unless the\n"
                "host uses it. It stays so until it is released or the machine boots again; what\n"
                "shall be bound at every boot is a claim (\"vfio-bindctl suggest\").\n"
                "\n"
                "DEV is 0000:01:00.0, 01:00.0 or pci_0000_01_00_0.\n",
        .least = 1,
        .most = 1,
        .changes = true,
        .run = run,
};
