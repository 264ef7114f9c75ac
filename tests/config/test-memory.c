/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include <errno.h>
#include <stdarg.h>

#include "config/config-load.h"

/* Every single allocation fails once: the answer is -ENOMEM, and the sanitizers see
 * neither a leak nor a use of what was freed. (Linked with --wrap.) */

static long remaining = -1; /* allocations until one fails; -1: none does */

static bool fails(void)
{
        return remaining >= 0 && remaining-- == 0;
}

#define WRAP(type, name, parameters, ...)                                                          \
        type __real_##name parameters;                                                             \
        type __wrap_##name parameters;                                                             \
        type __wrap_##name parameters                                                              \
        {                                                                                          \
                return fails() ? NULL : __real_##name(__VA_ARGS__);                                \
        }

WRAP(void *, malloc, (size_t size), size)
WRAP(void *, calloc, (size_t n, size_t size), n, size)
WRAP(void *, realloc, (void *old, size_t size), old, size)
WRAP(void *, reallocarray, (void *old, size_t n, size_t size), old, n, size)
WRAP(char *, strdup, (const char *text), text)
WRAP(char *, strndup, (const char *text, size_t n), text, n)

int __real_vasprintf(char **ret, const char *format, va_list arguments);
int __wrap_vasprintf(char **ret, const char *format, va_list arguments) _printf_(2, 0);
int __wrap_vasprintf(char **ret, const char *format, va_list arguments)
{
        return fails() ? -1 : __real_vasprintf(ret, format, arguments);
}

static const char text[] = "[Defaults]\nDriver=auto\nNodeUser=u\nNodeGroup=g\nExclude=class=02\n"
                           "Exclude=01:00.0 bogus\n"
                           "[Claim a]\nMatch=path=00:1c.0/00.0 name=\"x.*y\"\nMatch=pf=n vf=0-3,7\n"
                           "Exclude=01:00.0\nDriver=x\nNodeUser=v\nNodeGroup=h\n"
                           "[Claim b]\nMatch=01:00.0 02:00.0\nDrvier=1\n"
                           "[Clam c]\nMatch=pf=00:1c.0/00.0\nMatch=\n"
                           "[PhysicalFunction n]\nMatch=06:00.0\n"
                           "[PhysicalFunction m]\nMatch=07:00.0\nNumVFs=x\n bad\n";

static int load_and_merge(void)
{
        static const char other[] = "[Claim a]\nbad\n[PhysicalFunction n]\nbad\n[Defaults]\nbad\n";
        _cleanup_config_ Config *config = NULL, *new = NULL;

        int r = config_load_text("f", text, strlen(text), &config);
        if (r == 0)
                r = config_load_text("g", other, strlen(other), &new);
        if (r == 0)
                r = config_merge_last_good(config, new);
        if (r == 0) {
                ASSERT_EQ(config->n_claims, 3);
                ASSERT_EQ(new->n_claims, 1);
        }
        return r;
}

int main(void)
{
        long n = 0;

        for (;; n++) {
                remaining = n;
                int r = load_and_merge();
                bool all_done = remaining >= 0;

                remaining = -1;
                if (all_done) {
                        ASSERT_OK(r);
                        break;
                }
                ASSERT_EQ(r, -ENOMEM);
        }
        ASSERT_TRUE(n > 100);
        return EXIT_SUCCESS;
}
