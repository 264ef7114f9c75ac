/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/list.h"
#include "ctl/verbs.h"

static int print(const Model *model, const Options *options)
{
        Terminal terminal = terminal_of(stdout);
        bool legend = !options->no_legend && !options->quiet;

        if (options->json != JSON_OFF)
                return list_print_json(model, options->json == JSON_PRETTY, stdout);
        return list_print(model, legend, &terminal, stdout);
}

static int run(const Options *options)
{
        MachineOptions machine = { .root = options->root };
        _cleanup_source_ Source source = {};
        ExitCode code;
        int r;

        code = source_open_list(&source, &machine);
        if (code != EXIT_CODE_DONE)
                return code;
        r = print(source.model, options);
        if (r >= 0)
                r = source_print_legend(&source, options);
        if (r < 0)
                complain_errno(r, "show the claims");
        return r < 0 ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}

const Verb verb_list = {
        .name = "list",
        .summary = "Claims, their devices and what became of them",
        .help = "Shows every claim of the configuration with its devices, their state, and the\n"
                "reason where one is not bound; then devices without a claim that are in our\n"
                "hands. This is what vfio-bindctl does without a verb.\n"
                "\n"
                "Asks the daemon; if none runs, looks at /sys and the configuration itself.\n",
        .run = run,
};
