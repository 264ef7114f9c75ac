/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/record-text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "util/buffer.h"
#include "util/parse.h"
#include "util/strings.h"

typedef enum FieldType {
        FIELD_STRING,
        FIELD_BOOLEAN,
        FIELD_UNSIGNED,
        FIELD_TIME,
        FIELD_PROVENANCE,
        FIELD_ROLE,
        FIELD_STAGE,
        FIELD_STATE,
        FIELD_REASON,
        FIELD_MANUAL,
} FieldType;

typedef struct Field {
        const char *key;
        FieldType type;
        size_t offset;
        bool is_original;
} Field;

#define FIELD(name, kind, member) {name, kind, offsetof(DeviceRecord, member), false}
#define ORIGINAL(name, member)    {name, FIELD_STRING, offsetof(DeviceRecord, member), true}

static const Field fields[] = {
        ORIGINAL("ORIGINAL_DRIVER", original_driver),
        ORIGINAL("ORIGINAL_OVERRIDE", original_override),
        ORIGINAL("ORIGINAL_POWER_CONTROL", original_power_control),
        ORIGINAL("ORIGINAL_AUTOPROBE", original_autoprobe),
        FIELD("PROVENANCE", FIELD_PROVENANCE, provenance),
        FIELD("STAGE", FIELD_STAGE, stage),
        FIELD("TARGET_DRIVER", FIELD_STRING, target_driver),
        FIELD("BOUND_USEC", FIELD_TIME, bound_usec),
        FIELD("CLAIM", FIELD_STRING, claim),
        FIELD("ROLE", FIELD_ROLE, role),
        FIELD("CONFIG_DIGEST", FIELD_STRING, config_digest),
        FIELD("STATE", FIELD_STATE, state),
        FIELD("REASON", FIELD_REASON, reason),
        FIELD("REASON_TEXT", FIELD_STRING, reason_text),
        FIELD("MANUAL", FIELD_MANUAL, manual),
        FIELD("MANUAL_DRIVER", FIELD_STRING, manual_driver),
        FIELD("HOTPLUG_PENDING", FIELD_BOOLEAN, hotplug_pending),
        FIELD("DRIFT_COUNT", FIELD_UNSIGNED, drift_count),
};

static const char *const manual_names[_MANUAL_MAX] = {
        [MANUAL_NONE] = "none",
        [MANUAL_BOUND] = "bound",
        [MANUAL_RELEASED] = "released",
};

static void append_escaped(Buffer *buffer, const char *value)
{
        size_t n = strnlen(value, RECORD_VALUE_MAX);

        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char) value[i];

                if (c == '\\')
                        buffer_append(buffer, "\\\\");
                else if (c == '\n')
                        buffer_append(buffer, "\\n");
                else if (c < 0x20 || c == 0x7f)
                        buffer_printf(buffer, "\\x%02x", c);
                else
                        buffer_append_length(buffer, &value[i], 1);
        }
}

static void append_field(Buffer *buffer, const Field *field, const DeviceRecord *record)
{
        const void *member = (const char *) record + field->offset;
        const char *value = NULL;

        switch (field->type) {
        case FIELD_STRING:
                value = *(char *const *) member;
                if (!value)
                        return;
                break;
        case FIELD_BOOLEAN:
                if (!*(const bool *) member)
                        return;
                value = "yes";
                break;
        case FIELD_UNSIGNED:
                if (*(const unsigned *) member > 0)
                        buffer_printf(buffer, "%s=%u\n", field->key, *(const unsigned *) member);
                return;
        case FIELD_TIME:
                if (*(const uint64_t *) member > 0)
                        buffer_printf(buffer, "%s=%" PRIu64 "\n", field->key,
                                *(const uint64_t *) member);
                return;
        case FIELD_PROVENANCE:
                value = provenance_to_string(*(const Provenance *) member);
                break;
        case FIELD_ROLE:
                value = role_to_string(*(const Role *) member);
                break;
        case FIELD_STAGE:
                value = stage_to_string(*(const Stage *) member);
                break;
        case FIELD_STATE:
                value = state_to_string(*(const State *) member);
                break;
        case FIELD_REASON:
                value = reason_to_string(*(const Reason *) member);
                break;
        case FIELD_MANUAL:
                value = manual_names[*(const Manual *) member];
                break;
        }
        buffer_printf(buffer, "%s=", field->key);
        append_escaped(buffer, value);
        buffer_append(buffer, "\n");
}

static int format_fields(const DeviceRecord *record, uint64_t inode, bool originals, char **ret)
{
        _cleanup_buffer_ Buffer buffer = {};
        char *text;

        buffer_printf(&buffer, "INODE=%" PRIu64 "\n", inode);
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                if (fields[i].is_original == originals)
                        append_field(&buffer, &fields[i], record);
        int r = buffer_finish(&buffer, &text);
        if (r < 0)
                return r;
        if (strlen(text) > RECORD_TEXT_MAX) {
                free(text);
                return -EFBIG;
        }
        *ret = text;
        return 0;
}

