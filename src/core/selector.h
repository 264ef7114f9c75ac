/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <regex.h>

#include "core/diagnostic.h"
#include "core/snapshot.h"

/* One Match= or Exclude= line: terms that must all hold, and an optional identity guard. */

typedef enum TermType {
        TERM_ADDRESS,
        TERM_ID,
        TERM_SUBSYSTEM,
        TERM_CLASS,
        TERM_PATH,
        TERM_PHYSICAL_SLOT,
        TERM_SERIAL,
        TERM_NAME,
        TERM_HOST_DRIVER,
        TERM_PF,
        TERM_VF,
        TERM_EXPECT,        /* guard, not a condition */
        TERM_EXPECT_SERIAL, /* guard, not a condition */
        _TERM_MAX,
} TermType;

const char *term_type_to_string(TermType type); /* "physical-slot" */

typedef struct IdPattern {
        bool any_vendor, any_device, any_class, any_interface;
        uint16_t vendor, device;
        uint16_t class_code; /* base and sub class */
        uint8_t interface;
} IdPattern;

typedef struct IndexRange {
        unsigned first, last; /* UINT_MAX: open end */
} IndexRange;

typedef struct Identity {
        uint16_t vendor, device;
        bool has_subsystem;
        uint16_t subsystem_vendor, subsystem_device;
} Identity;

/* How pf= names the physical function. */
typedef enum PfNaming {
        PF_BY_ADDRESS,
        PF_BY_PATH,
        PF_BY_NAME, /* of a [PhysicalFunction] section, else of a network interface */
} PfNaming;

typedef struct Term {
        TermType type;
        char *value; /* as written, unquoted */
        unsigned column;
        union {
                struct {
                        PciAddress address;
                        bool whole_slot;
                } address;
                IdPattern id; /* id=, and subsystem= in vendor and device */
                struct {
                        uint32_t value;
                        unsigned digits; /* 2, 4, 6 */
                } class_code;
                char *path; /* as Device.path spells it */
                regex_t *name;
                struct {
                        PfNaming naming;
                        PciAddress address;
                        char *path;
                } pf;
                struct {
                        IndexRange *ranges;
                        size_t n_ranges;
                } vf;
                Identity expect;
                char serial[17];
        };
} Term;

typedef struct Match {
        Term *terms;
        size_t n_terms;
        char *text; /* the line's value as written */
        Location location;
} Match;

/* Reads one line's value. What is wrong goes to `diagnostics` with file:line:column (the column
 * of `location` is where `text` begins); several errors of one line are all named.
 * Returns 0; -EINVAL after at least one diagnostic; -ENOMEM. */
int match_parse(const char *text, Location location, const char *section,
        DiagnosticList *diagnostics, Match **ret) _must_check_;

/* Reads `text` as far as it can be read, for a line that has errors: the readable terms only,
 * so that what they select can be kept out of other hands. A term that stands twice means either
 * of its values here ("Match=01:00.0 02:00.0" reserves both). Returns 0, -EINVAL if no term that
 * selects could be read, -ENOMEM. */
int match_parse_readable(const char *text, Location location, Match **ret) _must_check_;

Match *match_free(Match *match);
DEFINE_CLEANUP(Match, match_free)

typedef enum Answer {
        ANSWER_NO,
        ANSWER_UNKNOWN, /* cannot be told at this stage */
        ANSWER_YES,
        ANSWER_AMBIGUOUS, /* path= fits more than one function: counts as no */
} Answer;

const char *answer_to_string(Answer answer); /* "no" "unknown" "yes" "ambiguous" */

typedef struct MatchContext MatchContext;

/* Names of [PhysicalFunction NAME] sections and whether they select `device`, for pf=NAME.
 * Returns false if there is no such section. */
typedef bool (*PhysicalFunctionLookup)(const MatchContext *context, const char *name,
        const Device *device, Answer *ret);

struct MatchContext {
        const Snapshot *snapshot;
        Stage stage;
        PhysicalFunctionLookup lookup; /* may be NULL */
        void *userdata;
};

/* Does this function fulfil the term / all conditions of the line? Guards do not count.
 * A "no" beats an "unknown", which beats a "yes". Cheap: compares, allocates nothing. */
Answer term_evaluate(const Term *term, const MatchContext *context, const Device *device);
Answer match_evaluate(const Match *match, const MatchContext *context, const Device *device);

typedef enum GuardVerdict {
        GUARD_NONE,     /* the line has no guard */
        GUARD_HOLDS,
        GUARD_MISMATCH, /* another identity stands there */
        GUARD_UNKNOWN,  /* expect-serial= and the serial cannot be read */
} GuardVerdict;

GuardVerdict match_guard(const Match *match, const Device *device);

/* The first function that has the identity the guards of this line ask for, and how many there are;
 * NULL: none. */
const Device *match_find_identity(const Match *match, const Snapshot *snapshot, size_t *ret_n);

/* NULL has none. */
bool match_has_term(const Match *match, TermType type);

/* Which facts beyond the cheap ones the line needs: a set of SNAPSHOT_FACT_*. */
unsigned match_needed_facts(const Match *match);

enum {
        SNAPSHOT_FACT_SLOTS        = 1U << 0, /* physical_slot */
        SNAPSHOT_FACT_SERIALS      = 1U << 1, /* serial (reads config space once per instance) */
        SNAPSHOT_FACT_NAMES        = 1U << 2, /* vendor_name, device_name (hwdb) */
        SNAPSHOT_FACT_HOST_DRIVERS = 1U << 3, /* host_drivers */
        SNAPSHOT_FACT_INTERFACES   = 1U << 4, /* interfaces */
        SNAPSHOT_FACT_USES         = 1U << 5, /* uses (the guard) */
        SNAPSHOT_FACT_DETAILS      = 1U << 6, /* the details for display */
        SNAPSHOT_FACT_VFIO_DRIVERS = 1U << 7, /* vfio_driver (a claim says Driver=auto) */
};
