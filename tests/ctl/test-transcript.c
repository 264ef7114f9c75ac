/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "ctl/ctl-run.h"
#include "lib/fake-sysfs.h"
#include "lib/module-index.h"
#include "lib/test.h"
#include "util/buffer.h"
#include "util/io.h"
#include "util/strings.h"

/* A case is a folder: `machine`, lines for fake_sysfs_add(); `root`, files to put into the tree;
 * `aliases`, what its kernel's modules.alias has (that kernel is 6.1.0); `session`, what was typed
 * and what came of it. Lines of a session that begin with "$ " are run with --root=, and ">PATH" at
 * their end writes standard output to a file of the tree as well. Lines of standard error begin
 * with "! ". Between them, "+ LINE" is given to fake_sysfs_add(), and "- PATH" removes a file.
 * "CASE" stands for the path of the folder, "TREE" for that of the tree. Run with the program and
 * the folder as arguments; with UPDATE_GOLDEN=1 in the environment `session` is written anew. */

#define MODULES   "lib/modules/6.1.0/"
#define WORDS_MAX 24

typedef struct Case {
        const char *path;
        int directory;
        FakeSysfs *fake;
        char *root_option;
        Buffer session;
} Case;

static void copy_tree(Case *c, int directory, const char *path)
{
        int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *opened = fdopendir(fd);
        struct dirent *entry;

        ASSERT_TRUE(opened);
        while ((entry = readdir(opened))) {
                _cleanup_free_ char *below = NULL, *text = NULL;
                struct stat status;

                if (entry->d_name[0] == '.')
                        continue;
                ASSERT_OK(format_string(&below, "%s%s%s", path, *path ? "/" : "", entry->d_name));
                ASSERT_OK(fstatat(directory, entry->d_name, &status, 0));
                if (S_ISDIR(status.st_mode)) {
                        _cleanup_close_ int child =
                                openat(directory, entry->d_name,
                                        O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                        ASSERT_TRUE(child >= 0);
                        copy_tree(c, child, below);
                        continue;
                }
                ASSERT_OK(read_file_at(directory, entry->d_name, 1 << 20, &text, NULL));
                fake_sysfs_write(c->fake, below, text);
        }
        ASSERT_OK(closedir(opened));
}

static void make_tree(Case *c)
{
        _cleanup_close_ int root = openat(c->directory, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *machine = NULL, *aliases = NULL;

        c->fake = fake_sysfs_new();
        ASSERT_OK(read_file_at(c->directory, "machine", 1 << 20, &machine, NULL));
        fake_sysfs_add(c->fake, machine);
        if (root >= 0)
                copy_tree(c, root, "");
        if (read_file_at(c->directory, "aliases", 1 << 20, &aliases, NULL) == 0) {
                fake_sysfs_write(c->fake, "proc/sys/kernel/osrelease", "6.1.0\n");
                fake_sysfs_write(c->fake, MODULES "modules.alias", aliases);
                module_index_write(c->fake, MODULES "modules.alias.bin", aliases);
        }
        ASSERT_OK(format_string(&c->root_option, "--root=%s", c->fake->root));
}

/* Replaces every `from`. */
static char *replace_all(const char *text, const char *from, const char *to)
{
        Buffer buffer = {};
        const char *found;
        char *result;

        while ((found = strstr(text, from))) {
                buffer_append_length(&buffer, text, (size_t) (found - text));
                buffer_append(&buffer, to);
                text = found + strlen(from);
        }
        buffer_append(&buffer, text);
        ASSERT_OK(buffer_finish(&buffer, &result));
        return result;
}

static void append_output(Case *c, const char *prefix, const char *output)
{
        _cleanup_free_ char *of_case = replace_all(output, c->path, "CASE");
        _cleanup_free_ char *plain = replace_all(of_case, c->fake->root, "TREE");

        for (char *rest = NULL, *line = strtok_r(plain, "\n", &rest); line;
                line = strtok_r(NULL, "\n", &rest))
                buffer_printf(&c->session, "%s%s\n", prefix, line);
}

static void run_command(Case *c, const char *line)
{
        _cleanup_free_ char *of_case = replace_all(line, "CASE", c->path);
        _cleanup_free_ char *replaced = replace_all(of_case, "TREE", c->fake->root);
        const char *words[WORDS_MAX] = {}, *target = NULL;
        CtlRunOptions options = {};
        size_t n = 0;

        buffer_printf(&c->session, "$ %s\n", line);
        for (char *rest = NULL, *word = strtok_r(replaced, " ", &rest); word;
                word = strtok_r(NULL, " ", &rest)) {
                ASSERT_TRUE(n + 2 < WORDS_MAX);
                if (*word == '>')
                        target = word + 1;
                else if (n > 0 || !streq(word, "vfio-bindctl"))
                        words[n++] = word;
        }
        words[n] = c->root_option;

        CtlRun run = ctl_run(&options, words);
        append_output(c, "", run.out);
        append_output(c, "! ", run.err);
        if (run.code != 0)
                buffer_printf(&c->session, "exit code %d\n", run.code);
        if (target)
                fake_sysfs_write(c->fake, target + 1, run.out);
        ctl_run_done(&run);
}

/* "@0000:01:00.0/reset_method" is in the directory of the function. */
static void remove_path(Case *c, const char *path)
{
        const char *slash = strchr(path, '/');
        _cleanup_free_ char *address = NULL, *directory = NULL, *whole = NULL;

        if (*path != '@') {
                fake_sysfs_remove(c->fake, path);
                return;
        }
        ASSERT_TRUE(slash);
        address = strndup(path + 1, (size_t) (slash - path - 1));
        directory = fake_sysfs_directory(c->fake, address);
        ASSERT_OK(format_string(&whole, "%s%s", directory, slash));
        fake_sysfs_remove(c->fake, whole);
}

static void run_line(Case *c, const char *line)
{
        if (startswith(line, "$ ")) {
                run_command(c, line + 2);
        } else if (startswith(line, "+ ")) {
                buffer_printf(&c->session, "%s\n", line);
                fake_sysfs_add(c->fake, line + 2);
        } else if (startswith(line, "- ")) {
                buffer_printf(&c->session, "%s\n", line);
                remove_path(c, line + 2);
        }
}

int main(int argc, char **argv)
{
        _cleanup_free_ char *session = NULL, *commands = NULL, *result = NULL;
        Case c = {};
        int code = 0;

        ASSERT_EQ(argc, 3);
        ctl_run_set_program(argv[1]);
        c.path = argv[2];
        c.directory = open(c.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_TRUE(c.directory >= 0);
        ASSERT_OK(read_file_at(c.directory, "session", 1 << 20, &session, NULL));
        make_tree(&c);

        commands = strdup(session);
        ASSERT_TRUE(commands);
        for (char *rest = NULL, *line = strtok_r(commands, "\n", &rest); line;
                line = strtok_r(NULL, "\n", &rest))
                run_line(&c, line);
        ASSERT_OK(buffer_finish(&c.session, &result));

        if (getenv("UPDATE_GOLDEN"))
                ASSERT_OK(write_file_atomic_at(c.directory, "session", result, strlen(result),
                        0644));
        else if (!streq(result, session)) {
                fprintf(stderr, "--- wanted\n%s--- got\n%s", session, result);
                code = 1;
        }
        fake_sysfs_free(c.fake);
        free(c.root_option);
        (void) close(c.directory);
        return code;
}
