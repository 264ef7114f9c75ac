/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "util/macro.h"

/* polkit's authority, answering as it is told and remembering what it was asked. */

typedef enum FakeAnswer {
        FAKE_ALLOW,
        FAKE_DENY,
        FAKE_CHALLENGE,
        FAKE_ERROR,
        FAKE_HANG, /* until fake_polkit_answer() */
} FakeAnswer;

#define FAKE_HELD_MAX 128

typedef struct FakePolkit {
        FakeAnswer answer;
        unsigned n_asked, n_cancelled;
        char action[64];
        char details[256]; /* "device=0000:01:00.0 group=14", in the order they came */
        char subject[64];  /* unique name */
        char cancellation[64], cancelled[64];
        uint32_t flags;
        sd_bus_message *held[FAKE_HELD_MAX];
        size_t n_held;
} FakePolkit;

/* Takes polkit's name on the connection. */
void fake_polkit_init(FakePolkit *polkit, sd_bus *connection);
/* Answers everything that hangs. */
void fake_polkit_answer(FakePolkit *polkit, FakeAnswer answer);
void fake_polkit_done(FakePolkit *polkit);
