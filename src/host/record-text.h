/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/snapshot.h"

/* The text of the files in /run/vfio-bindd: "KEY=value" lines, the first is INODE=. Backslash,
 * newline and other control characters are written "\\", "\n", "\xHH". */

#define RECORD_TEXT_MAX  16384 /* bytes of a file */
#define RECORD_VALUE_MAX 2048  /* bytes of a value, longer ones are cut */

typedef enum RecordState {
        RECORD_FOREIGN, /* of another instance, or not a record at all */
        RECORD_DAMAGED, /* of this instance, but not all of it can be read */
        RECORD_WHOLE,
} RecordState;

/* An inode of 0 stands for any, in a saved tree. */
int record_text_format_original(const DeviceRecord *record, uint64_t inode, char **ret)
        _must_check_;
int record_text_format(const DeviceRecord *record, uint64_t inode, char **ret) _must_check_;

/* Adds what the text says to `record` (which may be filled in part if the text is damaged).
 * Returns 0, -ENOMEM. */
int record_text_parse(const char *text, uint64_t inode, DeviceRecord *record,
        RecordState *ret_state) _must_check_;

/* Does the text say clearly that it is another instance's? */
bool record_text_is_of_another(const char *text, uint64_t inode);
