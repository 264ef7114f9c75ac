/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/host-devices.h"
#include "core/planner.h"

/* A snapshot from text, without any file: for tests of the pure core. A line a function, as in
 * fake-sysfs.h:
 *   0000:01:00.0 [parent=ADDRESS] id=10de:2482 [subsystem=h:h] [class=030000] [group=N]
 *                [driver=NAME] [bridge] [no-override] [vfs=N] [offset=N] [stride=N]
 *                [vf-device=hhhh] [autoprobe=0|1] [pf=ADDRESS] [vf=N] [serial=HEX16]
 *                [slot=NAME] [net=NAME] [host-driver=NAME] [vendor=NAME] [model=NAME]
 * and besides
 *   use ADDRESS [passing] KIND WHAT…   why it cannot be unbound
 *   record ADDRESS [state=S] [reason=R] [role=R] [claim=NAME] [provenance=P]
 *                  [manual=bound|released] [from=DRIVER] [driver=MANUAL DRIVER] [drift=N]
 *                  [autoprobe=ORIGINAL] [target=DRIVER] [target=DRIVER] [text=TEXT]
 *                  [hotplug] [no-original] [other-config]; role= defaults to selected
 *   awaits-storage                  fstab names what is not there yet
 *   host-devices                    there is a record of what the host needs
 *   host-device PATH KIND id=h:h [subsystem=h:h] [serial=HEX16] what WHAT…   and this is in it
 *   request [stage=S] [may-unbind] [prune] [hotplugged=ADDRESS]… [only-claim=NAME]
 *           [only-function=ADDRESS] [bind=ADDRESS] [release=ADDRESS] [next-boot]
 *           [awaits-drivers] [in-udev-event]
 * Underscores in vendor=, model=, slot= and text= stand for blanks. A mistake aborts the test. */
typedef struct TextMachine {
        Snapshot *snapshot;
        PlanRequest request;
        bool next_boot; /* for planner_plan_next_boot() */
        PciAddress hotplugged[16];
        PciAddress function;
        char *only_claims[2];
        ClaimSettings settings;
        HostDevices *host_devices;
} TextMachine;

/* Records are decided under `config` unless they say other-config. */
void text_machine_parse(const char *text, const Config *config, TextMachine *ret);
void text_machine_done(TextMachine *machine);
#define _cleanup_text_machine_ _cleanup_(text_machine_done)
