/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/selector-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/name-pattern.h"
#include "util/array.h"
#include "util/buffer.h"
#include "util/parse.h"
#include "util/strings.h"

/* Readers of the values, one for every term of vfio-bind.conf(5). */

#define PATH_HOPS_MAX   64
#define VF_RANGES_MAX   64
#define VF_INDEX_MAX    65535 /* TotalVFs is a 16-bit register */
#define SLOT_NAME_MAX   64
#define MODULE_NAME_MAX 63 /* the kernel's MODULE_NAME_LEN is less than 64 */
#define PF_NAME_MAX     32 /* section names; names of interfaces are shorter */

static int complain(char problem[static TERM_PROBLEM_MAX], const char *text)
{
        (void) snprintf(problem, TERM_PROBLEM_MAX, "%s", text);
        return -EINVAL;
}

static int read_address(Term *term, char problem[static TERM_PROBLEM_MAX])
{
        if (pci_address_parse_slot(term->value, &term->address.address,
                    &term->address.whole_slot) < 0)
                return complain(problem,
                        "is no address: wants [dddd:]bb:dd.f, [dddd:]bb:dd or pci_dddd_bb_dd_f");
        return 0;
}

/* The next part up to ':' or the end, at most four characters; a longer one is cut at five, which
 * no reader of a part accepts. */
static bool take_part(const char **text, char part[static 6])
{
        if (!*text)
                return false;

        size_t n = strcspn(*text, ":"), kept = n < 5 ? n : 5;
        memcpy(part, *text, kept);
        part[kept] = '\0';
        *text = (*text)[n] == ':' ? *text + n + 1 : NULL;
        return true;
}

/* Hex digits of the exact number, or nothing or "*" for any. */
static bool read_part(const char *part, size_t digits, bool *ret_any, uint16_t *ret)
{
        uint64_t value = 0;

        *ret_any = !*part || streq(part, "*");
        if (!*ret_any && parse_hex(part, digits, &value) < 0)
                return false;
        *ret = (uint16_t) value;
        return true;
}

static bool read_id_parts(const char *text, size_t maximum, IdPattern *ret)
{
        IdPattern id = {.any_class = true, .any_interface = true};
        uint16_t interface = 0;
        char part[6];

        if (!take_part(&text, part) || !read_part(part, 4, &id.any_vendor, &id.vendor))
                return false;
        if (!take_part(&text, part) || !read_part(part, 4, &id.any_device, &id.device))
                return false;
        if (maximum > 2 && take_part(&text, part) &&
            !read_part(part, 4, &id.any_class, &id.class_code))
                return false;
        if (maximum > 2 && take_part(&text, part) &&
            !read_part(part, 2, &id.any_interface, &interface))
                return false;
        if (text)
                return false;

        id.interface = (uint8_t) interface;
        *ret = id;
        return true;
}

static int read_id(Term *term, char problem[static TERM_PROBLEM_MAX])
{
        if (!read_id_parts(term->value, 4, &term->id))
                return complain(problem,
                        "is no id: wants vendor:device[:class[:prog-if]] with four hex digits "
                        "each (prog-if two); a part may be empty or *");
        if (term->id.any_vendor && term->id.any_device && term->id.any_class &&
            term->id.any_interface)
                return complain(problem, "matches everything");
        return 0;
}

static int read_subsystem(Term *term, char problem[static TERM_PROBLEM_MAX])
{
        if (!read_id_parts(term->value, 2, &term->id))
                return complain(problem, "is no subsystem id: wants vendor:device with four hex "
                                         "digits each; one part may be empty or *");
        if (term->id.any_vendor && term->id.any_device)
                return complain(problem, "matches everything");
        return 0;
}

static int read_class(Term *term, char problem[static TERM_PROBLEM_MAX])
{
        size_t digits = strlen(term->value);
        uint64_t value;

        if ((digits != 2 && digits != 4 && digits != 6) ||
            parse_hex(term->value, digits, &value) < 0)
                return complain(problem, "is no class: wants 2, 4 or 6 hex digits");
        term->class_code.value = (uint32_t) value;
        term->class_code.digits = (unsigned) digits;
        return 0;
}

