/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/outcome.h"

#include "lib/test.h"

/* One function before and after, and what "apply" says of it. */
typedef struct Case {
        const char *driver_before, *state_before;
        const char *driver_after, *state_after;
        const char *role, *reason, *text;
        const char *line;
        bool is_problem;
        ExitCode code;
} Case;

static const Case cases[] = {
        { "nvme", "pending", "vfio-pci", "bound", "selected", NULL, NULL,
          "0000:03:00.0 (1b36:0010) bound to vfio-pci, taken from nvme.", false,
          EXIT_CODE_DONE },
        { NULL, "pending", "vfio-pci", "bound", "companion", NULL, NULL,
          "0000:03:00.0 (1b36:0010) bound to vfio-pci.", false, EXIT_CODE_DONE },
        { "vfio-pci", "bound", "vfio-pci", "bound", "selected", NULL, NULL, NULL, false,
          EXIT_CODE_DONE },
        { "vfio-pci", "pending", "vfio-pci", "bound", "selected", NULL, NULL,
          "0000:03:00.0 (1b36:0010) bound to vfio-pci.", false, EXIT_CODE_DONE },
        { "xhci_hcd", "pending", NULL, "detached", "companion", NULL, NULL,
          "0000:03:00.0 (1b36:0010) left without a driver, taken from xhci_hcd.", false,
          EXIT_CODE_DONE },
        { "vfio-pci", "bound", "nvme", "unclaimed", "none", NULL, NULL,
          "0000:03:00.0 (1b36:0010) given back to nvme.", false, EXIT_CODE_DONE },
        { "vfio-pci", "bound", NULL, "released", "none", NULL, NULL,
          "0000:03:00.0 (1b36:0010) given back; no driver took it.", false, EXIT_CODE_DONE },
        { "pcieport", "unclaimed", "pcieport", "unclaimed", "bridge", NULL, NULL, NULL, false,
          EXIT_CODE_DONE },
        { NULL, "pending", "vfio-pci", "bound", "selected", "account-unknown", NULL,
          "0000:03:00.0 (1b36:0010) bound to vfio-pci, but: the account in NodeUser= or "
          "NodeGroup= does not exist; the node stays with root (/etc/vfio-bind.conf:12).",
          true, EXIT_CODE_DONE },
        { "nvme", "refused", "nvme", "refused", "selected", "in-use-system",
          "/dev/nvme1n1p2 is mounted on /srv. Unmount it and run \"vfio-bindctl apply\", or add "
          "Exclude=0000:03:00.0 (/etc/vfio-bind.conf:12).",
          "0000:03:00.0 (1b36:0010) not bound: /dev/nvme1n1p2 is mounted on /srv. Unmount it "
          "and run \"vfio-bindctl apply\", or add Exclude=0000:03:00.0 (/etc/vfio-bind.conf:12).",
          true, EXIT_CODE_REFUSED },
        { "nvme", "pending", "nvme", "refused", "companion", "group-refused", NULL, NULL, false,
          EXIT_CODE_DONE },
        { "nvme", "pending", "nvme", "refused", "selected", "group-refused", NULL,
          "0000:03:00.0 (1b36:0010) not bound: the claim's reason (/etc/vfio-bind.conf:12).",
          true, EXIT_CODE_REFUSED },
        { "nvme", "pending", NULL, "failed", "selected", "probe-failed", NULL,
          "0000:03:00.0 (1b36:0010) not bound: probe-failed (/etc/vfio-bind.conf:12).", true,
          EXIT_CODE_FAILED },
        { "nvme", "pending", NULL, "stuck", "selected", "worker-timeout", "nobody knows",
          "0000:03:00.0 (1b36:0010) stuck: nobody knows (/etc/vfio-bind.conf:12).", true,
          EXIT_CODE_STUCK },
        { "nvme", "pending", NULL, "binding", "selected", NULL, NULL,
          "0000:03:00.0 (1b36:0010) still being bound.", true, EXIT_CODE_STUCK },
        { "nvme", "pending", "nvme", "refused", "excluded", "config-error", "it has errors.",
          "0000:03:00.0 (1b36:0010) not bound: it has errors (/etc/vfio-bind.conf:12).", true,
          EXIT_CODE_USAGE },
        { NULL, "pending", NULL, "a new word", "selected", NULL, NULL, NULL, false,
          EXIT_CODE_DONE },
};

static Model *make_model(const char *driver, const char *state, const Case *c)
{
        Model *model = calloc(1, sizeof(Model));
        ModelDevice *device;
        ModelClaim *claim;

        ASSERT_TRUE(model);
        ASSERT_OK(model_add_claim(model, &claim));
        ASSERT_OK(model_set(&claim->text[CLAIM_NAME], "scratch"));
        ASSERT_OK(model_set(&claim->text[CLAIM_REASON_TEXT], "the claim's reason"));
        ASSERT_OK(model_set(&claim->file, "/etc/vfio-bind.conf"));
        claim->line = 12;
        ASSERT_OK(model_add_device(model, &device));
        ASSERT_OK(pci_address_parse("0000:03:00.0", &device->address));
        ASSERT_OK(model_set(&device->text[DEVICE_ADDRESS], "0000:03:00.0"));
        ASSERT_OK(model_set(&device->text[DEVICE_VENDOR_ID], "1b36"));
        ASSERT_OK(model_set(&device->text[DEVICE_DEVICE_ID], "0010"));
        ASSERT_OK(model_set(&device->text[DEVICE_DRIVER], driver));
        ASSERT_OK(model_set(&device->text[DEVICE_STATE], state));
        ASSERT_OK(model_set(&device->text[DEVICE_ROLE], c->role));
        ASSERT_OK(model_set(&device->text[DEVICE_REASON], c->reason));
        ASSERT_OK(model_set(&device->text[DEVICE_REASON_TEXT], c->text));
        if (!streq(c->role, "none"))
                ASSERT_OK(model_set(&device->claim, "scratch"));
        model_finish(model);
        return model;
}

