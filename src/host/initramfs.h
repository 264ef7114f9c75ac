/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/host.h"
#include "version.h"

/* What initramfs images hold of us. When one is made, the hooks in conf/ put a manifest into it
 * (INITRAMFS_MANIFEST), and the same text into /var/lib/vfio-bindd/initramfs/KERNEL-RELEASE;
 * without the switch there is neither. Inside the initramfs the early pass copies it to
 * /run/vfio-bindd/initramfs. So what an image holds can be told without unpacking it, and an image
 * that is older than its manifest was not finished, or was put back from elsewhere.
 * The text is lines of KEY=value; Digest= is one, unknown ones are ignored. */

#define INITRAMFS_MANIFEST    PROGRAM_DIRECTORY "/initramfs"
#define INITRAMFS_DIGEST_SIZE 17

/* Is this an initramfs: systemd's sign, or our manifest? */
bool host_is_initramfs(const Host *host);

/* What an image made now would hold: a digest of the configuration's digest and of the helper's
 * program file. A helper that cannot be read counts as none. Returns 0 or a negative errno. */
int initramfs_digest(const Host *host, const char *config_digest,
        char ret[static INITRAMFS_DIGEST_SIZE]) _must_check_;

/* Inside an initramfs: copies the manifest to /run. Returns 0, -ENOENT: there is none; or another
 * negative errno. */
int initramfs_note_booted(const Host *host) _must_check_;

typedef enum InitramfsState {
        INITRAMFS_CURRENT,
        INITRAMFS_STALE,   /* other contents, or contents though the switch is off */
        INITRAMFS_MISSING, /* an initramfs without us, though the switch is on */
        INITRAMFS_UNUSED,  /* without us, and the switch is off */
        INITRAMFS_UNKNOWN, /* no image where the usual generators put it */
        _INITRAMFS_STATE_MAX,
} InitramfsState;
const char *initramfs_state_to_string(InitramfsState state);

/* The image of the kernel that is likely to boot next: the newest one that has modules and an
 * image. `digest` from initramfs_digest(). ret_kernel may be NULL; it is freed by the caller, and
 * NULL where no kernel is known. Returns 0 or a negative errno. */
int initramfs_look(const Host *host, const char *digest, bool is_enabled, InitramfsState *ret,
        char **ret_kernel) _must_check_;

/* The initramfs that this boot came from. */
InitramfsState initramfs_look_booted(const Host *host, const char *digest, bool is_enabled);
