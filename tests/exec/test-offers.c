/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is offered is taken once, by whoever comes first. */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/offers.h"
#include "lib/test.h"

#define NUMBERS 400
#define TAKERS  4

static bool knows_all(const void *userdata, uint64_t number)
{
        return true;
}

static bool knows_less(const void *userdata, uint64_t number)
{
        return number < *(const uint64_t *) userdata;
}

static void test_one_after_another(void)
{
        const uint64_t limit = 7;
        Offers *offers;

        ASSERT_OK(offers_new(&offers));
        ASSERT_EQ(offers_take(offers, 10, knows_all, NULL), 0);
        ASSERT_TRUE(!offers_withdraw(offers, 5));
        ASSERT_TRUE(offers_add(offers, 7));
        ASSERT_TRUE(offers_add(offers, 5));
        ASSERT_TRUE(offers_add(offers, 6));
        ASSERT_EQ(offers_taker(offers, 5), 0);
        /* one that it does not know is left to others */
        ASSERT_EQ(offers_take(offers, 10, knows_less, &limit), 5);
        ASSERT_EQ(offers_taker(offers, 5), 10);
        ASSERT_TRUE(!offers_withdraw(offers, 5));
        ASSERT_TRUE(offers_withdraw(offers, 6));
        ASSERT_EQ(offers_take(offers, 10, knows_less, &limit), 0);
        ASSERT_EQ(offers_take(offers, 11, knows_all, NULL), 7);
        ASSERT_EQ(offers_taker(offers, 7), 11);
        offers_forget(offers, 7);
        ASSERT_EQ(offers_taker(offers, 7), 0);
        offers_free(offers);
}

static void test_room(void)
{
        uint64_t number = 1;
        Offers *offers;

        ASSERT_OK(offers_new(&offers));
        ASSERT_TRUE(!offers_add(offers, 0));
        ASSERT_TRUE(!offers_add(offers, OFFER_NUMBER_MAX));
        while (offers_add(offers, number))
                number++;
        ASSERT_TRUE(number > 256);
        ASSERT_TRUE(offers_withdraw(offers, 1));
        ASSERT_TRUE(offers_add(offers, OFFER_NUMBER_MAX - 1));
        offers_free(offers);
}

static _Noreturn void take_all(Offers *offers, unsigned *times)
{
        uint64_t number;

        while ((number = offers_take(offers, getpid(), knows_all, NULL)) > 0)
                (void) __atomic_add_fetch(&times[number], 1, __ATOMIC_SEQ_CST);
        _exit(EXIT_SUCCESS);
}

static void test_race(void)
{
        unsigned *times = mmap(NULL, (NUMBERS + 1) * sizeof(*times), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        Offers *offers;

        ASSERT_TRUE(times != MAP_FAILED);
        ASSERT_OK(offers_new(&offers));
        for (uint64_t i = 1; i <= NUMBERS; i++)
                ASSERT_TRUE(offers_add(offers, i));
        for (unsigned i = 0; i < TAKERS; i++) {
                pid_t pid = fork();

                ASSERT_TRUE(pid >= 0);
                if (pid == 0)
                        take_all(offers, times);
        }
        for (uint64_t i = NUMBERS; i > 0; i--)
                if (offers_withdraw(offers, i))
                        (void) __atomic_add_fetch(&times[i], 1, __ATOMIC_SEQ_CST);
        for (unsigned i = 0; i < TAKERS; i++)
                ASSERT_TRUE(wait(NULL) > 0);
        for (unsigned i = 1; i <= NUMBERS; i++)
                ASSERT_EQ(times[i], 1);
        offers_free(offers);
        (void) munmap(times, (NUMBERS + 1) * sizeof(*times));
}

int main(void)
{
        test_one_after_another();
        test_room();
        for (unsigned i = 0; i < 20; i++)
                test_race();
        return EXIT_SUCCESS;
}
