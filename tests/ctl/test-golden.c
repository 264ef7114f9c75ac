/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "ctl/ctl-run.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/io.h"
#include "util/strings.h"

/* What verbs print of saved machines. Each folder of machines/ has
 *   machine         as in lib/fake-sysfs.h
 *   vfio-bind.conf  its configuration
 *   commands        lines "NAME FORMATS EXIT-CODE ARGUMENT…"; of the formats "80" and "200" are
 *                   terminals of so many columns, "pipe" is none, "json" is --json=pretty
 * and the expected standard output, then standard error behind a line "---", in NAME.FORMAT.
 * Vendors are such as no hardware database knows. With UPDATE=1 in the environment the expected
 * output is written anew. */

#define TEXT_MAX (4 * 1024 * 1024)

typedef struct Machine {
        int directory;
        const char *name;
        FakeSysfs *fake;
        char *root; /* the option */
} Machine;

static char *read_text(int directory, const char *name)
{
        char *text;

        if (read_file_at(directory, name, TEXT_MAX, &text, NULL) < 0)
                return NULL;
        return text;
}

static void update(int directory, const char *name, const char *text)
{
        int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        ASSERT_TRUE(fd >= 0);
        ASSERT_EQ(write(fd, text, strlen(text)), strlen(text));
        ASSERT_OK(close(fd));
}

static void compare(const Machine *machine, const char *name, const char *text)
{
        _cleanup_free_ char *expected = NULL;

        if (getenv("UPDATE")) {
                update(machine->directory, name, text);
                return;
        }
        expected = read_text(machine->directory, name);
        if (!expected || !streq(expected, text))
                fprintf(stderr, "%s/%s is\n%s\n", machine->name, name, text);
        ASSERT_TRUE(expected);
        ASSERT_STREQ(text, expected);
}

static unsigned columns_of(const char *format)
{
        return streq(format, "80") ? 80 : streq(format, "200") ? 200 : 0;
}

static void run_format(const Machine *machine, const char *name, const char *format, int code,
        const char **arguments, size_t n)
{
        static const char *const without_colours[] = { "NO_COLOR=1", NULL };
        CtlRunOptions options = { .columns = columns_of(format), .environment = without_colours };
        _cleanup_ctl_run_ CtlRun run = {};
        _cleanup_free_ char *file = NULL, *text = NULL;

        arguments[n] = machine->root;
        arguments[n + 1] = streq(format, "json") ? "--json=pretty" : NULL;
        arguments[n + 2] = NULL;
        run = ctl_run(&options, arguments);
        if (run.code != code)
                fprintf(stderr, "%s %s %s: exit code %d\n%s%s", machine->name, name, format,
                        run.code, run.out, run.err);
        ASSERT_TRUE(run.code == code || getenv("UPDATE"));
        ASSERT_TRUE(options.columns == 0 || longest_line(run.out) <= options.columns);
        ASSERT_OK(format_string(&file, "%s.%s", name, format));
        ASSERT_OK(format_string(&text, "%s%s%s", run.out, *run.err ? "---\n" : "", run.err));
        compare(machine, file, text);
}

static void run_command(const Machine *machine, char *line)
{
        const char *arguments[16] = {};
        char *rest = NULL, *formats_rest = NULL;
        char *name = strtok_r(line, " ", &rest);
        char *formats = strtok_r(NULL, " ", &rest);
        char *code = strtok_r(NULL, " ", &rest);
        size_t n = 0;

        ASSERT_TRUE(name && formats && code);
        for (char *word; (word = strtok_r(NULL, " ", &rest));) {
                ASSERT_TRUE(n + 3 < ELEMENTSOF(arguments));
                arguments[n++] = word;
        }
        for (char *format = strtok_r(formats, ",", &formats_rest); format;
                format = strtok_r(NULL, ",", &formats_rest))
                run_format(machine, name, format, atoi(code), arguments, n);
}

static void run_machine(int machines, const char *name)
{
        Machine machine = { .directory = openat(machines, name, O_DIRECTORY | O_CLOEXEC),
                            .name = name,
                            .fake = fake_sysfs_new() };
        _cleanup_free_ char *tree = NULL, *config = NULL, *commands = NULL;
        char *rest = NULL;

        ASSERT_TRUE(machine.directory >= 0);
        tree = read_text(machine.directory, "machine");
        config = read_text(machine.directory, "vfio-bind.conf");
        commands = read_text(machine.directory, "commands");
        ASSERT_TRUE(tree && config && commands);
        fake_sysfs_add(machine.fake, tree);
        fake_sysfs_write(machine.fake, "etc/vfio-bind.conf", config);
        ASSERT_OK(format_string(&machine.root, "--root=%s", machine.fake->root));
        for (char *line = strtok_r(commands, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                if (*line != '#')
                        run_command(&machine, line);
        free(machine.root);
        fake_sysfs_free(machine.fake);
        ASSERT_OK(close(machine.directory));
}

int main(int argc, char **argv)
{
        struct dirent *entry;
        unsigned n = 0;
        DIR *machines;

        ASSERT_EQ(argc, 3);
        ctl_run_set_program(argv[1]);
        machines = opendir(argv[2]);
        ASSERT_TRUE(machines);
        while ((entry = readdir(machines)))
                if (entry->d_name[0] != '.') {
                        run_machine(dirfd(machines), entry->d_name);
                        n++;
                }
        ASSERT_TRUE(n >= 5);
        (void) closedir(machines);
        return 0;
}
