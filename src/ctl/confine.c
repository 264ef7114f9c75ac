/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/confine.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/io.h"
#include "util/macro.h"

/* A saved tree may come from anybody, and a link in it may lead anywhere: to what only root may
 * read, or to a device that does something when it is opened, as watchdogs do. Every access to the
 * tree follows links, so the kernel keeps them all to it. */

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

static bool allow(int rules, const char *path)
{
        _cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
        struct landlock_path_beneath_attr rule = { .allowed_access = READING, .parent_fd = fd };
        struct stat status;

        if (fd < 0 || fstat(fd, &status) < 0)
                return false;
        if (!S_ISDIR(status.st_mode))
                rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
        return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

/* Names of hardware, lists of ids, and libraries that are loaded late. */
static void allow_our_own(int rules)
{
        static const char *const paths[] = { "/usr", "/lib", "/lib64", "/etc/ld.so.cache",
                "/etc/udev", "/etc/systemd/hwdb",
#ifdef __SANITIZE_ADDRESS__
                "/proc/self", /* how it looks for leaks at the end */
#endif
        };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                (void) allow(rules, paths[i]);
}

void confine_to_tree(const Options *options)
{
        const struct landlock_ruleset_attr handled = { .handled_access_fs = READING };
        _cleanup_close_ int rules =
                (int) syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);

        if (rules < 0 || !allow(rules, options->root))
                return;
        allow_our_own(rules);
        if (options->config)
                (void) allow(rules, options->config);
        for (char **argument = options->arguments; *argument; argument++)
                (void) allow(rules, *argument);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
                (void) syscall(SYS_landlock_restrict_self, rules, 0);
}
