/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/switch.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/macro.h"
#include "util/strings.h"

#define UNIT  "vfio-bindd-early.service"
#define WANTS "sysinit.target.wants/" UNIT

static bool exists(const Host *host, const char *path)
{
        struct stat status;

        /* The link itself counts: what it points to may lie in another tree. */
        return fstatat(host->root, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* `systemctl mask` makes a link to /dev/null, an empty file means the same. */
static bool is_masked(const Host *host, const char *directory)
{
        char path[128], target[16];
        struct stat status;

        (void) snprintf(path, sizeof(path), "%s/%s", directory, UNIT);
        ssize_t n = readlinkat(host->root, path, target, sizeof(target));
        if (n >= 0)
                return n == (ssize_t) strlen("/dev/null") && memcmp(target, "/dev/null", 9) == 0;
        return fstatat(host->root, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                S_ISREG(status.st_mode) && status.st_size == 0;
}

bool host_is_enabled(const Host *host)
{
        static const char *const directories[] = {"etc/systemd/system", "run/systemd/system"};
        bool enabled = false;

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                char path[128];

                if (is_masked(host, directories[i]))
                        return false;
                (void) snprintf(path, sizeof(path), "%s/%s", directories[i], WANTS);
                enabled = enabled || exists(host, path);
        }
        if (!enabled && exists(host, "etc/initrd-release"))
                enabled = exists(host, "usr/lib/systemd/system/" WANTS) ||
                        exists(host, "lib/systemd/system/" WANTS);
        return enabled;
}