int record_text_format_original(const DeviceRecord *record, uint64_t inode, char **ret)
{
        return format_fields(record, inode, true, ret);
}

int record_text_format(const DeviceRecord *record, uint64_t inode, char **ret)
{
        return format_fields(record, inode, false, ret);
}

/* In place; false for an escape that is none. */
static bool unescape(char *value)
{
        char *out = value;

        for (char *p = value; *p; p++) {
                uint64_t code;

                if (*p != '\\') {
                        *out++ = *p;
                } else if (p[1] == '\\' || p[1] == 'n') {
                        *out++ = *++p == 'n' ? '\n' : '\\';
                } else if (p[1] == 'x' && p[2] && p[3]) {
                        const char digits[3] = {p[2], p[3], '\0'};
                        if (parse_hex(digits, 2, &code) < 0 || code == 0)
                                return false;
                        *out++ = (char) code;
                        p += 3;
                } else {
                        return false;
                }
        }
        *out = '\0';
        return true;
}

static int parse_enum(FieldType type, const char *value, void *member)
{
        int r;

        switch (type) {
        case FIELD_PROVENANCE:
                if ((r = provenance_from_string(value)) >= 0)
                        *(Provenance *) member = (Provenance) r;
                return r;
        case FIELD_ROLE:
                if ((r = role_from_string(value)) >= 0)
                        *(Role *) member = (Role) r;
                return r;
        case FIELD_STAGE:
                if ((r = stage_from_string(value)) >= 0)
                        *(Stage *) member = (Stage) r;
                return r;
        case FIELD_STATE:
                if ((r = state_from_string(value)) >= 0)
                        *(State *) member = (State) r;
                return r;
        case FIELD_REASON:
                if ((r = reason_from_string(value)) >= 0)
                        *(Reason *) member = (Reason) r;
                return r;
        case FIELD_MANUAL:
                for (unsigned i = 0; i < _MANUAL_MAX; i++)
                        if (streq(manual_names[i], value)) {
                                *(Manual *) member = (Manual) i;
                                return 0;
                        }
                return -EINVAL;
        default:
                return -EINVAL;
        }
}

static int parse_field(const Field *field, const char *value, DeviceRecord *record)
{
        void *member = (char *) record + field->offset;
        uint64_t number;
        int r;

        switch (field->type) {
        case FIELD_STRING:
                return replace_string(member, value);
        case FIELD_BOOLEAN:
                return parse_boolean(value, member);
        case FIELD_UNSIGNED:
                r = parse_unsigned(value, UINT_MAX, &number);
                if (r == 0)
                        *(unsigned *) member = (unsigned) number;
                return r;
        case FIELD_TIME:
                return parse_unsigned(value, UINT64_MAX, member);
        default:
                r = parse_enum(field->type, value, member);
                return r < 0 ? r : 0;
        }
}

static bool take_inode(char *line, uint64_t *ret)
{
        const char *value = line ? startswith(line, "INODE=") : NULL;

        return value && parse_unsigned(value, UINT64_MAX, ret) == 0;
}

/* Cuts one line off; NULL at the end or if the last one has no newline, which is damage. */
static char *take_line(char **text)
{
        char *line = *text;
        char *end = strchr(line, '\n');

        if (!end)
                return NULL;
        *end = '\0';
        *text = end + 1;
        return line;
}

static int parse_line(char *line, DeviceRecord *record)
{
        char *value = strchr(line, '=');

        if (!value)
                return -EINVAL;
        *value++ = '\0';
        if (!unescape(value))
                return -EINVAL;
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                if (streq(fields[i].key, line))
                        return parse_field(&fields[i], value, record);
        return 0; /* of a newer version */
}

int record_text_parse(const char *text, uint64_t inode, DeviceRecord *record,
        RecordState *ret_state)
{
        _cleanup_free_ char *copy = strdup(text);
        uint64_t found;

        if (!copy)
                return -ENOMEM;
        char *rest = copy;
        if (!take_inode(take_line(&rest), &found) || found != inode) {
                *ret_state = RECORD_FOREIGN;
                return 0;
        }
        for (char *line; (line = take_line(&rest));) {
                int r = parse_line(line, record);
                if (r == -ENOMEM)
                        return r;
                if (r < 0) {
                        *ret_state = RECORD_DAMAGED;
                        return 0;
                }
        }
        *ret_state = *rest ? RECORD_DAMAGED : RECORD_WHOLE;
        return 0;
}

bool record_text_is_of_another(const char *text, uint64_t inode)
{
        char line[64];
        uint64_t found;
        const char *end = strchr(text, '\n');

        if (!end || (size_t) (end - text) >= sizeof(line))
                return false;
        memcpy(line, text, (size_t) (end - text));
        line[end - text] = '\0';
        return take_inode(line, &found) && found != inode;
}
