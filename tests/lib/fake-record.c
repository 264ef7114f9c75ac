/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "lib/fake-kernel-internal.h"
#include "lib/test.h"
#include "util/strings.h"

static void set_original(FakeRecord *target, const DeviceRecord *record)
{
        target->has_original = true;
        fake_set(target->original_driver, record->original_driver);
        fake_set(target->original_override, record->original_override);
        fake_set(target->original_power_control, record->original_power_control);
        fake_set(target->original_autoprobe, record->original_autoprobe);
}

static void set_rest(FakeRecord *target, const DeviceRecord *record)
{
        target->exists = true;
        target->provenance = record->provenance;
        target->state = record->state;
        target->reason = record->reason;
        target->manual = record->manual;
        target->hotplug_pending = record->hotplug_pending;
        target->bound_usec = record->bound_usec;
        fake_set(target->target_driver, record->target_driver);
        fake_set(target->claim, record->claim);
        fake_set(target->config_digest, record->config_digest);
        (void) snprintf(target->reason_text, sizeof(target->reason_text), "%s",
                record->reason_text ?: "");
}

void fake_record_load(FakeRecord *target, const DeviceRecord *record)
{
        *target = (FakeRecord){};
        if (!record)
                return;
        if (record->has_original)
                set_original(target, record);
        set_rest(target, record);
}

static char *copy(const char *text)
{
        char *result = NULL;

        if (!*text)
                return NULL;
        result = strdup(text);
        ASSERT_TRUE(result);
        return result;
}

static int load(const FakeRecord *from, DeviceRecord **ret)
{
        DeviceRecord *record;

        if (!from->has_original && !from->exists)
                return 0;
        record = calloc(1, sizeof(*record));
        ASSERT_TRUE(record);
        *record = (DeviceRecord){
                .has_original = from->has_original,
                .original_driver = copy(from->original_driver),
                .original_override = copy(from->original_override),
                .original_power_control = copy(from->original_power_control),
                .original_autoprobe = copy(from->original_autoprobe),
                .provenance = from->provenance,
                .state = from->state,
                .reason = from->reason,
                .reason_text = copy(from->reason_text),
                .manual = from->manual,
                .hotplug_pending = from->hotplug_pending,
                .bound_usec = from->bound_usec,
                .target_driver = copy(from->target_driver),
                .claim = copy(from->claim),
                .config_digest = copy(from->config_digest),
        };
        *ret = record;
        return 0;
}

int fake_record_perform(FakeFunction *function, const Operation *operation)
{
        FakeRecord *record = &function->record;

        switch (operation->type) {
        case OPERATION_LOAD_RECORD:
                return load(record, operation->ret_record);
        case OPERATION_SAVE_ORIGINAL:
                if (record->has_original)
                        return -EEXIST;
                set_original(record, operation->record);
                return 0;
        case OPERATION_REPLACE_ORIGINAL:
                set_original(record, operation->record);
                return 0;
        case OPERATION_SAVE_RECORD:
                set_rest(record, operation->record);
                return 0;
        case OPERATION_REMOVE_RECORD:
                *record = (FakeRecord){};
                return 0;
        default:
                fprintf(stderr, "no such operation: %s\n",
                        operation_type_to_string(operation->type));
                abort();
        }
}
