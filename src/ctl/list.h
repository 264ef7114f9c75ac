/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/model.h"
#include "ctl/terminal.h"

#define JSON_SCHEMA_VERSION 1

/* Claims with their functions, then functions in our hands that no claim selects; what is wrong
 * with the configuration; and, with `legend`, titles and a summary. Returns 0, -ENOMEM. */
int list_print(const Model *model, bool legend, const Terminal *terminal, FILE *file)
        _must_check_;

/* The same as JSON, kind "list". Returns 0, -ENOMEM. */
int list_print_json(const Model *model, bool pretty, FILE *file) _must_check_;

/* Is it, without a claim, ours or of note? */
bool list_shows_unclaimed(const ModelDevice *device);

/* Opens the outermost object: schema version and kind. */
void json_begin_document(Json *json, const char *kind);
void json_device(Json *json, const ModelDevice *device);
void json_claim(Json *json, const Model *model, const ModelClaim *claim);
void json_configuration_errors(Json *json, const Model *model);
/* "Steps" of a plan; "Devices" as they are after "apply", with what its reply says of them. */
void json_steps(Json *json, const ModelSteps *steps);
void json_results(Json *json, const Model *after, const ApplyItems *items);
