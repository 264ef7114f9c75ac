/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stage/udev.h"

#include <errno.h>

#include "util/parse.h"
#include "util/strings.h"

static int parse_action(const char *text, UdevAction *ret)
{
        static const struct {
                const char *name;
                UdevAction action;
        } actions[] = {
                { "add", UDEV_ADD },
                { "change", UDEV_CHANGE },
                { "bind", UDEV_BIND },
                { "remove", UDEV_REMOVE },
        };

        if (isempty(text))
                return -EINVAL;
        for (size_t i = 0; i < ELEMENTSOF(actions); i++)
                if (streq(actions[i].name, text)) {
                        *ret = actions[i].action;
                        return 0;
                }
        return -EOPNOTSUPP; /* unbind, move, online … */
}

/* Copies path component number `from_end` (0: the last) of an absolute path. */
static bool path_component(const char *path, unsigned from_end, char *name, size_t size)
{
        const char *end = path + strlen(path), *begin;

        for (;;) {
                begin = end;
                while (begin > path && begin[-1] != '/')
                        begin--;
                if (begin == path)
                        return false; /* before the first '/' there is nothing */
                if (from_end-- == 0)
                        break;
                end = begin - 1;
        }
        if (begin == end || (size_t) (end - begin) >= size)
                return false;
        memcpy(name, begin, (size_t) (end - begin));
        name[end - begin] = '\0';
        return true;
}

static int parse_function(const char *path, unsigned from_end, PciAddress *ret)
{
        char name[PCI_ADDRESS_TEXT_MAX];
        PciAddress address;

        if (!path_component(path, from_end, name, sizeof(name)) ||
            pci_address_parse(name, &address) < 0 || !streq(PCI_ADDRESS_TEXT(&address), name))
                return -EINVAL;
        *ret = address;
        return 0;
}

/* "/devices/virtual/vfio/14"; "noiommu-0" belongs to no IOMMU group. */
static int parse_group(const char *path, int64_t *ret)
{
        char name[32];
        uint64_t number;

        if (!path_component(path, 0, name, sizeof(name)))
                return -EINVAL;
        if (startswith(name, "noiommu-"))
                return -EOPNOTSUPP;
        if (parse_unsigned(name, INT32_MAX, &number) < 0)
                return -EINVAL;
        *ret = (int64_t) number;
        return 0;
}

static int parse_subject(const char *subsystem, const char *path, UdevEvent *event)
{
        if (isempty(subsystem) || !startswith(path, "/devices/"))
                return -EINVAL;
        if (streq(subsystem, "pci")) {
                event->subject = UDEV_PCI;
                return parse_function(path, 0, &event->address);
        }
        if (streq(subsystem, "vfio")) {
                event->subject = UDEV_GROUP;
                return parse_group(path, &event->group);
        }
        if (streq(subsystem, "vfio-dev")) {
                /* …/0000:01:00.0/vfio-dev/vfio0 */
                event->subject = UDEV_DEVICE_NODE;
                return parse_function(path, 2, &event->address);
        }
        return -EOPNOTSUPP;
}

static UdevPending parse_pending(const char *text)
{
        if (streq(text, "1"))
                return UDEV_PENDING;
        return streq(text, "vf") ? UDEV_PENDING_IF_VF : UDEV_JUDGED;
}

int udev_event_parse(UdevLookup lookup, void *userdata, UdevEvent *ret)
{
        const char *path = lookup(userdata, "DEVPATH");
        const char *pending = lookup(userdata, "VFIO_BIND_PENDING");
        UdevEvent event = { .group = -1 };
        int r;

        r = parse_action(lookup(userdata, "ACTION"), &event.action);
        if (r < 0)
                return r;
        r = parse_subject(lookup(userdata, "SUBSYSTEM"), path ? path : "", &event);
        if (r < 0)
                return r;
        /* The kernel sets SYNTH_UUID in every event that was written to a `uevent` file
         * (kobject_synth_uevent() in lib/kobject_uevent.c), and numbers all it sends: what has no
         * SEQNUM is made up by `udevadm test`, which executes programs up to systemd 255. */
        event.is_synthetic = !isempty(lookup(userdata, "SYNTH_UUID")) ||
                isempty(lookup(userdata, "SEQNUM"));
        event.pending = parse_pending(pending ? pending : "");
        *ret = event;
        return 0;
}
