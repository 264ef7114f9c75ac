/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/kernel-command-line.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/config.h"
#include "util/io.h"
#include "util/strings.h"

#define COMMAND_LINE_MAX 65536
#define SKIP_MAX         256

/* Words that make PID 1 go to a state for repair (systemd(1), "Kernel Command Line"). Whoever
 * boots so wants the machine as it is. */
static const char *const repair_words[] = {
        "single", "s", "S", "1", "-s", "rescue", "emergency", "-b",
};
static const char *const repair_words_initrd[] = {"rd.rescue", "rd.emergency"};
static const char *const repair_targets[] = {"rescue.target", "emergency.target"};

typedef struct Word {
        char *name;
        char *value; /* NULL: no "=" */
} Word;

/* The next word, as lib/cmdline.c of the kernel cuts it (next_arg()): blanks separate unless they
 * stand in double quotes; quotes around a value or the whole word go away. False at the end. */
static bool next_word(char **text, Word *ret)
{
        char *p = *text + strspn(*text, " \t\r\n\v\f"), *equals = NULL;
        bool in_quotes = false, quoted = false;

        if (!*p)
                return false;
        if (*p == '"') {
                p++;
                in_quotes = quoted = true;
        }

        char *begin = p;
        for (; *p; p++) {
                if (isspace((unsigned char) *p) && !in_quotes)
                        break;
                if (*p == '=' && !equals)
                        equals = p;
                if (*p == '"')
                        in_quotes = !in_quotes;
        }
        *text = *p ? p + 1 : p;
        *p = '\0';

        *ret = (Word){.name = begin};
        if (equals) {
                *equals = '\0';
                ret->value = equals + 1;
                if (*ret->value == '"') {
                        ret->value++;
                        quoted = true;
                }
        }
        char *last = ret->value ? ret->value : begin;
        size_t n = strlen(last);
        if (quoted && n > 0 && last[n - 1] == '"')
                last[n - 1] = '\0';
        return true;
}

/* As the kernel compares names of parameters. */
static bool name_is(const char *a, const char *b)
{
        for (; *a && *b; a++, b++)
                if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
                        return false;
        return *a == *b;
}

static bool is_one_of(const char *text, const char *const *list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (streq(text, list[i]))
                        return true;
        return false;
}

static int add_skips(KernelCommandLine *line, char *names)
{
        char *rest = NULL;

        for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
                if (!config_name_is_valid(name) || string_list_contains(line->skip, name))
                        continue;
                if (string_list_length(line->skip) == SKIP_MAX)
                        return 0;
                int r = string_list_append(&line->skip, name);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int set_mode(KernelCommandLine *line, const char *name, const char *value)
{
        if (value && streq(value, "on"))
                line->mode = SWITCH_ON;
        else if (value && streq(value, "off"))
                line->mode = SWITCH_OFF;
        else
                line->mode = SWITCH_PLAN;

        /* For the log: nothing that could break its line. */
        _cleanup_free_ char *shown = value ? strndup(value, 64) : NULL;
        if (value && !shown)
                return -ENOMEM;
        for (char *p = shown; p && *p; p++)
                if ((unsigned char) *p < 0x20 || (unsigned char) *p >= 0x7f)
                        *p = '?';
        free(line->why);
        line->why = NULL;
        return format_string(&line->why, "%s%s%s", name, shown ? "=" : "", shown ? shown : "");
}

/* What makes this boot one to keep out of; NULL: nothing. */
static const char *implies_off(const Word *word, Stage stage)
{
        bool in_initrd = stage == STAGE_INITRD;

        if (!word->value) {
                if (is_one_of(word->name, repair_words, ELEMENTSOF(repair_words)) ||
                    (in_initrd && is_one_of(word->name, repair_words_initrd,
                            ELEMENTSOF(repair_words_initrd))))
                        return word->name;
                return NULL;
        }
        if (name_is(word->name, "elfcorehdr"))
                return "kdump kernel";
        if ((name_is(word->name, "systemd.unit") ||
             (in_initrd && name_is(word->name, "rd.systemd.unit"))) &&
            is_one_of(word->value, repair_targets, ELEMENTSOF(repair_targets)))
                return word->value;
        return NULL;
}

static int turn_off(KernelCommandLine *line, const char *why)
{
        line->mode = SWITCH_OFF;
        return replace_string(&line->why, why);
}

static int parse_words(char *text, Stage stage, KernelCommandLine *line)
{
        const char *off = NULL;
        Word word;

        while (next_word(&text, &word)) {
                const char *implied = implies_off(&word, stage);
                int r = 0;

                if (implied)
                        off = implied;
                else if (name_is(word.name, "vfio_bindd"))
                        r = set_mode(line, "vfio_bindd", word.value);
                else if (stage == STAGE_INITRD && name_is(word.name, "rd.vfio_bindd"))
                        r = set_mode(line, "rd.vfio_bindd", word.value);
                else if (word.value && name_is(word.name, "vfio_bindd.skip"))
                        r = add_skips(line, word.value);
                if (r < 0)
                        return r;
        }
        return off ? turn_off(line, off) : 0;
}

int kernel_command_line_parse(const char *text, Stage stage, KernelCommandLine *ret)
{
        _cleanup_kernel_command_line_ KernelCommandLine line = {.mode = SWITCH_ON};
        _cleanup_free_ char *copy = strndup(text, COMMAND_LINE_MAX);

        if (!copy)
                return -ENOMEM;
        int r = parse_words(copy, stage, &line);
        if (r < 0)
                return r;
        *ret = line;
        line = (KernelCommandLine){};
        return 0;
}

int kernel_command_line_read(const Host *host, Stage stage, KernelCommandLine *ret)
{
        _cleanup_kernel_command_line_ KernelCommandLine line = {};
        _cleanup_free_ char *text = NULL;

        int r = read_file_at(host->root, "proc/cmdline", COMMAND_LINE_MAX, &text, NULL);
        if (r < 0 && (r != -ENOENT || host->is_live))
                return r;
        r = kernel_command_line_parse(text ? text : "", stage, &line);
        if (r < 0)
                return r;
        if (faccessat(host->root, "proc/vmcore", F_OK, 0) == 0) {
                r = turn_off(&line, "kdump kernel");
                if (r < 0)
                        return r;
        }
        *ret = line;
        line = (KernelCommandLine){};
        return 0;
}

void kernel_command_line_done(KernelCommandLine *line)
{
        string_list_free(line->skip);
        free(line->why);
        *line = (KernelCommandLine){};
}
