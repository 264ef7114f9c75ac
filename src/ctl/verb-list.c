/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/complain.h"
#include "ctl/exit-code.h"
#include "ctl/list.h"
#include "ctl/machine.h"
#include "ctl/verbs.h"

/* -ENOTCONN: no daemon. */
static int ask_daemon(Model **ret)
{
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        r = client_open(&bus);
        if (r >= 0)
                r = bus ? client_get_model(bus, &error, ret) : -ENOTCONN;
        if (r < 0 && r != -ENOTCONN)
                complain("Cannot ask vfio-bindd: %s.", error.message ?: strerror(-r));
        return r;
}

static int look(const char *root, Model **ret)
{
        _cleanup_machine_ Machine *machine = NULL;
        const char *what = "show the machine";
        int r;

        r = machine_look(root, &machine, &what);
        if (r >= 0)
                r = machine_model(machine, ret);
        if (r < 0)
                complain_errno(r, what);
        return r;
}

static int print(const Model *model, const Options *options)
{
        Terminal terminal = terminal_of(stdout);
        bool legend = !options->no_legend && !options->quiet;
        int r;

        if (options->json != JSON_OFF)
                return list_print_json(model, options->json == JSON_PRETTY, stdout);
        r = list_print(model, legend, &terminal, stdout);
        if (r < 0 || !legend || options->root)
                return r;
        if (!model->state)
                return terminal_print(&terminal, stdout,
                        "vfio-bindd does not run: read from /sys and the configuration.");
        if (streq(model->state, "starting"))
                return terminal_print(&terminal, stdout, "vfio-bindd is starting.");
        return 0;
}

int verb_list(const Options *options)
{
        _cleanup_model_ Model *model = NULL;
        int r = -ENOTCONN;

        if (!options->root)
                r = ask_daemon(&model);
        if (r == -ENOTCONN)
                r = look(options->root, &model);
        if (r < 0)
                return r == -ETIMEDOUT ? EXIT_CODE_STUCK : EXIT_CODE_FAILED;
        r = print(model, options);
        if (r < 0)
                complain_errno(r, "show the claims");
        return r < 0 ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}
