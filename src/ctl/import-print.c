/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "config/config-load.h"
#include "core/planner.h"
#include "ctl/import.h"
#include "util/buffer.h"
#include "util/strings.h"

/* What was read becomes a configuration. Before it is printed it is planned, so that whatever will
 * be otherwise than with the old tool stands beside it. */

static void append_nodes(Buffer *buffer, const Import *import)
{
        if (import->node_user)
                buffer_printf(buffer, "NodeUser=%s\n", import->node_user);
        if (import->node_group)
                buffer_printf(buffer, "NodeGroup=%s\n", import->node_group);
        if (import->has_node_mode)
                buffer_printf(buffer, "NodeMode=%04o\n", (unsigned) (import->node_mode & 0660));
        if (import->has_node_mode && import->node_mode & ~0660U)
                buffer_printf(buffer,
                        "# It was %04o: never more than 0660, who opens it reaches all memory.\n",
                        (unsigned) import->node_mode);
}

static bool has_match(const ImportClaim *claim)
{
        for (char **line = claim->lines; line && *line; line++)
                if (startswith(*line, "Match="))
                        return true;
        return false;
}

/* A claim without a Match= line is an error; with all lines commented out, so is its header. */
static void append_claim(Buffer *buffer, const Import *import, const ImportClaim *claim)
{
        bool counts = has_match(claim);

        buffer_append(buffer, "\n");
        if (claim->comment)
                buffer_printf(buffer, "# %s\n", claim->comment);
        buffer_printf(buffer, "%s[Claim %s]\n", counts ? "" : "#", claim->name);
        for (char **line = claim->lines; line && *line; line++)
                buffer_printf(buffer, "%s\n", *line);
        if (!counts)
                return;
        if (claim->driver)
                buffer_printf(buffer, "Driver=%s\n", claim->driver);
        append_nodes(buffer, import);
}

static int format_sections(const Import *import, char **ret)
{
        _cleanup_buffer_ Buffer buffer = {};

        for (char **section = import->sections; section && *section; section++)
                buffer_printf(&buffer, "\n%s", *section);
        for (size_t i = 0; i < import->n_claims; i++)
                append_claim(&buffer, import, &import->claims[i]);
        return buffer_finish(&buffer, ret);
}

static void append_difference(Buffer *buffer, const Import *import, const MemberPlan *member)
{
        const char *address = PCI_ADDRESS_TEXT(&member->device->address);
        bool is_listed = import_lists(import, &member->device->address);

        if (member->role == ROLE_COMPANION && member->state != STATE_REFUSED && !is_listed)
                buffer_printf(buffer,
                        "#   %s (%04x:%04x) comes along: it shares the group with claim %s\n",
                        address, member->device->vendor, member->device->device,
                        member->claim ? member->claim->name : "-");
        else if (is_listed && member->state == STATE_REFUSED)
                buffer_printf(buffer, "#   %s is not taken: %s%s%s\n", address,
                        reason_to_string(member->reason), member->text ? ": " : "",
                        member->text ?: "");
}

static int format_differences(const Import *import, const Config *config, char **ret)
{
        PlanRequest request = { .stage = STAGE_RUNTIME, .may_unbind = true };
        _cleanup_buffer_ Buffer buffer = {};
        _cleanup_plan_ Plan *plan = NULL;
        int r;

        r = planner_plan(import->snapshot, config, &request, &plan);
        for (size_t i = 0; r >= 0 && i < plan->n_groups; i++)
                for (size_t j = 0; j < plan->groups[i].n_members; j++)
                        append_difference(&buffer, import, &plan->groups[i].members[j]);
        return r < 0 ? r : buffer_finish(&buffer, ret);
}

int import_print(const Import *import, FILE *file)
{
        _cleanup_free_ char *sections = NULL, *text = NULL, *differences = NULL;
        _cleanup_config_ Config *config = NULL;
        int r;

        r = format_sections(import, &sections);
        if (r >= 0)
                r = format_string(&text,
                        "# Made by \"vfio-bindctl import %s\". Read it before you use it.\n%s",
                        import->tool, sections);
        /* lines are counted as in what is printed */
        if (r >= 0)
                r = config_load_text("this file", text, strlen(text), &config);
        if (r >= 0)
                r = format_differences(import, config, &differences);
        if (r < 0)
                return r;
        fputs(text, file);
        if (*differences)
                fprintf(file, "\n# What will not be as it was:\n%s", differences);
        return 0;
}
