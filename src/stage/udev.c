/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stage/udev.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "host/initramfs.h"
#include "host/switch.h"
#include "host/watching.h"
#include "log/log.h"
#include "stage/udev-internal.h"

Stage udev_stage(const char *root)
{
        _cleanup_host_ Host host = { .root = -1 };

        return !root && host_open(NULL, &host) >= 0 && host_is_initramfs(&host) ? STAGE_INITRD :
                                                                                 STAGE_RUNTIME;
}

/* The `change` event of a PF is about its virtual functions; a daemon that watches has had it from
 * the kernel. */
static bool is_done_by_daemon(const Host *host, const UdevEvent *event)
{
        char path[96];

        if (event->subject != UDEV_PCI || event->action != UDEV_CHANGE ||
            event->pending != UDEV_JUDGED)
                return false;
        (void) snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/sriov_totalvfs",
                PCI_ADDRESS_TEXT(&event->address));
        return faccessat(host->root, path, F_OK, 0) == 0 && watching_is_on(host) > 0;
}

static int handle(Pass *pass, const UdevEvent *event, FILE *output)
{
        int r;

        if (event->subject == UDEV_PCI && event->action == UDEV_REMOVE)
                return udev_pci_removed(&pass->host, event);
        if (is_done_by_daemon(&pass->host, event))
                return 0;
        r = pass_configure(pass);
        if (r < 0 || pass->command_line.mode == SWITCH_OFF)
                return r;
        return event->subject == UDEV_PCI ? udev_pci(pass, event, output) :
                                            udev_node(pass, event, output);
}

int udev_run(const char *root, UdevLookup lookup, void *userdata, FILE *output)
{
        _cleanup_pass_ Pass pass = { .host = { .root = -1 } };
        UdevEvent event;
        int r;

        r = udev_event_parse(lookup, userdata, &event);
        if (r == -EOPNOTSUPP)
                return 0;
        if (r < 0) {
                log_error("This is not the environment of a udev event of ours.");
                return r;
        }
        /* Coldplug and `udevadm trigger` tell nothing new of a function, but a node is made right
         * whenever somebody asks. */
        if (event.subject == UDEV_PCI ? event.is_synthetic : event.action == UDEV_REMOVE)
                return 0;

        r = pass_open(&pass, root, udev_stage(root));
        if (r < 0 || !host_is_enabled(&pass.host))
                return r;
        r = handle(&pass, &event, output);
        if (r < 0)
                log_error("The event could not be handled: %s", strerror(-r));
        return r;
}