/* One hop "dd.f". */
static bool read_hop(const char *text, size_t length, PciAddress *ret)
{
        char whole[16];

        if (length != 4)
                return false;
        (void) snprintf(whole, sizeof(whole), "00:%.4s", text);
        return pci_address_parse(whole, ret) == 0;
}

/* Spells a path as Device.path does. Returns 0, -EINVAL, -ENOMEM. */
static int normalize_path(const char *text, char **ret)
{
        _cleanup_buffer_ Buffer buffer = {};
        char root[PCI_ADDRESS_TEXT_MAX];
        PciAddress address;
        size_t n = strcspn(text, "/");

        if (n >= sizeof(root) || startswith(text, "pci_"))
                return -EINVAL;
        memcpy(root, text, n);
        root[n] = '\0';
        if (pci_address_parse(root, &address) < 0)
                return -EINVAL;
        buffer_append(&buffer, PCI_ADDRESS_TEXT(&address));

        text += n;
        for (unsigned hops = 0; *text == '/'; hops++) {
                n = strcspn(++text, "/");
                if (hops >= PATH_HOPS_MAX || !read_hop(text, n, &address))
                        return -EINVAL;
                buffer_printf(&buffer, "/%02x.%x", address.device, address.function);
                text += n;
        }
        return buffer_finish(&buffer, ret);
}

static int read_path(Term *term, char problem[static TERM_PROBLEM_MAX])
{
        int r = normalize_path(term->value, &term->path);
        if (r == -EINVAL)
                return complain(problem, "is no path: wants the form that \"lspci -D -P\" prints, "
                                         "as in 0000:00:1c.0/00.0");
        return r;
}

static int read_physical_slot(Term *term, char problem[static TERM_PROBLEM_MAX])
{
        if (strlen(term->value) > SLOT_NAME_MAX || strchr(term->value, '/'))
                return complain(problem, "is no slot: wants a name from /sys/bus/pci/slots");
        return 0;
}

/* 16 hex digits, or eight pairs with '-' or ':' between them as lspci prints them. */
static bool normalize_serial(const char *text, char ret[static 17])
{
        char digits[17];
        size_t n = 0;
        uint64_t value;
        bool has_separators = strlen(text) == 23;

        for (size_t i = 0; text[i]; i++) {
                if (has_separators && i % 3 == 2) {
                        if ((text[i] != '-' && text[i] != ':') || text[i] != text[2])
                                return false;
                        continue;
                }
                if (n >= 16)
                        return false;
                digits[n++] = text[i];
        }
        digits[n] = '\0';
        if (parse_hex(digits, 16, &value) < 0)
                return false;
        (void) snprintf(ret, 17, "%016" PRIx64, value);
        return true;
}

static int read_serial(Term *term, char problem[static TERM_PROBLEM_MAX])
{
        if (!normalize_serial(term->value, term->serial))
                return complain(problem, "is no serial number: wants 16 hex digits, as in "
                                         "0123456789abcdef or 01-23-45-67-89-ab-cd-ef");
        if (term->type == TERM_SERIAL &&
            (streq(term->serial, "0000000000000000") || streq(term->serial, "ffffffffffffffff")))
                return complain(problem, "is what functions without a serial number show");
        return 0;
}

static int read_name(Term *term, char problem[static TERM_PROBLEM_MAX])
{
        const char *text;

        int r = name_pattern_compile(term->value, &term->name, &text);
        if (r == -EINVAL)
                return complain(problem, text);
        return r;
}

