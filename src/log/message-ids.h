/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One random 128-bit MESSAGE_ID for each class of event. Each has an entry in
 * conf/catalog/vfio-bindd.catalog that says what happened and what to do; a test checks that
 * neither has an ID that the other lacks. An ID is never reused for another meaning. */

#define MESSAGE_DEVICE_BOUND      "f6e31b6433f046cca38c04d0f8488f14"
#define MESSAGE_DEVICE_DETACHED   "832bfd99fbb349308d7062589e054cc1"
#define MESSAGE_DEVICE_RELEASED   "8319e6eb08c949e590951d1daa808e16"
#define MESSAGE_DEVICE_REFUSED    "da0a5be393544bea8d6ab5668cf770d9"
#define MESSAGE_DEVICE_FAILED     "21bafacec0aa4bf9827e5beb6ce47c87"
#define MESSAGE_DEVICE_STUCK      "c5e4e1e8900149b59135a9af4d872719"
#define MESSAGE_DEVICE_PENDING    "5ac10440e934403997d961d53bb11f8c"
#define MESSAGE_DEVICE_DRIFTED    "fdb82de055ee4d9b93cf3519f5e7f82a"
#define MESSAGE_CLAIM_ABSENT      "d4035ace559d4e5a9d7a8d39f18c71d9"
#define MESSAGE_CONFIG_ERROR      "97cb6afe2ba6453c9343a5f929b79a3b"
#define MESSAGE_CONFIG_WARNING    "598ea1bec9e441a992bb5f861f85a8bb"
#define MESSAGE_SWITCHED_OFF      "bd454e72043a47d280569bebb73d47b6"
#define MESSAGE_PLANNED           "4addc19496dc43cfbf2b008c43f126fa"
#define MESSAGE_PF_CONFIGURED     "8fa272f4bc4246aa882ab22c71fc5b17"
#define MESSAGE_PF_NOT_CONFIGURED "f5c1a99bfefc43f18e95ee01d9673753"
#define MESSAGE_NODE_NOT_SET      "63cd1a3aa3b14e72a0a23f419b72eb4a"
#define MESSAGE_INITRAMFS         "827b7984c8bad262b3c95869ca22cc14"
