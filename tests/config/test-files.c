/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config-load.h"
#include "lib/config-text.h"
#include "util/io.h"
#include "util/strings.h"

/* Which files count, in a made-up root. */

static char root_path[] = "/tmp/test-files-XXXXXX";
static int root = -1;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
        return remove(path);
}

static void remove_root(void)
{
        if (root >= 0)
                close(root);
        root = -1;
        (void) nftw(root_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_root(void)
{
        static const char *const directories[] = {"etc", "etc/vfio-bind.conf.d", "run",
                "run/vfio-bind.conf.d", "usr", "usr/lib", "usr/lib/vfio-bind.conf.d", "usr/local",
                "usr/local/lib", "usr/local/lib/vfio-bind.conf.d"};

        remove_root();
        strcpy(root_path + strlen(root_path) - 6, "XXXXXX");
        ASSERT_TRUE(mkdtemp(root_path));
        root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_TRUE(root >= 0);
        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                ASSERT_OK(mkdirat(root, directories[i], 0755));
}

static void put(const char *path, const char *text)
{
        ASSERT_OK(write_file_atomic_at(root, path, text, strlen(text), 0644));
}

static Config *load(const ConfigLoadOptions *options)
{
        static const ConfigLoadOptions no_owner = {};
        Config *config = NULL;

        ASSERT_OK(config_load(root, options ? options : &no_owner, &config));
        return config;
}

static void check(const ConfigLoadOptions *options, const char *wanted, const char *diagnostics)
{
        _cleanup_config_ Config *config = load(options);
        _cleanup_free_ char *text = config_to_text(config), *said = diagnostics_to_text(config);

        ASSERT_STREQ(said, diagnostics);
        ASSERT_STREQ(text, wanted);
}

static void test_nothing(void)
{
        make_root();
        check(NULL, "", "");
        remove_root();
        strcpy(root_path + strlen(root_path) - 6, "XXXXXX");
        ASSERT_TRUE(mkdtemp(root_path));
        root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        check(NULL, "", ""); /* not even directories */
}

static void test_main_file(void)
{
        make_root();
        put("usr/lib/vfio-bind.conf", "[Claim vendor]\nMatch=01:00.0\n");
        check(NULL, "claim vendor: 01:00.0\n", "");
        put("run/vfio-bind.conf", "[Claim run]\nMatch=01:00.0\n");
        check(NULL, "claim run: 01:00.0\n", "");
        put("etc/vfio-bind.conf", "[Claim etc]\nMatch=01:00.0\n");
        check(NULL, "claim etc: 01:00.0\n", "");
        put("etc/vfio-bind.conf", "");
        check(NULL, "", ""); /* an empty one counts */
        ASSERT_OK(unlinkat(root, "etc/vfio-bind.conf", 0));
        ASSERT_OK(symlinkat("/dev/null", root, "etc/vfio-bind.conf"));
        check(NULL, "", "");
}

static void test_drop_ins(void)
{
        make_root();
        put("etc/vfio-bind.conf", "[Claim a]\nMatch=01:00.0\nDriver=auto\nExclude=class=02\n");
        put("usr/lib/vfio-bind.conf.d/50-b.conf", "[Claim a]\nDriver=pci-stub\nMatch=02:00.0\n");
        put("etc/vfio-bind.conf.d/10-a.conf", "[Claim a]\nNodeMode=0600\nDriver=x\n");
        put("run/vfio-bind.conf.d/90-c.conf",
                "[Claim a]\nMatch=03:00.0\nExclude=\n[Defaults]\nTimeout=3\n");
        put("etc/vfio-bind.conf.d/.hidden.conf", "nonsense\n");
        put("etc/vfio-bind.conf.d/README", "nonsense\n");
        put("etc/vfio-bind.conf.d/60-c.conf~", "nonsense\n");
        put("etc/vfio-bind.conf.d/.conf", "nonsense\n");
        /* by name over all directories, scalars replace, lists append, empty resets */
        check(NULL, "claim a Driver=pci-stub NodeMode=0600 Timeout=3000000us: "
                    "01:00.0 | 02:00.0 | 03:00.0\n", "");

        _cleanup_config_ Config *config = load(NULL);
        ASSERT_EQ(string_list_length(config->files), 4);
        ASSERT_STREQ(config->files[0], "/etc/vfio-bind.conf");
        ASSERT_STREQ(config->files[1], "/etc/vfio-bind.conf.d/10-a.conf");
        ASSERT_STREQ(config->files[2], "/usr/lib/vfio-bind.conf.d/50-b.conf");
        ASSERT_STREQ(config->files[3], "/run/vfio-bind.conf.d/90-c.conf");
        ASSERT_STREQ(config->claims[0].matches[1]->location.file,
                "/usr/lib/vfio-bind.conf.d/50-b.conf");
        ASSERT_EQ(config->claims[0].matches[1]->location.line, 3);
}

static void test_masks(void)
{
        make_root();
        put("usr/lib/vfio-bind.conf.d/10.conf", "[Claim lib]\nMatch=01:00.0\n");
        put("usr/local/lib/vfio-bind.conf.d/10.conf", "[Claim local]\nMatch=01:00.0\n");
        check(NULL, "claim local: 01:00.0\n", "");
        put("run/vfio-bind.conf.d/10.conf", "[Claim run]\nMatch=01:00.0\n");
        check(NULL, "claim run: 01:00.0\n", "");
        put("etc/vfio-bind.conf.d/10.conf", "[Claim etc]\nMatch=01:00.0\n");
        check(NULL, "claim etc: 01:00.0\n", "");
        put("etc/vfio-bind.conf.d/10.conf", "");
        check(NULL, "", "");
        ASSERT_OK(unlinkat(root, "etc/vfio-bind.conf.d/10.conf", 0));
        ASSERT_OK(symlinkat("/dev/null", root, "etc/vfio-bind.conf.d/10.conf"));
        check(NULL, "", ""); /* though this root has no /dev/null */
}

/* The same section in two files extends, in one file it is an error; an error in one file takes
 * the claim out that another file speaks of. */
static void test_sections_over_files(void)
{
        make_root();
        put("etc/vfio-bind.conf", "[Claim a]\nMatch=01:00.0\n[Claim b]\nMatch=02:00.0\n");
        put("etc/vfio-bind.conf.d/1.conf", "[Claim a]\nNodeMode=0777\n[Claim b]\nDriver=auto\n");
        check(NULL, "claim a error: 01:00.0\nclaim b Driver=auto: 02:00.0\n",
                "/etc/vfio-bind.conf.d/1.conf:2:10: NodeMode='0777' gives more than 0660: a device "
                "node that anybody can open gives anybody the memory of the machine's devices\n");
        put("etc/vfio-bind.conf.d/1.conf", "[Claim a]\nDriver=x\n");
        put("etc/vfio-bind.conf.d/2.conf", "[Claim a]\nDriver=y\n");
        check(NULL, "claim a Driver=y: 01:00.0\nclaim b: 02:00.0\n", "");
}

/* An unreadable file could have said anything: every claim is out, and stays reserved. */
static void test_unreadable(void)
{
        char target[64];

        make_root();
        put("etc/vfio-bind.conf", "[Claim a]\nMatch=01:00.0\n"
                                  "[PhysicalFunction n]\nMatch=02:00.0\n");
        ASSERT_OK(mkdirat(root, "etc/vfio-bind.conf.d/1.conf", 0755));
        check(NULL, "claim a error: 01:00.0\npf n error: 02:00.0\n",
                "/etc/vfio-bind.conf.d/1.conf: refused: it is no regular file; every claim is out\n"
                "/etc/vfio-bind.conf:1:2: out, because a configuration file could not be read\n"
                "/etc/vfio-bind.conf:3:2: out, because a configuration file could not be read\n");
        ASSERT_OK(unlinkat(root, "etc/vfio-bind.conf.d/1.conf", AT_REMOVEDIR));

        ASSERT_OK(symlinkat("/nowhere", root, "etc/vfio-bind.conf.d/1.conf"));
        {
                _cleanup_config_ Config *config = load(NULL);
                ASSERT_TRUE(config->incomplete);
                ASSERT_TRUE(config->claims[0].has_error);
                ASSERT_CONTAINS(config->diagnostics.items[0].message,
                        "cannot be read: No such file or directory");
        }
        ASSERT_OK(unlinkat(root, "etc/vfio-bind.conf.d/1.conf", 0));

        ASSERT_OK(mkfifoat(root, "etc/vfio-bind.conf.d/1.conf", 0644)); /* must not block */
        {
                _cleanup_config_ Config *config = load(NULL);
                ASSERT_TRUE(config->incomplete);
        }
        ASSERT_OK(unlinkat(root, "etc/vfio-bind.conf.d/1.conf", 0));

        /* an absolute link stays below the root */
        snprintf(target, sizeof(target), "%s/etc/vfio-bind.conf", root_path);
        ASSERT_OK(symlinkat(target, root, "etc/vfio-bind.conf.d/1.conf"));
        {
                _cleanup_config_ Config *config = load(NULL);
                ASSERT_TRUE(config->incomplete);
        }
        ASSERT_OK(unlinkat(root, "etc/vfio-bind.conf.d/1.conf", 0));
        ASSERT_OK(symlinkat("/etc/other", root, "etc/vfio-bind.conf.d/1.conf"));
        put("etc/other", "[Claim b]\nMatch=03:00.0\n");
        check(NULL, "claim a: 01:00.0\nclaim b: 03:00.0\npf n: 02:00.0\n", "");
}

static void test_limits(void)
{
        ConfigLoadOptions options = {.maximum_size = 30, .maximum_drop_ins = 2};

        make_root();
        put("etc/vfio-bind.conf", "[Claim a]\nMatch=01:00.0\n");
        put("etc/vfio-bind.conf.d/1.conf", "[Claim b]\nMatch=02:00.0\n");
        put("run/vfio-bind.conf.d/2.conf", "[Claim c]\nMatch=03:00.0\n");
        check(&options, "claim a: 01:00.0\nclaim b: 02:00.0\nclaim c: 03:00.0\n", "");

        put("etc/vfio-bind.conf.d/3.conf", "");
        check(&options, "claim a error: 01:00.0\nclaim b error: 02:00.0\nclaim c error: 03:00.0\n",
                "there are too many drop-in files; every claim is out\n"
                "/etc/vfio-bind.conf:1:2: out, because a configuration file could not be read\n"
                "/etc/vfio-bind.conf.d/1.conf:1:2: out, because a configuration file could not be "
                "read\n"
                "/run/vfio-bind.conf.d/2.conf:1:2: out, because a configuration file could not be "
                "read\n");
        ASSERT_OK(unlinkat(root, "etc/vfio-bind.conf.d/3.conf", 0));

        put("run/vfio-bind.conf.d/2.conf", "[Claim c]\nMatch=03:00.0\nDriver=auto\n");
        {
                _cleanup_config_ Config *config = load(&options);
                ASSERT_TRUE(config->incomplete);
                ASSERT_CONTAINS(config->diagnostics.items[0].message, "longer than 30 bytes");
        }
}

static void test_owner(void)
{
        ConfigLoadOptions options = {.check_owner = true};

        if (geteuid() != 0)
                return; /* files made here belong to somebody else then; see below */
        make_root();
        put("etc/vfio-bind.conf", "[Claim a]\nMatch=01:00.0\n");
        check(&options, "claim a: 01:00.0\n", "");
        ASSERT_OK(fchmodat(root, "etc/vfio-bind.conf", 0664, 0));
        check(&options, "",
                "/etc/vfio-bind.conf: refused: others than root can write it (mode 0664); "
                "every claim is out\n");
        ASSERT_OK(fchmodat(root, "etc/vfio-bind.conf", 0602, 0));
        {
                _cleanup_config_ Config *config = load(&options);
                ASSERT_TRUE(config->incomplete);
        }
        check(NULL, "claim a: 01:00.0\n", "");
        ASSERT_OK(fchmodat(root, "etc/vfio-bind.conf", 0600, 0));
        check(&options, "claim a: 01:00.0\n", "");
        ASSERT_OK(fchownat(root, "etc/vfio-bind.conf", 1000, 0, 0));
        {
                _cleanup_config_ Config *config = NULL;
                ASSERT_OK(config_load(root, NULL, &config)); /* owners are checked by default */
                ASSERT_TRUE(config->incomplete);
                ASSERT_CONTAINS(
                        config->diagnostics.items[0].message, "it does not belong to root");
        }
}

static void test_replacement(void)
{
        static const char name[] = "candidate.conf";
        char file[64];
        ConfigLoadOptions options = {
                .check_owner = geteuid() == 0,
                .replace_path = "/etc/vfio-bind.conf",
                .replace_file = file,
        };

        make_root();
        snprintf(file, sizeof(file), "%s/%s", root_path, name);
        put(name, "[Claim new]\nMatch=01:00.0\n");
        ASSERT_OK(fchmodat(root, name, 0666, 0)); /* anybody's draft may be checked */
        put("etc/vfio-bind.conf", "[Claim old]\nMatch=01:00.0\n");
        put("etc/vfio-bind.conf.d/1.conf", "[Claim new]\nDriver=auto\n");
        check(&options, "claim new Driver=auto: 01:00.0\n", "");
        if (options.check_owner) { /* the file itself is no draft */
                snprintf(file, sizeof(file), "%s/etc/vfio-bind.conf", root_path);
                ASSERT_OK(fchmodat(root, "etc/vfio-bind.conf", 0666, 0));
                _cleanup_config_ Config *config = load(&options);
                ASSERT_TRUE(config->incomplete);
                snprintf(file, sizeof(file), "%s/%s", root_path, name);
        }
        ASSERT_OK(unlinkat(root, "etc/vfio-bind.conf", 0));
        check(&options, "claim new Driver=auto: 01:00.0\n", ""); /* need not be there */

        options.replace_path = "/run/vfio-bind.conf.d/0.conf";
        check(&options, "claim new Driver=auto: 01:00.0\n", "");
        {
                _cleanup_config_ Config *config = load(&options);
                ASSERT_STREQ(config->files[0], file);
        }

        /* in the place of one that is masked */
        put("etc/vfio-bind.conf.d/0.conf", "[Claim new]\nMatch=02:00.0\n");
        {
                _cleanup_config_ Config *config = load(&options);
                ASSERT_STREQ(config->claims[0].matches[0]->text, "02:00.0");
                ASSERT_EQ(config->diagnostics.n_errors, 0);
                ASSERT_CONTAINS(config->diagnostics.items[0].message, "not read: another file");
                ASSERT_STREQ(config->diagnostics.items[0].location.file, file);
        }

        ASSERT_OK(unlinkat(root, name, 0));
        options.replace_path = "/etc/vfio-bind.conf";
        {
                _cleanup_config_ Config *config = load(&options);
                ASSERT_TRUE(config->incomplete);
                ASSERT_STREQ(config->diagnostics.items[0].location.file, file);
        }

        static const char *const impossible[] = {"/etc/other.conf", "vfio-bind.conf", "/etc",
                "/etc/vfio-bind.conf.d/", "/etc/vfio-bind.conf.d/x", "/etc/vfio-bind.conf.d/.conf",
                "/etc/vfio-bind.conf.d/a/b.conf", "/etc/vfio-bind.conf.d"};
        for (size_t i = 0; i < ELEMENTSOF(impossible); i++) {
                Config *config = NULL;
                options.replace_path = impossible[i];
                ASSERT_EQ(config_load(root, &options, &config), -EINVAL);
                ASSERT_TRUE(!config);
        }
}

/* A drop-in directory that is named but not there is not the same as none. */
static void test_directories(void)
{
        static const char said[] =
                "/run/vfio-bind.conf.d cannot be listed: %s; every claim is out\n"
                "/etc/vfio-bind.conf:1:2: out, because a configuration file could not be read\n";
        static const char wanted[] = "exclude: 03:00.0\nclaim a error: 01:00.0\n";
        char text[sizeof(said) + 100];

        make_root();
        put("etc/vfio-bind.conf", "[Claim a]\nMatch=01:00.0\n");
        put("etc/vfio-bind.conf.d/1.conf", "[Defaults]\nExclude=03:00.0\n");
        ASSERT_OK(unlinkat(root, "run/vfio-bind.conf.d", AT_REMOVEDIR));
        ASSERT_OK(symlinkat("/nowhere", root, "run/vfio-bind.conf.d"));
        sprintf(text, said, "No such file or directory");
        check(NULL, wanted, text);
        ASSERT_OK(unlinkat(root, "run/vfio-bind.conf.d", 0));
        put("run/vfio-bind.conf.d", "");
        sprintf(text, said, "Not a directory");
        check(NULL, wanted, text);
        {
                _cleanup_config_ Config *config = load(NULL);
                ASSERT_TRUE(config->incomplete);
        }

        /* a link is followed below the root */
        ASSERT_OK(unlinkat(root, "run/vfio-bind.conf.d", 0));
        ASSERT_OK(mkdirat(root, "elsewhere", 0755));
        put("elsewhere/1.conf", "[Claim b]\nMatch=02:00.0\n");
        ASSERT_OK(unlinkat(root, "etc/vfio-bind.conf.d/1.conf", 0));
        ASSERT_OK(symlinkat("/elsewhere", root, "run/vfio-bind.conf.d"));
        check(NULL, "claim a: 01:00.0\nclaim b: 02:00.0\n", "");
}

static void test_unprintable_name(void)
{
        make_root();
        put("etc/vfio-bind.conf.d/\033\xff.conf", "[Claim a]\nMatch=01:00.0\n");
        check(NULL, "", "/etc/vfio-bind.conf.d/??.conf: refused: unprintable file name; "
                        "every claim is out\n");
}

int main(void)
{
        atexit(remove_root);
        umask(0022);
        test_nothing();
        test_main_file();
        test_drop_ins();
        test_masks();
        test_sections_over_files();
        test_unreadable();
        test_limits();
        test_owner();
        test_replacement();
        test_directories();
        test_unprintable_name();
        return EXIT_SUCCESS;
}
