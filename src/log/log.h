/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <syslog.h>

#include "core/config.h"
#include "core/plan.h"
#include "core/report.h"

/* Structured log: the journal's native socket; the kernel log where there is no journal yet;
 * standard error for people. No libsystemd: the helper runs in the initramfs. */

typedef enum LogTarget {
        LOG_TARGET_AUTO, /* journal, else kmsg; standard error if that is a terminal */
        LOG_TARGET_STDERR,
        LOG_TARGET_NULL,
} LogTarget;

/* identifier: the program's name (SYSLOG_IDENTIFIER=), must live on. Opens nothing that can fail:
 * where a record goes is found out for each record, and a full journal is never waited for. */
void log_open(const char *identifier, LogTarget target, Stage stage);
void log_close(void);
/* AUTO becomes STDERR if that is a terminal, as in log_open(). */
void log_set_target(LogTarget target);
LogTarget log_get_target(void);
/* Other places than /run/systemd/journal/socket and /dev/kmsg (tests); both must live on. */
void log_set_paths(const char *journal_socket, const char *kernel_log);
/* Records above this level (LOG_INFO at first) are dropped. */
void log_set_max_level(int level);
int log_get_max_level(void);

/* Fields are added by name and value pairs ended by NULL, before the message: any of
 * VFIO_BIND_DEVICE VFIO_BIND_GROUP VFIO_BIND_CLAIM VFIO_BIND_REASON VFIO_BIND_FROM VFIO_BIND_TO;
 * VFIO_BIND_STAGE is always there. message_id may be NULL. */
typedef struct LogFields {
        const char *message_id;
        const PciAddress *device;
        int64_t group; /* < 0: none; use LOG_FIELDS_NONE as the start */
        const char *claim, *from, *to;
        Reason reason;
} LogFields;
#define LOG_FIELDS_NONE ((LogFields){ .group = -1 })

void log_full(int level, const LogFields *fields, const char *format, ...) _printf_(3, 4);
#define log_error(...)   log_full(LOG_ERR, NULL, __VA_ARGS__)
#define log_warning(...) log_full(LOG_WARNING, NULL, __VA_ARGS__)
#define log_notice(...)  log_full(LOG_NOTICE, NULL, __VA_ARGS__)
#define log_info(...)    log_full(LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...)   log_full(LOG_DEBUG, NULL, __VA_ARGS__)

/* The only places where configuration, plans and reports become log text (log/log-events.c). */

/* Every diagnostic, "file:line:column: message". */
void log_config(const Config *config);
/* One line for each function that a claim selects and that is not as it should be, and one for
 * each physical function likewise. verbose: also what would be done, and the absent claims. */
void log_plan(const Plan *plan, bool verbose);
/* The same for one group alone. */
void log_group_plan(const GroupPlan *group, bool verbose);
/* The same for one physical function. */
void log_physical_function_plan(const PhysicalFunctionPlan *plan, bool verbose);
/* For a claim that selects nothing. */
void log_absent_claim(const ClaimPlan *plan);
/* One line for each function that was worked on. `plan` is the one that was carried out (names
 * ids and claims), or NULL. */
void log_group_report(const GroupReport *report, const GroupPlan *plan);
void log_physical_function_report(const PhysicalFunctionReport *report);
/* Why nothing is done: `why` is the word on the kernel command line ("vfio_bindd=off"). */
void log_switched_off(const char *why, bool plan_only);
/* The node of a group could not be given its owner, mode or links. text: a sentence. */
void log_node_problem(int64_t group, Reason reason, const char *text);
/* How the initramfs of a kernel stands to what it would hold if it were made now: `state` as in
 * InitramfsState of the D-Bus API. is_news: it was otherwise before. Says what to do. */
void log_initramfs(const char *kernel, const char *state, bool is_enabled, bool is_news);
