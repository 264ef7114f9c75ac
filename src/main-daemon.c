/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "bus/bus.h"
#include "daemon/manager.h"
#include "daemon/service.h"
#include "exec/executor.h"
#include "log/log.h"
#include "version.h"

/* vfio-bindd: puts manager and bus on one event loop. */

enum {
        EXIT_DONE = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
};

typedef struct Options {
        const char *root;       /* NULL: this machine */
        const char *introspect; /* print this interface and exit */
} Options;

static int print_help(void)
{
        printf("vfio-bindd [OPTION…]\n"
               "\n"
               "Keeps the PCI devices that /etc/vfio-bind.conf names bound to vfio-pci.\n"
               "\n"
               "  -h --help                      Show this help\n"
               "     --version                   Show the version\n"
               "     --root=DIR                  Read a saved tree in place of this machine;\n"
               "                                 nothing is done to any device\n"
               "     --bus-introspect=INTERFACE  Print the XML of a D-Bus interface\n"
               "\n"
               "SIGHUP makes it read the configuration again; stopping it unbinds nothing.\n"
               "See also \"vfio-bindctl --help\" and \"busctl introspect org.vfio.Bind1 "
               "/org/vfio/Bind1\".\n");
        return EXIT_DONE;
}

/* Returns -1 to go on, else the exit code. */
static int parse_arguments(int argc, char **argv, Options *options)
{
        enum {
                OPTION_VERSION = 256,
                OPTION_ROOT,
                OPTION_BUS_INTROSPECT,
        };
        static const struct option known[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPTION_VERSION },
                { "root", required_argument, NULL, OPTION_ROOT },
                { "bus-introspect", required_argument, NULL, OPTION_BUS_INTROSPECT },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", known, NULL)) >= 0) {
                switch (c) {
                case 'h':
                        return print_help();
                case OPTION_VERSION:
                        printf("vfio-bindd %s\n", PROJECT_VERSION);
                        return EXIT_DONE;
                case OPTION_ROOT:
                        options->root = optarg;
                        break;
                case OPTION_BUS_INTROSPECT:
                        options->introspect = optarg;
                        break;
                default:
                        return EXIT_USAGE;
                }
        }
        if (optind < argc) {
                fprintf(stderr, "vfio-bindd: no argument \"%s\" is known\n", argv[optind]);
                return EXIT_USAGE;
        }
        return -1;
}

static int print_introspection(const char *interface)
{
        int r;

        r = bus_print_introspection(interface, stdout);
        if (r >= 0)
                return EXIT_DONE;
        fprintf(stderr, "vfio-bindd: cannot print \"%s\": %s\n", interface,
                r == -ENOENT ? "no such interface" : strerror(-r));
        return r == -ENOENT ? EXIT_USAGE : EXIT_FAILED;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
        Manager *manager = userdata;
        int r;

        log_info("Reading the configuration again.");
        service_reloading(manager_view(manager));
        r = manager_reload(manager);
        if (r < 0 && r != -EBADMSG) /* errors in the files are logged one by one */
                log_error("Cannot reload: %s", strerror(-r));
        service_reloaded(manager_view(manager));
        return 0;
}

static int add_signals(sd_event *event, Manager *manager)
{
        static const int stop[] = { SIGTERM, SIGINT };
        int r;

        /* A client or worker that goes away is an error of write(2). */
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(stop); i++) {
                r = sd_event_add_signal(event, NULL, stop[i] | SD_EVENT_SIGNAL_PROCMASK, NULL,
                        NULL);
                if (r < 0)
                        return r;
        }
        return sd_event_add_signal(event, NULL, SIGHUP | SD_EVENT_SIGNAL_PROCMASK, on_reload,
                manager);
}

static void on_changed(void *userdata, View *old, View *new)
{
        bus_view_changed(userdata, old, new);
}

static int ask_system_state(void *userdata)
{
        return bus_ask_system_state(userdata);
}

static int run_loop(sd_event *event, const Host *host)
{
        _cleanup_(manager_freep) Manager *manager = NULL;
        _cleanup_(bus_freep) Bus *bus = NULL;
        int r;

        r = sd_event_set_watchdog(event, true);
        if (r < 0)
                return r;
        r = manager_new(event, host, NULL, &manager);
        if (r < 0)
                return r;
        r = add_signals(event, manager);
        if (r < 0)
                return r;
        r = bus_new(event, manager, &(BusOptions){}, &bus);
        if (r < 0)
                return r;
        manager_set_listener(manager, &(ManagerListener){
                .changed = on_changed,
                .ask_system_state = ask_system_state,
                .userdata = bus,
        });
        r = bus_start(bus);
        if (r < 0)
                return r;

        r = sd_event_loop(event);
        service_stopping();
        manager_finish(manager);
        return r;
}

static void event_unref(sd_event **event)
{
        sd_event_unref(*event);
}

static int run(const Options *options)
{
        _cleanup_(event_unref) sd_event *event = NULL;
        _cleanup_host_ Host host = { .root = -1 };
        int r;

        r = host_open(options->root, &host);
        if (r < 0) {
                log_error("Cannot open \"%s\": %s", options->root ?: "/", strerror(-r));
                return EXIT_FAILED;
        }
        r = sd_event_default(&event);
        if (r >= 0)
                r = run_loop(event, &host);
        if (r < 0) {
                log_error("Cannot go on: %s", strerror(-r));
                return EXIT_FAILED;
        }
        return EXIT_DONE;
}

int main(int argc, char **argv)
{
        Options options = {};
        int code;

        executor_setup_process(argc, argv);
        code = parse_arguments(argc, argv, &options);
        if (code >= 0)
                return code;
        if (options.introspect)
                return print_introspection(options.introspect);

        log_open("vfio-bindd", LOG_TARGET_AUTO, STAGE_RUNTIME);
        code = run(&options);
        log_close();
        return code;
}
