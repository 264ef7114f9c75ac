/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "lib/fake-kernel.h"

void fake_set(char target[static FAKE_NAME_MAX], const char *text);

/* fake-record.c: what /run remembers, the original apart from the rest as in host/store.h */
void fake_record_load(FakeRecord *target, const DeviceRecord *record);
int fake_record_perform(FakeFunction *function, const Operation *operation);
