/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/complain.h"
#include "ctl/confine.h"
#include "ctl/exit-code.h"
#include "ctl/verbs.h"
#include "util/io.h"
#include "util/strings.h"

/* The first one is what runs without a verb. */
static const Verb *const verbs[] = {
        &verb_list,
        &verb_groups,
        &verb_status,
        &verb_plan,
        &verb_apply,
        &verb_explain,
        &verb_check,
        &verb_suggest,
        &verb_bind,
        &verb_release,
        &verb_wait,
        &verb_monitor,
        &verb_snapshot,
        &verb_import,
        &verb_export,
        &verb_doctor,
};

/* A wrong directory would answer as a machine without devices. */
static bool is_saved_tree(const char *root, bool needs_devices)
{
        _cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0) {
                complain("--root=%s cannot be opened: %s.", root, strerror(errno));
                return false;
        }
        if (!needs_devices || streq(root, "/") || faccessat(fd, "sys/bus/pci", F_OK, 0) == 0 ||
            errno != ENOENT)
                return true;
        complain("%s is no saved tree: it has no sys/bus/pci. \"vfio-bindctl snapshot\" saves "
                 "one, as an archive to be unpacked.", root);
        return false;
}

static int run(int argc, char **argv)
{
        const Verb *verb;
        Options options;

        switch (options_read(argc, argv, verbs, ELEMENTSOF(verbs), &options, &verb)) {
        case OPTIONS_RUN:
                if (options.root && !is_saved_tree(options.root, !verb->needs_no_devices))
                        return EXIT_CODE_USAGE;
                if (options.root && !streq(options.root, "/"))
                        confine_to_tree(&options);
                return verb->run(&options);
        case OPTIONS_DONE:
                return EXIT_CODE_DONE;
        default:
                return EXIT_CODE_USAGE;
        }
}

int ctl_main(int argc, char **argv)
{
        int code;

        /* Only what the terminal can show is the user's choice; nothing is translated. */
        (void) setlocale(LC_CTYPE, "");
        code = run(argc, argv);
        errno = 0;
        if (fflush(stdout) == 0 && !ferror(stdout))
                return code;
        /* Nobody wants to know that a reader went away. */
        if (errno != EPIPE)
                complain_errno(errno > 0 ? -errno : -EIO, "write the output");
        return exit_code_join(code, EXIT_CODE_FAILED);
}
