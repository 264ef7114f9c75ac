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
        _DEVICE_TEXT_BASIC_MAX, /* what follows are details */
        DEVICE_REVISION = _DEVICE_TEXT_BASIC_MAX,
        DEVICE_PHYSICAL_SLOT,
        DEVICE_SERIAL,
        DEVICE_MODALIAS,
        DEVICE_DRIVER_OVERRIDE,
        DEVICE_DEVICE_NODE,
        _DEVICE_TEXT_MAX,
} DeviceText;

typedef enum DeviceNumber {
        DEVICE_SRIOV_TOTAL_VFS,
        DEVICE_DRIFT_COUNT,
        DEVICE_VF_INDEX,
        DEVICE_NUMA_NODE,
        DEVICE_BOUND_TIMESTAMP,
        _DEVICE_NUMBER_MAX,
} DeviceNumber;

typedef struct ModelDevice {
        PciAddress address;
        int64_t group; /* GroupNumber, -1: none */
        char *claim;   /* the claim's name, NULL: none */
        bool is_bridge;
        char *text[_DEVICE_TEXT_MAX];
        int64_t numbers[_DEVICE_NUMBER_MAX]; /* -1: none, or not known */
        char *physical_function;             /* its address, NULL: none */
        char **reset_methods;
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

typedef struct ModelGroup {
        int64_t number;
        bool is_viable;
        char *state;
        char *node; /* NULL: there is none now */
        int64_t node_user, node_group, node_mode; /* -1: no node */
} ModelGroup;

typedef struct ModelError { /* one of ConfigurationErrors */
        char *file;
        unsigned line, column;
        char *message;
} ModelError;

/* A [PhysicalFunction] section and the function that it selects. What would be done about it is
 * known in a plan only. */
typedef struct ModelPhysicalFunction {
        char *name; /* NULL: no section, only claims speak of its virtual functions */
        char *file; /* Source */
        unsigned line;
        char *device;               /* its address, NULL: none */
        char *requested;            /* "keep", "max" or a number; NULL: no section */
        int64_t total_vfs, num_vfs; /* -1: no device */
        char *state, *reason, *text;
        int64_t set_num_vfs; /* a plan: to be written, -1: nothing */
        char *probing;       /* a plan: automatic probing goes "off" or "on", NULL: stays */
} ModelPhysicalFunction;

typedef struct ModelPhysicalFunctions {
        ModelPhysicalFunction *items; /* as they were added */
        size_t n_items;
} ModelPhysicalFunctions;

int model_add_physical_function(ModelPhysicalFunctions *functions, ModelPhysicalFunction **ret)
        _must_check_;
void model_physical_functions_done(ModelPhysicalFunctions *functions);
#define _cleanup_model_physical_functions_ _cleanup_(model_physical_functions_done)

/* Of the manager. */
typedef enum ManagerText {
        MANAGER_VERSION,
        MANAGER_IOMMU,
        MANAGER_INTERRUPT_REMAPPING,
        MANAGER_INITRAMFS_STATE,
        MANAGER_BOOTED_INITRAMFS_STATE,
        MANAGER_CONFIGURATION_STATE,
        _MANAGER_TEXT_MAX,
} ManagerText;

typedef struct Model {
        char *state; /* of the daemon; NULL: none was asked */
        bool settled;
        char *text[_MANAGER_TEXT_MAX];
        ModelDevice *devices; /* by address */
        size_t n_devices;
        ModelClaim *claims; /* as in the configuration */
        size_t n_claims;
        char **claim_order; /* names, where the daemon told them; NULL: as they were added */
        ModelGroup *groups; /* by number */
        size_t n_groups;
        ModelPhysicalFunctions physical_functions;
        ModelError *errors;
        size_t n_errors;
} Model;

/* The names of the properties. */
extern const char *const device_text_names[_DEVICE_TEXT_MAX];
extern const char *const device_number_names[_DEVICE_NUMBER_MAX];
extern const char *const manager_text_names[_MANAGER_TEXT_MAX];
extern const char *const claim_text_names[_CLAIM_TEXT_MAX];
extern const char *const claim_list_names[_CLAIM_LIST_MAX];

/* Each adds an empty one at the end; pointers to earlier ones become invalid. Returns 0, -ENOMEM.*/
int model_add_device(Model *model, ModelDevice **ret) _must_check_;
int model_add_claim(Model *model, ModelClaim **ret) _must_check_;
int model_add_group(Model *model, ModelGroup **ret) _must_check_;
int model_add_error(Model *model, ModelError **ret) _must_check_;

/* Stores a copy; "" and NULL are nothing. Returns 0, -ENOMEM. */
int model_set(char **target, const char *text) _must_check_;

/* Sorts, after the last one was added. Of devices with the same address, of claims with the same
 * name and of groups with the same number, one stays. Devices without an address and claims
 * without a name are left out. */
void model_finish(Model *model);

ModelDevice *model_find_device(const Model *model, const PciAddress *address);
ModelClaim *model_find_claim(const Model *model, const char *name);
ModelGroup *model_find_group(const Model *model, int64_t number);

/* Takes one out that stands in the model; later ones move up. */
void model_remove_device(Model *model, ModelDevice *device);
void model_remove_claim(Model *model, ModelClaim *claim);
void model_remove_group(Model *model, ModelGroup *group);
void model_clear_errors(Model *model);

Model *model_free(Model *model);
DEFINE_CLEANUP(Model, model_free)
#define _cleanup_model_ _cleanup_(model_freep)

/* What a plan says about one function: a row of what Manager.Plan returns. */
typedef struct ModelStep {
        int64_t group;
        PciAddress address;
        char *action, *from, *to, *reason; /* NULL: none */
        char *text; /* that of the reason, where it is known; beside what Plan returns */
} ModelStep;

typedef struct ModelSteps {
        ModelStep *items;
        size_t n_items;
        ModelPhysicalFunctions physical_functions;
} ModelSteps;

int model_add_step(ModelSteps *steps, ModelStep **ret) _must_check_;
/* Drops the steps for which `keep` is false; the array is as long as the steps. */
void model_keep_steps(ModelSteps *steps, const bool *keep);
void model_steps_done(ModelSteps *steps);
#define _cleanup_model_steps_ _cleanup_(model_steps_done)
