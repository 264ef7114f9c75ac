/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/terminal.h"

#include <errno.h>
#include <langinfo.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/text.h"
#include "util/parse.h"
#include "util/strings.h"

#define WIDTH_DEFAULT 80
#define WIDTH_MAX     65535

static size_t terminal_width(int fd)
{
        const char *columns = getenv("COLUMNS");
        struct winsize size = {};
        uint64_t width;

        if (columns && parse_unsigned(columns, WIDTH_MAX, &width) == 0 && width > 0)
                return (size_t) width;
        if (ioctl(fd, TIOCGWINSZ, &size) >= 0 && size.ws_col > 0)
                return size.ws_col;
        return WIDTH_DEFAULT;
}

/* https://no-color.org: "when present and not an empty string" */
static bool wants_colours(void)
{
        const char *type = getenv("TERM");

        return isempty(getenv("NO_COLOR")) && !isempty(type) && !streq(type, "dumb");
}

Terminal terminal_of(FILE *file)
{
        int fd = fileno(file);

        if (fd < 0 || !isatty(fd))
                return (Terminal){ .width = SIZE_MAX };
        return (Terminal){
                .width = terminal_width(fd),
                .is_terminal = true,
                .colours = wants_colours(),
                .ascii = !streq(nl_langinfo(CODESET), "UTF-8"),
        };
}

const char *terminal_begin(const Terminal *terminal, Style style)
{
        static const char *const sequences[_STYLE_MAX] = {
                [STYLE_NONE] = "",
                [STYLE_HEADER] = "\x1b[1m",
                [STYLE_GOOD] = "\x1b[32m",
                [STYLE_WAITING] = "\x1b[33m",
                [STYLE_BAD] = "\x1b[1;31m",
                [STYLE_FAINT] = "\x1b[2m",
        };

        return terminal->colours ? sequences[style] : "";
}

const char *terminal_end(const Terminal *terminal, Style style)
{
        return terminal->colours && style != STYLE_NONE ? "\x1b[0m" : "";
}

int terminal_print(const Terminal *terminal, FILE *file, const char *format, ...)
{
        _cleanup_free_ char *raw = NULL, *text = NULL, *lines = NULL;
        _cleanup_buffer_ Buffer buffer = {};
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = format_string_arguments(&raw, format, arguments);
        va_end(arguments);
        if (r < 0)
                return r;
        text = text_printable(raw, terminal->ascii);
        if (!text)
                return -ENOMEM;
        text_wrap(&buffer, text, 0, 2, terminal->width);
        r = buffer_finish(&buffer, &lines);
        if (r < 0)
                return r;
        fputs(lines, file);
        return 0;
}
