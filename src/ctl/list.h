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

/* What all tables share. */
Style state_style(const char *state);
/* What stands before its text: the reason, or, where a state has a text and no reason, the state.
 * NULL: there is nothing to explain. */
const char *device_cause(const ModelDevice *device);
const char *claim_cause(const ModelClaim *claim);
/* "SUBJECT REASON: TEXT (file:line)"; subject, text and claim may be NULL. Returns 0, -ENOMEM. */
int format_reason(const char *subject, const char *reason, const char *text,
        const ModelClaim *claim, char **ret) _must_check_;
/* Its name, else its ids. `ids` is room for these. */
const char *device_name(const ModelDevice *device, char ids[static 16]);
/* "3 claims: 1 bound, 1 refused, 1 absent." */
int summarize_claims(const Model *model, char **ret) _must_check_;
/* What is wrong with the configuration, a line each. */
int print_configuration_errors(const Model *model, const Terminal *terminal, FILE *file)
        _must_check_;

/* Opens the outermost object: schema version and kind. */
void json_begin_document(Json *json, const char *kind);
void json_device(Json *json, const ModelDevice *device);
/* The same with what only "status" shows. */
void json_device_details(Json *json, const ModelDevice *device);
void json_group_properties(Json *json, const ModelGroup *group); /* within its object */
void json_manager_texts(Json *json, const Model *model);
/* -1 is null. */
void json_number(Json *json, const char *key, int64_t value);
void json_claim(Json *json, const Model *model, const ModelClaim *claim);
void json_claim_alone(Json *json, const ModelClaim *claim); /* without its devices */
void json_configuration_errors(Json *json, const Model *model);
/* "Steps" of a plan; "Devices" as they are after "apply", with what its reply says of them. */
void json_steps(Json *json, const ModelSteps *steps);
void json_physical_functions(Json *json, const ModelPhysicalFunctions *functions);
void json_results(Json *json, const Model *after, const ApplyItems *items);
