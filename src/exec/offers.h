/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/macro.h"

/* A page that a parent shares with all its workers: the tasks that none of them has yet. A worker
 * that is done with one takes the next from it, without waiting until its parent gets a processor
 * to be told that it is done. Each task is taken once, by a worker or back by the parent. */

/* The number of a task, from 1; the kernel's process numbers leave as many bits. */
#define OFFER_NUMBER_MAX (UINT64_C(1) << 40)

typedef struct Offers Offers;

/* Returns 0 or the errno of mmap(2). */
int offers_new(Offers **ret) _must_check_;
/* Unmaps it in this process only. */
Offers *offers_free(Offers *offers);
DEFINE_CLEANUP(Offers, offers_free)

/* In the parent. False: there is no room now, or no such number can be. */
bool offers_add(Offers *offers, uint64_t number);

/* In the parent: takes it back. False: a worker has it, or it was not offered. */
bool offers_withdraw(Offers *offers, uint64_t number);

/* In the parent: who has taken it; 0: nobody. */
pid_t offers_taker(const Offers *offers, uint64_t number);

/* In the parent: it is known who has it, its place is needed for others. */
void offers_forget(Offers *offers, uint64_t number);

/* In a worker: takes one that the parent offers and that the worker knows, in the order of their
 * places. 0: there is none. */
uint64_t offers_take(Offers *offers, pid_t taker,
        bool (*knows)(const void *userdata, uint64_t number), const void *userdata);
