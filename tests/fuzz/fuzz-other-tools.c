/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include <errno.h>

#include "ctl/import-libvirt.h"
#include "ctl/modprobe-files.h"
#include "ctl/pci-ids.h"
#include "ctl/yaml-lines.h"
#include "lib/test.h"
#include "util/strings.h"

/* Any bytes as what other tools have been told: a domain of libvirt, lines of YAML, ids. */

const char *const fuzz_dictionary[] = {"<domain>", "<name>", "</name>", "<hostdev type='pci'>",
        "<hostdev mode='subsystem' type='pci' managed='yes'>", "<source>", "</source>",
        "<address domain='0x0000' bus='0x01' slot='0x1f' function='7'/>", "</hostdev>",
        "<forward mode='hostdev'>", "<pf dev='eth0'/>", "<!--", "-->", "<![CDATA[", "]]>", "<?",
        "?>", "&amp;", "&", "/>", "<", ">", "='", "\"", "- ", ": ", "  ", "#", "''", "\\\"",
        "{{", "*", "\t", "\r\n", "\n", "10de:2482", "ffff:ffff:1:2:030000:ffffff", ",", "=", "ids=",
        NULL};

static void read_xml(const char *data, size_t length)
{
        _cleanup_free_ char *text = strndup(data, length);
        _cleanup_(libvirt_object_done) LibvirtObject object = {};
        const char *problem = NULL;
        unsigned line = 0;

        ASSERT_TRUE(text);
        int r = libvirt_read(text, &object, &line, &problem);
        ASSERT_TRUE(r == 0 || r == -EINVAL);
        ASSERT_EQ(r == -EINVAL, problem != NULL);
        ASSERT_EQ(r == -EINVAL, line > 0);
        for (size_t i = 0; i < object.n_addresses; i++) {
                ASSERT_TRUE(object.addresses[i].device < 32);
                ASSERT_TRUE(object.addresses[i].function < 8);
        }
        for (char **pool = object.pools; pool && *pool; pool++)
                ASSERT_TRUE(**pool && strlen(*pool) < 16 && !find_unprintable(*pool));
}

static void read_yaml(const char *line)
{
        _cleanup_yaml_line_ YamlLine yaml = {};
        const char *problem = NULL;

        int r = yaml_line_read(line, &yaml, &problem);
        ASSERT_TRUE(r == 0 || r == -EINVAL);
        ASSERT_EQ(r == -EINVAL, problem != NULL);
        if (r < 0 || yaml.is_blank) {
                ASSERT_TRUE(!yaml.key && !yaml.value);
                return;
        }
        ASSERT_TRUE(yaml.content >= yaml.indent && yaml.content <= strlen(line));
        ASSERT_TRUE(!yaml.value || !strchr(yaml.value, '\n'));
}

static void read_ids(const char *line)
{
        PciIds ids;

        int r = pci_ids_parse(line, strlen(line), &ids);
        ASSERT_TRUE(r == 0 || r == -EINVAL);
        (void) kernel_parameter_value(line, "vfio_pci", "ids");
        (void) module_name_equal(line, "vfio-pci");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        _cleanup_free_ char *text = strndup((const char *) data, length);

        ASSERT_TRUE(text);
        read_xml((const char *) data, length);
        for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line;
                line = strtok_r(NULL, "\n", &rest)) {
                read_yaml(line);
                read_ids(line);
        }
        return 0;
}
