/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "core/diagnostic.h"
#include "core/selector.h"

/* The configuration as data. Reading files into it is config/'s work. */

#define CONFIG_NAME_MAX 32 /* of claims and physical functions, without NUL */

typedef enum CompanionPolicy {
        COMPANIONS_SLOT,
        COMPANIONS_ALL,
        COMPANIONS_NONE,
        COMPANIONS_DETACH,
        _COMPANIONS_MAX,
} CompanionPolicy;

typedef enum DriftPolicy {
        DRIFT_REPORT,
        DRIFT_RECLAIM,
        _DRIFT_MAX,
} DriftPolicy;

const char *companion_policy_to_string(CompanionPolicy policy);
int companion_policy_from_string(const char *text);
const char *drift_policy_to_string(DriftPolicy policy);
int drift_policy_from_string(const char *text);

/* The keys that may stand in [Defaults] and in a claim, resolved: never "inherit". */
typedef struct ClaimSettings {
        char *driver; /* "vfio-pci", "auto", "pci-stub" or a variant driver's name */
        CompanionPolicy companions;
        char *node_user;  /* a name or a decimal number */
        char *node_group;
        mode_t node_mode; /* never more than 0660 */
        DriftPolicy on_drift;
        uint64_t timeout_usec;
} ClaimSettings;

typedef struct Claim {
        char *name;
        Location location;
        Match **matches;
        size_t n_matches;
        Match **excludes;
        size_t n_excludes;
        ClaimSettings settings;
        unsigned allow_in_use; /* bits 1 << InUse */
        bool enabled;          /* Enabled=yes */
        bool has_error;        /* config-error: selects nothing, reserves what `matches` can read */
        bool is_skipped;       /* vfio_bindd.skip= names it; set by whoever read the command line */
} Claim;

typedef enum NumVfs {
        NUM_VFS_KEEP,
        NUM_VFS_NUMBER,
        NUM_VFS_MAX,
} NumVfs;

typedef struct PhysicalFunction {
        char *name;
        Location location;
        Match **matches;
        size_t n_matches;
        NumVfs num_vfs;
        unsigned number;     /* NUM_VFS_NUMBER */
        bool leave_host_vfs; /* HostVFs=leave */
        uint64_t timeout_usec;
        bool has_error;
} PhysicalFunction;

typedef struct Config {
        ClaimSettings defaults;
        Match **excludes; /* [Defaults] Exclude=, absolute */
        size_t n_excludes;
        uint64_t boot_timeout_usec;
        Claim *claims; /* in order of first appearance */
        size_t n_claims;
        PhysicalFunction *physical_functions;
        size_t n_physical_functions;
        DiagnosticList diagnostics;
        /* A file could not be read: nothing is known of what it says, every claim has an error. */
        bool incomplete;
        bool defaults_have_error; /* something in [Defaults] does */
        char **files;      /* read or refused, in order; owns what Location.file points to */
        char **more_files; /* the same for what was not read just now: kept claims' files */
        char digest[17];   /* changes whenever a decision could */
} Config;

/* An empty configuration with the built-in defaults. Returns 0, -ENOMEM. */
int config_new(Config **ret) _must_check_;
Config *config_free(Config *config);
DEFINE_CLEANUP(Config, config_free)
#define _cleanup_config_ _cleanup_(config_freep)

void claim_done(Claim *claim);
void physical_function_done(PhysicalFunction *function);
void claim_settings_done(ClaimSettings *settings);
int claim_settings_copy(const ClaimSettings *from, ClaimSettings *ret) _must_check_;

Claim *config_find_claim(const Config *config, const char *name);
PhysicalFunction *config_find_physical_function(const Config *config, const char *name);

/* Is it a valid name of a claim or PF: [A-Za-z0-9][A-Za-z0-9._-]{0,31} */
bool config_name_is_valid(const char *name);

/* The union of match_needed_facts() over all lines, and SNAPSHOT_FACT_USES if there is a claim. */
unsigned config_needed_facts(const Config *config);

/* Computes `digest` anew, after a change. Locations, comments and the order of keys do not count.
 * Returns 0, -ENOMEM. */
int config_update_digest(Config *config) _must_check_;

/* Lookup for MatchContext: userdata is the Config. Lines of a section with an error count too, and
 * what they do not select is unknown; a function that does not pass a line's guard is not selected
 * by it. */
bool config_lookup_physical_function(const MatchContext *context, const char *name,
        const Device *device, Answer *ret);
