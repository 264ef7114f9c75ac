/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/service.h"

#include <errno.h>
#include <inttypes.h>
#include <systemd/sd-daemon.h>

#include "log/log.h"
#include "util/buffer.h"
#include "util/io.h"
#include "util/strings.h"

/* Names that one state lists at most; "vfio-bindctl list" has them all. */
#define NAMES_MAX 3

static size_t count_state(const Plan *plan, const char *state)
{
        size_t n = 0;

        for (size_t i = 0; i < plan->n_claims; i++)
                n += streq(claim_plan_state(&plan->claims[i]), state);
        return n;
}

/* " (lab-nic: in-use-network, …)" for the claims in this state that have a reason to give. */
static void append_reasons(Buffer *buffer, const Plan *plan, const char *state)
{
        size_t n = 0;

        for (size_t i = 0; i < plan->n_claims; i++) {
                const ClaimPlan *claim = &plan->claims[i];

                if (claim->reason == REASON_NONE || !streq(claim_plan_state(claim), state))
                        continue;
                if (n++ == NAMES_MAX) {
                        buffer_append(buffer, ", …");
                        break;
                }
                buffer_printf(buffer, "%s%s: %s", n == 1 ? " (" : ", ", claim->claim->name,
                        reason_to_string(claim->reason));
        }
        if (n > 0)
                buffer_append(buffer, ")");
}

int service_format_status(const View *view, char **ret)
{
        static const char *const states[] = { "bound", "partial", "pending", "binding", "refused",
                "failed", "stuck", "drifted", "gave-back", "released", "error", "absent",
                "disabled" };
        _cleanup_buffer_ Buffer buffer = {};
        const Plan *plan = view->plan;
        bool is_first = true;

        if (plan->n_claims == 0)
                buffer_append(&buffer, "No claims");
        else
                buffer_printf(&buffer, "%zu claim%s", plan->n_claims,
                        plan->n_claims == 1 ? "" : "s");
        for (size_t i = 0; i < ELEMENTSOF(states); i++) {
                size_t n = count_state(plan, states[i]);

                if (n == 0)
                        continue;
                buffer_printf(&buffer, "%s%zu %s", is_first ? ": " : ", ", n, states[i]);
                /* Nothing is to be explained about these. */
                if (!streq(states[i], "absent") && !streq(states[i], "disabled"))
                        append_reasons(&buffer, plan, states[i]);
                is_first = false;
        }
        if (view->config->diagnostics.n_errors > 0)
                buffer_printf(&buffer, "; %zu configuration error%s",
                        view->config->diagnostics.n_errors,
                        view->config->diagnostics.n_errors == 1 ? "" : "s");
        return buffer_finish(&buffer, ret);
}

static void notify(const char *assignments, const View *view)
{
        _cleanup_free_ char *status = NULL;
        int r;

        r = service_format_status(view, &status);
        if (r >= 0)
                r = sd_notifyf(false, "%sSTATUS=%s", assignments, status);
        if (r < 0)
                log_warning("Cannot tell the service manager our status, ignoring: %s",
                        strerror(-r));
}

void service_view_changed(const View *old, const View *new)
{
        notify(new->settled && (!old || !old->settled) ? "READY=1\n" : "", new);
}

void service_reloading(const View *view)
{
        if (view && view->settled)
                (void) sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                        now_monotonic());
}

void service_reloaded(const View *view)
{
        if (view && view->settled)
                notify("READY=1\n", view);
}

void service_stopping(void)
{
        (void) sd_notify(false, "STOPPING=1");
}