static void test_items(void)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Case *c = &cases[i];
                _cleanup_model_ Model *before = make_model(c->driver_before, c->state_before, c);
                _cleanup_model_ Model *after = make_model(c->driver_after, c->state_after, c);
                _cleanup_outcome_ Outcome outcome = {};
                ApplyItem item = { .address = after->devices[0].address,
                                   .state = (char *) c->state_after,
                                   .reason = (char *) c->reason };

                ASSERT_OK(outcome_of_item(before, after, &item, &outcome));
                ASSERT_STREQ(outcome.line, c->line);
                ASSERT_EQ(outcome.is_problem, c->is_problem);
                ASSERT_EQ(outcome.code, c->code);
        }
}

/* Nothing is known of the function beyond the reply. */
static void test_unknown_function(void)
{
        _cleanup_model_ Model *model = calloc(1, sizeof(Model));
        _cleanup_outcome_ Outcome outcome = {};
        ApplyItem item = { .state = (char *) "refused", .reason = (char *) "no-iommu" };

        ASSERT_TRUE(model);
        ASSERT_OK(outcome_of_item(model, model, &item, &outcome));
        ASSERT_STREQ(outcome.line, "0000:00:00.0 not bound: no-iommu.");
        ASSERT_EQ(outcome.code, EXIT_CODE_REFUSED);
}

static void test_claims(void)
{
        static const struct {
                const char *state, *reason, *text;
                bool is_named;
                const char *line;
                ExitCode code;
        } claims[] = {
                { "bound", NULL, NULL, true, NULL, EXIT_CODE_DONE },
                { "absent", "absent", "nothing matches", false, NULL, EXIT_CODE_DONE },
                { "absent", "absent", "nothing matches", true,
                  "Claim c is absent: nothing matches (/etc/vfio-bind.conf:3).", EXIT_CODE_DONE },
                { "disabled", NULL, NULL, false, NULL, EXIT_CODE_DONE },
                { "disabled", NULL, NULL, true,
                  "Claim c is disabled: nothing to do (/etc/vfio-bind.conf:3).",
                  EXIT_CODE_REFUSED },
                { "error", "config-error", "it has errors", false,
                  "Claim c: it has errors (/etc/vfio-bind.conf:3).", EXIT_CODE_USAGE },
                { "refused", "claim-conflict", "two want it.", false,
                  "Claim c is refused: two want it (/etc/vfio-bind.conf:3).",
                  EXIT_CODE_REFUSED },
                { "pending", "needs-apply", NULL, false,
                  "Claim c is pending: a host driver has it; \"vfio-bindctl apply\" takes it "
                  "unless the host uses it (/etc/vfio-bind.conf:3).",
                  EXIT_CODE_REFUSED },
                { "failed", "probe-failed", NULL, false,
                  "Claim c is failed: probe-failed (/etc/vfio-bind.conf:3).", EXIT_CODE_FAILED },
        };

        for (size_t i = 0; i < ELEMENTSOF(claims); i++) {
                _cleanup_outcome_ Outcome outcome = {};
                ModelClaim claim = {
                        .file = (char *) "/etc/vfio-bind.conf",
                        .line = 3,
                        .text = { [CLAIM_NAME] = (char *) "c",
                                  [CLAIM_STATE] = (char *) claims[i].state,
                                  [CLAIM_REASON] = (char *) claims[i].reason,
                                  [CLAIM_REASON_TEXT] = (char *) claims[i].text },
                };

                ASSERT_OK(outcome_of_claim(&claim, claims[i].is_named, &outcome));
                ASSERT_STREQ(outcome.line, claims[i].line);
                ASSERT_EQ(outcome.code, claims[i].code);
                ASSERT_EQ(outcome.is_problem, claims[i].code != EXIT_CODE_DONE);
        }
}

static void test_join(void)
{
        static const ExitCode order[] = { EXIT_CODE_USAGE, EXIT_CODE_FAILED, EXIT_CODE_STUCK,
                EXIT_CODE_REFUSED, EXIT_CODE_ABSENT, EXIT_CODE_DONE };

        for (size_t i = 0; i < ELEMENTSOF(order); i++)
                for (size_t j = 0; j < ELEMENTSOF(order); j++)
                        ASSERT_EQ(exit_code_join(order[i], order[j]), order[i < j ? i : j]);
}

int main(void)
{
        test_items();
        test_unknown_function();
        test_claims();
        test_join();
        return 0;
}
