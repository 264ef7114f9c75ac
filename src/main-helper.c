/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "exec/executor.h"
#include "log/log.h"
#include "stage/boot.h"
#include "stage/giveback.h"
#include "stage/initramfs.h"
#include "stage/record.h"
#include "stage/udev.h"
#include "util/strings.h"
#include "version.h"

/* vfio-bindd-helper: what happens before and beside the daemon. Wiring only. */

enum {
        EXIT_DONE = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
};

#define IDENTIFIER "vfio-bindd-helper"

static int show_help(void)
{
        printf("%s COMMAND [OPTION]...\n\n"
               "Binds PCI functions for vfio-bindd where the daemon does not run.\n\n"
               "Commands:\n"
               "  boot              Bind what is claimed, before host drivers are loaded\n"
               "  udev              Handle the udev event in the environment\n"
               "  initramfs         Print what an initramfs has to hold, for what makes one\n"
               "  giveback          Give back what the initramfs took, for want of a root\n"
               "  await-answers     Wait while somebody is asked for a passphrase, before that\n"
               "  record            Write the record of what this host needs\n\n"
               "Options of boot, initramfs, giveback, await-answers and record:\n"
               "  --root=DIR        Work on a saved tree instead of this machine\n\n"
               "Options of boot:\n"
               "  --stage=STAGE     boot (default) or initrd\n"
               "  --dry-run         Say what would be done, touch nothing\n\n"
               "Options of record:\n"
               "  --output=FILE     Write to FILE, for an initramfs, which needs it at the\n"
               "                    same path: /var/lib/vfio-bindd/host-devices (default)\n\n"
               "  --help            Show this help\n"
               "  --version         Show the version\n",
                IDENTIFIER);
        return EXIT_DONE;
}

static int show_version(void)
{
        puts("vfio-bindd " PROJECT_VERSION);
        return EXIT_DONE;
}

static int usage_error(const char *what, const char *word)
{
        fprintf(stderr, "%s: %s%s%s. See \"%s --help\".\n", IDENTIFIER, what, word ? " " : "",
                word ? word : "", IDENTIFIER);
        return EXIT_USAGE;
}

static int parse_stage(const char *text, Stage *ret)
{
        int stage = stage_from_string(text);

        if (stage != STAGE_BOOT && stage != STAGE_INITRD)
                return -1;
        *ret = (Stage) stage;
        return 0;
}

static int run_boot(const BootOptions *options)
{
        bool for_people = options->dry_run || options->root;

        log_open(IDENTIFIER, for_people ? LOG_TARGET_STDERR : LOG_TARGET_AUTO, options->stage);
        /* A failed unit at boot would tell nothing that the log does not, and frighten. */
        return boot_run(options) < 0 && for_people ? EXIT_FAILED : EXIT_DONE;
}

static int run_initramfs(const BootOptions *options)
{
        log_open(IDENTIFIER, LOG_TARGET_STDERR, options->stage);
        return initramfs_print_needs(options->root, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* An initramfs's hook has people before it, or nobody. */
static int run_giveback(const char *root)
{
        log_open(IDENTIFIER, root ? LOG_TARGET_STDERR : LOG_TARGET_AUTO, STAGE_INITRD);
        return giveback_run(root) < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* Succeeds in any case: giving back is what comes next. */
static int run_await_answers(const char *root)
{
        log_open(IDENTIFIER, root ? LOG_TARGET_STDERR : LOG_TARGET_AUTO, STAGE_INITRD);
        return giveback_await_answers(root) < 0 && root ? EXIT_FAILED : EXIT_DONE;
}

static int run_record(const char *root, const char *output)
{
        log_open(IDENTIFIER, LOG_TARGET_STDERR, STAGE_RUNTIME);
        return record_run(root, output) < 0 ? EXIT_FAILED : EXIT_DONE;
}

static const char *look_up_environment(void *userdata, const char *name)
{
        return getenv(name);
}

static int run_udev(void)
{
        log_open(IDENTIFIER, LOG_TARGET_AUTO, udev_stage(NULL));
        return udev_run(NULL, look_up_environment, NULL, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
}

typedef struct Arguments {
        BootOptions boot;
        const char *output;
        bool has_boot_option; /* that only boot has */
} Arguments;

/* Returns -1 to go on, else an exit code. */
static int parse_options(int argc, char **argv, Arguments *arguments)
{
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { "stage", required_argument, NULL, 's' },
                { "root", required_argument, NULL, 'r' },
                { "dry-run", no_argument, NULL, 'n' },
                { "output", required_argument, NULL, 'o' },
                {},
        };
        int option;

        while ((option = getopt_long(argc, argv, "hV", options, NULL)) >= 0)
                switch (option) {
                case 'h':
                        return show_help();
                case 'V':
                        return show_version();
                case 's':
                        if (parse_stage(optarg, &arguments->boot.stage) < 0)
                                return usage_error("No such stage:", optarg);
                        arguments->has_boot_option = true;
                        break;
                case 'r':
                        arguments->boot.root = optarg;
                        break;
                case 'o':
                        arguments->output = optarg;
                        break;
                case 'n':
                        arguments->boot.dry_run = arguments->has_boot_option = true;
                        break;
                default: /* getopt_long has said what is wrong */
                        return EXIT_USAGE;
                }
        return -1;
}

/* Only one command has all options. Returns -1 to go on, else an exit code. */
static int check_options(const Arguments *arguments, const char *command)
{
        if (arguments->output && !streq(command, "record"))
                return usage_error("Only the command record takes --output, not", command);
        if (arguments->has_boot_option && !streq(command, "boot"))
                return usage_error("Only the command boot takes --stage and --dry-run, not",
                        command);
        if (arguments->boot.root && streq(command, "udev"))
                return usage_error("The command udev takes no options", NULL);
        return -1;
}

static int run(const Arguments *arguments, const char *command)
{
        if (streq(command, "boot"))
                return run_boot(&arguments->boot);
        if (streq(command, "initramfs"))
                return run_initramfs(&arguments->boot);
        if (streq(command, "giveback"))
                return run_giveback(arguments->boot.root);
        if (streq(command, "await-answers"))
                return run_await_answers(arguments->boot.root);
        if (streq(command, "record"))
                return run_record(arguments->boot.root, arguments->output);
        if (streq(command, "udev"))
                return run_udev();
        return usage_error("No such command:", command);
}

int main(int argc, char **argv)
{
        Arguments arguments = { .boot = { .stage = STAGE_BOOT } };
        int r;

        executor_setup_process(argc, argv);
        r = parse_options(argc, argv, &arguments);
        if (r >= 0)
                return r;
        if (optind >= argc)
                return usage_error("A command is missing", NULL);
        if (optind + 1 < argc)
                return usage_error("Too many words:", argv[optind + 1]);
        r = check_options(&arguments, argv[optind]);
        return r >= 0 ? r : run(&arguments, argv[optind]);
}
