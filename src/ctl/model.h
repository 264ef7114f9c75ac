/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/pci-address.h"
#include "util/strings.h"

/* What is shown, whether the daemon told it or this program looked by itself: claims and functions
 * with the properties of org.vfio.Bind1.Claim and .Device, under the same names. A text that is
 * not there is NULL, never "". */

typedef enum DeviceText {
        DEVICE_ADDRESS,
        DEVICE_PATH,
        DEVICE_VENDOR_ID,
        DEVICE_DEVICE_ID,
        DEVICE_SUBSYSTEM_VENDOR_ID,
        DEVICE_SUBSYSTEM_DEVICE_ID,
        DEVICE_CLASS,
        DEVICE_VENDOR_NAME,
        DEVICE_DEVICE_NAME,
        DEVICE_DRIVER,
        DEVICE_TARGET_DRIVER,
        DEVICE_HOST_DRIVER,
        DEVICE_ROLE,
        DEVICE_STATE,
        DEVICE_REASON,
        DEVICE_REASON_TEXT,
        DEVICE_PROVENANCE,
        DEVICE_TAKEN_FROM,
        DEVICE_CLAIMED_STAGE,
        DEVICE_NETWORK_INTERFACE,
        _DEVICE_TEXT_MAX,
} DeviceText;

typedef struct ModelDevice {
        PciAddress address;
        int64_t group; /* GroupNumber, -1: none */
        char *claim;   /* the claim's name, NULL: none */
        char *text[_DEVICE_TEXT_MAX];
} ModelDevice;

typedef enum ClaimText {
        CLAIM_NAME,
        CLAIM_DRIVER,
        CLAIM_COMPANIONS,
        CLAIM_STATE,
        CLAIM_REASON,
        CLAIM_REASON_TEXT,
        _CLAIM_TEXT_MAX,
} ClaimText;

typedef enum ClaimList {
        CLAIM_SELECTORS,
        CLAIM_MISSING,
        CLAIM_ALLOW_IN_USE,
        _CLAIM_LIST_MAX,
} ClaimList;

typedef struct ModelClaim {
        size_t order; /* in the configuration */
        char *file;   /* Source */
        unsigned line;
        char *text[_CLAIM_TEXT_MAX];
        char **lists[_CLAIM_LIST_MAX];
} ModelClaim;

typedef struct ModelError { /* one of ConfigurationErrors */
        char *file;
        unsigned line, column;
        char *message;
} ModelError;

typedef struct Model {
        char *state; /* of the daemon; NULL: none was asked */
        ModelDevice *devices; /* by address */
        size_t n_devices;
        ModelClaim *claims; /* as in the configuration */
        size_t n_claims;
        ModelError *errors;
        size_t n_errors;
} Model;

/* The names of the properties. */
extern const char *const device_text_names[_DEVICE_TEXT_MAX];
extern const char *const claim_text_names[_CLAIM_TEXT_MAX];
extern const char *const claim_list_names[_CLAIM_LIST_MAX];

/* Each adds an empty one at the end; pointers to earlier ones become invalid. Returns 0, -ENOMEM.*/
int model_add_device(Model *model, ModelDevice **ret) _must_check_;
int model_add_claim(Model *model, ModelClaim **ret) _must_check_;
int model_add_error(Model *model, ModelError **ret) _must_check_;

/* Stores a copy; "" and NULL are nothing. Returns 0, -ENOMEM. */
int model_set(char **target, const char *text) _must_check_;

/* Sorts, after the last one was added. Of devices with the same address, and of claims with the
 * same name, one stays. Devices without an address and claims without a name are left out. */
void model_finish(Model *model);

ModelDevice *model_find_device(const Model *model, const PciAddress *address);
ModelClaim *model_find_claim(const Model *model, const char *name);

Model *model_free(Model *model);
DEFINE_CLEANUP(Model, model_free)
#define _cleanup_model_ _cleanup_(model_freep)

/* What a plan says about one function: a row of what Manager.Plan returns. */
typedef struct ModelStep {
        int64_t group;
        PciAddress address;
        char *action, *from, *to, *reason; /* NULL: none */
} ModelStep;

typedef struct ModelSteps {
        ModelStep *items;
        size_t n_items;
} ModelSteps;

int model_add_step(ModelSteps *steps, ModelStep **ret) _must_check_;
void model_remove_step(ModelSteps *steps, size_t index);
void model_steps_done(ModelSteps *steps);
#define _cleanup_model_steps_ _cleanup_(model_steps_done)
