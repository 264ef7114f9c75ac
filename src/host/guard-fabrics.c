/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "host/guard-block.h"
#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

/* NVMe over Fibre Channel. Its controllers are below a virtual device; what they say of the adapter
 * is the name of its port, in "address" (nvmf_get_address(), drivers/nvme/host/fabrics.c). Over IP
 * that is the address of a network interface, which is in use for having it; TCP would have us wait
 * for the lock of its queue there (nvme_tcp_get_address()), so only Fibre Channel is asked. */

#define PORTS     "sys/class/fc_host"
#define PORTS_MAX 4096

static bool read_controller(const Host *host, const char *controller, const char *attribute,
        char *buffer, size_t size)
{
        _cleanup_free_ char *path = NULL;

        return format_string(&path, "%s/%s", controller, attribute) == 0 &&
                read_attribute_at(host->root, path, buffer, size) > 0;
}

/* "traddr=nn-0x…:pn-0x…,host_traddr=nn-0x20000090fa942779:pn-0x10000090fa942779" */
static bool read_port(const Host *host, const char *controller, uint64_t *ret)
{
        char text[1024];

        if (!read_controller(host, controller, "transport", text, sizeof(text)) ||
            !streq(text, "fc") ||
            !read_controller(host, controller, "address", text, sizeof(text)))
                return false;
        char *name = strstr(text, "host_traddr=");
        name = name ? strstr(name, "pn-0x") : NULL;
        if (!name)
                return false;
        name += strlen("pn-0x");
        name[strcspn(name, ",")] = '\0';
        return parse_hex(name, 0, ret) == 0;
}

static int append_port(const Host *host, const char *name, uint64_t wanted, char ***list)
{
        _cleanup_free_ char *link = NULL, *path = NULL, *attribute = NULL;
        uint64_t number;
        char text[32];

        int r = format_string(&link, PORTS "/%s", name);
        if (r == 0)
                r = guard_resolve_link(host, link, &path);
        if (r == 0)
                r = format_string(&attribute, "%s/port_name", path);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        if (read_attribute_at(host->root, attribute, text, sizeof(text)) <= 0 ||
            !startswith(text, "0x") || parse_hex(text + 2, 0, &number) < 0 || number != wanted)
                return 0;
        return string_list_append(list, path);
}

static int append_ports(const Host *host, const char *controller, char ***list)
{
        _cleanup_string_list_ char **names = NULL;
        uint64_t port;

        if (!read_port(host, controller, &port))
                return 0;
        int r = host_list_directory(host->root, PORTS, PORTS_MAX, &names);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **name = names; r == 0 && name && *name; name++)
                r = append_port(host, *name, port, list);
        return r;
}

int guard_fabrics_list_ports(const Host *host, char ***list)
{
        static const char tag[] = "/nvme-fabrics/ctl/";
        size_t n = string_list_length(*list);
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++) {
                const char *path = (*list)[i], *begin = strstr(path, tag);

                if (!begin)
                        continue;
                const char *name = begin + strlen(tag);
                size_t length = (size_t) (name - path) + strcspn(name, "/");
                _cleanup_free_ char *controller = strndup(path, length);
                r = controller ? append_ports(host, controller, list) : -ENOMEM;
        }
        return r;
}
