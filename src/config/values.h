/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/config.h"

/* The keys of vfio-bind.conf(5) and the readers of their values. */

typedef enum Key {
        KEY_DRIVER, /* the keys of ClaimSettings come first */
        KEY_COMPANIONS,
        KEY_NODE_USER,
        KEY_NODE_GROUP,
        KEY_NODE_MODE,
        KEY_ON_DRIFT,
        KEY_TIMEOUT,
        _KEY_SETTINGS_MAX,
        KEY_BOOT_TIMEOUT = _KEY_SETTINGS_MAX,
        KEY_ALLOW_IN_USE,
        KEY_ENABLED,
        KEY_NUM_VFS,
        KEY_HOST_VFS,
        KEY_MATCH, /* lists of selectors, read elsewhere */
        KEY_EXCLUDE,
        _KEY_MAX,
} Key;

typedef enum SectionType {
        SECTION_DEFAULTS,
        SECTION_CLAIM,
        SECTION_PHYSICAL_FUNCTION,
        _SECTION_MAX,
} SectionType;

/* What the scalar keys of one section say; only those in `set` count. */
typedef struct Values {
        unsigned set; /* 1 << Key */
        ClaimSettings settings;
        uint64_t boot_timeout_usec;
        unsigned allow_in_use;
        bool enabled;
        NumVfs num_vfs;
        unsigned number;
        bool leave_host_vfs;
} Values;

const char *key_to_string(Key key);
/* The key of that exact name that may stand in such a section, or -EINVAL. */
int key_from_string(SectionType section, const char *name);
/* The key nearest to a misspelt name, or -EINVAL. */
int key_nearest(SectionType section, const char *name);
/* Whether the key may stand in such a section. */
bool key_fits(Key key, SectionType section);
/* Whether further lines add to it. */
bool key_is_list(Key key);

#define VALUE_PROBLEM_MAX 200

/* Reads a value that is not empty. What is wrong is a sentence without its beginning
 * "KEY=VALUE ". Returns 0, -EINVAL with `problem` filled and `values` as it was, -ENOMEM. */
int value_read(Key key, const char *text, Values *values, char problem[static VALUE_PROBLEM_MAX])
        _must_check_;

/* Forgets what was set: the key is as if it had not been there. */
void value_reset(Key key, Values *values);

/* Writes those settings over *settings that are set in `values`. Returns 0, -ENOMEM. */
int values_apply(const Values *values, ClaimSettings *settings) _must_check_;

void values_done(Values *values);
