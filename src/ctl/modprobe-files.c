/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/modprobe-files.h"

#include <errno.h>

#include "ctl/tree.h"
#include "util/buffer.h"
#include "util/strings.h"

#define WORDS_MAX 1024

/* As modprobe.d(5) lists them. /lib is a link to /usr/lib, or else the distribution's own. */
static const char *const directories[] = {
        "/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d",
        "/usr/lib/modprobe.d", "/lib/modprobe.d",
};

bool module_name_equal(const char *a, const char *b)
{
        for (; *a && *b; a++, b++)
                if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
                        return false;
        return *a == *b;
}

bool module_is_framebuffer(const char *name)
{
        size_t n = strlen(name);

        return n > 2 && streq(name + n - 2, "fb");
}

static int split(char *text, char ***ret)
{
        _cleanup_string_list_ char **words = NULL;
        char *rest = NULL;
        size_t n = 0;
        int r = 0;

        for (char *word = strtok_r(text, " \t\r", &rest); r >= 0 && word && n < WORDS_MAX;
                word = strtok_r(NULL, " \t\r", &rest), n++)
                r = string_list_append(&words, word);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(words);
        return 0;
}

/* Joins a line with those that continue it, and cuts it into words; *ret_words NULL: an empty line
 * or a comment. Returns 1, 0 at the end, -ENOMEM. */
static int next_words(char **text, unsigned *number, unsigned *ret_first, char ***ret_words)
{
        _cleanup_buffer_ Buffer buffer = {};
        _cleanup_free_ char *joined = NULL;
        char *line = tree_next_line(text, number);
        size_t length;
        int r;

        if (!line)
                return 0;
        *ret_first = *number;
        while (line && (length = strlen(line)) > 0 && line[length - 1] == '\\') {
                line[length - 1] = ' ';
                buffer_append(&buffer, line);
                line = tree_next_line(text, number);
        }
        buffer_append(&buffer, line ?: "");
        r = buffer_finish(&buffer, &joined);
        if (r < 0)
                return r;
        *ret_words = NULL;
        if (*strip(joined) == '#')
                return 1;
        r = split(joined, ret_words);
        return r < 0 ? r : 1;
}

/* Counts the lines that mean something, to two. */
static int count_lines(const char *text, size_t *ret)
{
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy;
        unsigned number = 0, first;
        size_t n = 0;
        int r = copy ? 1 : -ENOMEM;

        while (r > 0 && n < 2) {
                _cleanup_string_list_ char **words = NULL;

                r = next_words(&rest, &number, &first, &words);
                n += words ? 1 : 0;
        }
        *ret = n;
        return r < 0 ? r : 0;
}

static int read_one(const char *file, char *text, ModprobeLineHandler handler, void *userdata)
{
        unsigned number = 0;
        size_t n_lines;
        int r;

        r = count_lines(text, &n_lines);
        if (r < 0)
                return r;
        for (;;) {
                _cleanup_string_list_ char **words = NULL;
                ModprobeLine line = { .file = file, .is_only = n_lines == 1 };

                r = next_words(&text, &number, &line.first, &words);
                if (r <= 0)
                        return r;
                line.words = words;
                line.last = number;
                r = words ? handler(userdata, &line) : 0;
                if (r != 0)
                        return r;
        }
}

int modprobe_for_each_line(const Host *host, ModprobeLineHandler handler, void *userdata)
{
        _cleanup_string_list_ char **paths = NULL;
        int r;

        r = tree_list_drop_ins(host, directories, ELEMENTSOF(directories), ".conf", &paths);
        for (char **path = paths; r == 0 && path && *path; path++) {
                _cleanup_free_ char *text = NULL;

                r = tree_read(host, *path, &text);
                if (r == -ENOMEM)
                        return r;
                r = r < 0 ? 0 : read_one(*path, text, handler, userdata);
        }
        return r;
}

int kernel_command_line_words(const Host *host, char ***ret)
{
        _cleanup_free_ char *text = NULL;
        char *to;
        int r;

        *ret = NULL;
        r = tree_read(host, "/proc/cmdline", &text);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        to = text;
        for (const char *from = text; *from; from++)
                if (*from != '"')
                        *to++ = *from == '\n' ? ' ' : *from;
        *to = '\0';
        return split(text, ret);
}

/* What follows `name` at the beginning of a word, NULL: another one stands there. */
static const char *skip_name(const char *word, const char *name)
{
        for (; *name; word++, name++)
                if ((*word == '-' ? '_' : *word) != (*name == '-' ? '_' : *name))
                        return NULL;
        return word;
}

const char *kernel_parameter_value(const char *word, const char *module, const char *name)
{
        word = skip_name(word, module);
        word = word && *word == '.' ? skip_name(word + 1, name) : NULL;
        return word && *word == '=' ? word + 1 : NULL;
}