static int read_host_driver(Term *term, char problem[static TERM_PROBLEM_MAX])
{
        size_t n = strspn(term->value,
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

        if (term->value[n] || n > MODULE_NAME_MAX)
                return complain(problem, "is no module name");
        return 0;
}

static int read_pf(Term *term, char problem[static TERM_PROBLEM_MAX])
{
        PciAddress address;
        bool whole_slot;

        if (pci_address_parse_slot(term->value, &address, &whole_slot) == 0) {
                if (whole_slot)
                        return complain(problem, "names a slot: wants one physical function, "
                                                 "as in 0000:06:00.0");
                term->pf.naming = PF_BY_ADDRESS;
                term->pf.address = address;
                return 0;
        }
        if (strchr(term->value, '/')) {
                int r = normalize_path(term->value, &term->pf.path);
                if (r == -EINVAL)
                        return complain(problem, "is no path: wants the form that \"lspci -D -P\" "
                                                 "prints, as in 0000:00:1c.0/00.0");
                term->pf.naming = PF_BY_PATH;
                return r;
        }
        if (strlen(term->value) > PF_NAME_MAX || strpbrk(term->value, ": \t"))
                return complain(problem, "is neither an address, a path, the name of a "
                                         "[PhysicalFunction] section nor of an interface");
        term->pf.naming = PF_BY_NAME;
        return 0;
}

/* "7", "0-3" or "8-" in the first `length` bytes. */
static bool read_range(const char *text, size_t length, IndexRange *ret)
{
        char first[8], last[8];
        uint64_t a, b;
        const char *dash = memchr(text, '-', length);
        size_t n_first = dash ? (size_t) (dash - text) : length;
        size_t n_last = dash ? length - n_first - 1 : 0;

        if (n_first >= sizeof(first) || n_last >= sizeof(last))
                return false;
        memcpy(first, text, n_first);
        first[n_first] = '\0';
        if (parse_unsigned(first, VF_INDEX_MAX, &a) < 0)
                return false;
        *ret = (IndexRange){.first = (unsigned) a, .last = dash ? UINT_MAX : (unsigned) a};
        if (n_last == 0)
                return true;

        memcpy(last, dash + 1, n_last);
        last[n_last] = '\0';
        if (parse_unsigned(last, VF_INDEX_MAX, &b) < 0 || b < a)
                return false;
        ret->last = (unsigned) b;
        return true;
}

static int read_vf(Term *term, char problem[static TERM_PROBLEM_MAX])
{
        for (const char *p = term->value;; p++) {
                size_t length = strcspn(p, ",");
                IndexRange range;

                if (term->vf.n_ranges >= VF_RANGES_MAX || !read_range(p, length, &range))
                        return complain(problem, "is no list of VF indices: wants numbers and "
                                                 "ranges, as in 0-3,7 or 8-");
                int r = ARRAY_GROW(term->vf.ranges, term->vf.n_ranges);
                if (r < 0)
                        return r;
                term->vf.ranges[term->vf.n_ranges++] = range;

                p += length;
                if (!*p)
                        return 0;
        }
}

static int read_expect(Term *term, char problem[static TERM_PROBLEM_MAX])
{
        const char *text = term->value;
        uint16_t ids[4] = {};
        char part[6];
        size_t n = 0;

        while (n < 4 && take_part(&text, part)) {
                bool any;
                if (!read_part(part, 4, &any, &ids[n]) || any)
                        break;
                n++;
        }
        if (text || (n != 2 && n != 4))
                return complain(problem, "is no identity: wants vendor:device or "
                                         "vendor:device:subvendor:subdevice, all in four hex "
                                         "digits");

        term->expect = (Identity){
                .vendor = ids[0],
                .device = ids[1],
                .has_subsystem = n == 4,
                .subsystem_vendor = ids[2],
                .subsystem_device = ids[3],
        };
        return 0;
}

static int (*const readers[])(Term *term, char problem[static TERM_PROBLEM_MAX]) = {
        [TERM_ADDRESS] = read_address,
        [TERM_ID] = read_id,
        [TERM_SUBSYSTEM] = read_subsystem,
        [TERM_CLASS] = read_class,
        [TERM_PATH] = read_path,
        [TERM_PHYSICAL_SLOT] = read_physical_slot,
        [TERM_SERIAL] = read_serial,
        [TERM_NAME] = read_name,
        [TERM_HOST_DRIVER] = read_host_driver,
        [TERM_PF] = read_pf,
        [TERM_VF] = read_vf,
        [TERM_EXPECT] = read_expect,
        [TERM_EXPECT_SERIAL] = read_serial,
};
_Static_assert(ELEMENTSOF(readers) == _TERM_MAX, "every term has a reader");

int term_read_value(Term *term, char problem[static TERM_PROBLEM_MAX])
{
        if (!*term->value)
                return complain(problem, "has no value");
        return readers[term->type](term, problem);
}
