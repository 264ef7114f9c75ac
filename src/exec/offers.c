/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec/offers.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define PLACES      512
#define NUMBER_BITS 40

/* 0: free; the number of a task; that with its taker's process number above it. */
struct Offers {
        _Atomic uint64_t places[PLACES];
};

static uint64_t number_of(uint64_t place)
{
        return place & (OFFER_NUMBER_MAX - 1);
}

static pid_t taker_of(uint64_t place)
{
        return (pid_t) (place >> NUMBER_BITS);
}

int offers_new(Offers **ret)
{
        void *memory = mmap(NULL, sizeof(Offers), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
                return -errno;
        *ret = memory;
        return 0;
}

Offers *offers_free(Offers *offers)
{
        if (offers)
                (void) munmap(offers, sizeof(*offers));
        return NULL;
}

static bool replace(_Atomic uint64_t *place, uint64_t before, uint64_t after)
{
        return atomic_compare_exchange_strong(place, &before, after);
}

bool offers_add(Offers *offers, uint64_t number)
{
        if (number == 0 || number >= OFFER_NUMBER_MAX)
                return false;
        for (unsigned i = 0; i < PLACES; i++)
                if (replace(&offers->places[i], 0, number))
                        return true;
        return false;
}

bool offers_withdraw(Offers *offers, uint64_t number)
{
        for (unsigned i = 0; i < PLACES; i++)
                if (atomic_load(&offers->places[i]) == number)
                        return replace(&offers->places[i], number, 0);
        return false;
}

pid_t offers_taker(const Offers *offers, uint64_t number)
{
        for (unsigned i = 0; i < PLACES; i++) {
                uint64_t place = atomic_load(&offers->places[i]);

                if (number_of(place) == number)
                        return taker_of(place);
        }
        return 0;
}

void offers_forget(Offers *offers, uint64_t number)
{
        for (unsigned i = 0; i < PLACES; i++)
                if (number_of(atomic_load(&offers->places[i])) == number)
                        atomic_store(&offers->places[i], 0);
}

uint64_t offers_take(Offers *offers, pid_t taker,
        bool (*knows)(const void *userdata, uint64_t number), const void *userdata)
{
        for (unsigned i = 0; i < PLACES; i++) {
                uint64_t number = atomic_load(&offers->places[i]);

                if (number == 0 || taker_of(number) != 0 || !knows(userdata, number))
                        continue;
                if (replace(&offers->places[i], number, number | (uint64_t) taker << NUMBER_BITS))
                        return number;
        }
        return 0;
}
