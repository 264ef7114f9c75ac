/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/tool-name.h"

#include <errno.h>

#include "ctl/complain.h"
#include "util/buffer.h"
#include "util/strings.h"

/* "a, b or c" */
static int list_names(const char *const *names, size_t n_names, char **ret)
{
        _cleanup_buffer_ Buffer buffer = {};

        for (size_t i = 0; i < n_names; i++)
                buffer_printf(&buffer, "%s%s", i == 0 ? "" : i + 1 < n_names ? ", " : " or ",
                        names[i]);
        return buffer_finish(&buffer, ret);
}

int find_tool(const char *action, const char *name, const char *const *names, size_t n_names,
        size_t *ret)
{
        _cleanup_free_ char *list = NULL;
        const char *near;
        int r;

        for (size_t i = 0; i < n_names; i++)
                if (streq(names[i], name)) {
                        *ret = i;
                        return 0;
                }
        r = list_names(names, n_names, &list);
        if (r < 0)
                return r;
        near = nearest_string(name, names, n_names);
        complain("Cannot %s %s: it is %s.%s%s%s", action, name, list, near ? " Did you mean " : "",
                near ?: "", near ? "?" : "");
        return -EINVAL;
}
