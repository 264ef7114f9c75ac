/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a job takes from its worker, and what it does not. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exec/job.h"
#include "lib/test.h"
#include "scenarios.h"
#include "util/io.h"
#include "util/strings.h"

typedef struct Pair {
        Stand stand;
        Job *job;
        int worker; /* its end of the socket */
} Pair;

static void set_up(Pair *pair)
{
        int sockets[2];

        stand_set_up(&pair->stand, scenario_find("bind-taken"));
        pair->job = job_new(&pair->stand.group, NULL,
                &(TransactionOptions){ .stage = STAGE_RUNTIME });
        ASSERT_TRUE(pair->job);
        ASSERT_OK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets));
        pair->job->worker.socket = sockets[0];
        ASSERT_OK(progress_board_new(&pair->job->worker.board));
        pair->job->number = 7;
        pair->worker = sockets[1];
}

static void tear_down(Pair *pair)
{
        if (pair->worker >= 0)
                close(pair->worker);
        job_free(pair->job);
        stand_done(&pair->stand);
}

static void send_message(Pair *pair, ProgressMessage message)
{
        message.task = pair->job->number;
        progress_send(pair->worker, &message);
}

static ProgressMessage member_message(const Pair *pair, unsigned index)
{
        ProgressMessage message = { .type = PROGRESS_MEMBER, .index = index };

        message.member = (MemberReport){
                .address = pair->job->report.members[index].address,
                .state = STATE_BOUND,
                .to = "vfio-pci",
        };
        return message;
}

static ProgressMessage group_message(unsigned n_members)
{
        ProgressMessage message = { .type = PROGRESS_GROUP, .index = n_members };

        message.group = (GroupReport){ .number = 14, .state = STATE_BOUND };
        return message;
}

static void test_whole_report(void)
{
        Pair pair = {};

        set_up(&pair);
        send_message(&pair, member_message(&pair, 0));
        send_message(&pair, member_message(&pair, 1));
        send_message(&pair, group_message(2));
        job_receive(pair.job);
        ASSERT_TRUE(pair.job->is_complete);
        ASSERT_EQ(pair.job->report.n_members, 2);
        ASSERT_EQ(pair.job->report.state, STATE_BOUND);
        ASSERT_STREQ(pair.job->report.members[1].to, "vfio-pci");
        job_finish_ended(pair.job);
        ASSERT_EQ(pair.job->report.state, STATE_BOUND);
        tear_down(&pair);
}

/* Each message is well formed, and out of place. */
static void expect_dropped(ProgressMessage (*spoil)(const Pair *pair))
{
        Pair pair = {};

        set_up(&pair);
        send_message(&pair, member_message(&pair, 0));
        send_message(&pair, spoil(&pair));
        send_message(&pair, group_message(2));
        job_receive(pair.job);
        ASSERT_TRUE(!pair.job->is_complete);
        ASSERT_EQ(pair.job->n_received, 1);
        job_finish_ended(pair.job);
        ASSERT_EQ(pair.job->state, JOB_QUEUED);
        ASSERT_EQ(pair.job->n_received, 0);
        job_finish_ended(pair.job);
        ASSERT_EQ(pair.job->state, JOB_FINISHED);
        ASSERT_EQ(pair.job->report.state, STATE_FAILED);
        tear_down(&pair);
}

static ProgressMessage same_again(const Pair *pair)
{
        return member_message(pair, 0);
}

static ProgressMessage out_of_order(const Pair *pair)
{
        ProgressMessage message = member_message(pair, 1);

        message.index = 0;
        return message;
}

static ProgressMessage beyond_the_end(const Pair *pair)
{
        ProgressMessage message = member_message(pair, 1);

        message.index = 1U << 31;
        return message;
}

static ProgressMessage other_address(const Pair *pair)
{
        ProgressMessage message = member_message(pair, 1);

        message.member.address.bus = 99;
        return message;
}

static ProgressMessage state_out_of_range(const Pair *pair)
{
        ProgressMessage message = member_message(pair, 1);

        memset(&message.member.state, 0xfe, sizeof(message.member.state));
        return message;
}

static ProgressMessage other_object(const Pair *pair)
{
        ProgressMessage message = { .type = PROGRESS_PHYSICAL_FUNCTION };

        message.physical_function.address = pair->job->report.members[1].address;
        return message;
}

static ProgressMessage unknown_type(const Pair *pair)
{
        ProgressMessage message = member_message(pair, 1);

        message.type = (ProgressType) 77;
        return message;
}

static ProgressMessage too_few(const Pair *pair)
{
        return group_message(1);
}

static void test_other_group(void)
{
        ProgressMessage message = group_message(2);
        Pair pair = {};

        set_up(&pair);
        send_message(&pair, member_message(&pair, 0));
        send_message(&pair, member_message(&pair, 1));
        message.group.number = 15;
        send_message(&pair, message);
        job_receive(pair.job);
        ASSERT_TRUE(!pair.job->is_complete);
        tear_down(&pair);
}

static void test_text_without_end(void)
{
        Pair pair = {};
        ProgressMessage message;

        set_up(&pair);
        message = member_message(&pair, 0);
        memset(message.member.text, 'x', sizeof(message.member.text));
        memset(message.member.to, 'x', sizeof(message.member.to));
        send_message(&pair, message);
        job_receive(pair.job);
        ASSERT_EQ(strlen(pair.job->report.members[0].text), sizeof(message.member.text) - 1);
        ASSERT_EQ(strlen(pair.job->report.members[0].to), sizeof(message.member.to) - 1);
        tear_down(&pair);
}

static void test_no_magic(void)
{
        ProgressMessage message;
        Pair pair = {};

        set_up(&pair);
        message = member_message(&pair, 0);
        ASSERT_EQ(send(pair.worker, &message, sizeof(message), 0), sizeof(message));
        ASSERT_EQ(send(pair.worker, &message, 10, 0), 10);
        job_receive(pair.job);
        ASSERT_EQ(pair.job->n_received, 0);
        tear_down(&pair);
}

static void test_closed(void)
{
        Pair pair = {};

        set_up(&pair);
        close(pair.worker);
        pair.worker = -1;
        job_receive(pair.job);
        ASSERT_EQ(pair.job->worker.socket, -1);
        job_receive(pair.job);
        tear_down(&pair);
}

/* A clock of its own does not give the worker more time. */
static void test_deadline(void)
{
        Pair pair = {};

        set_up(&pair);
        progress_board_write(pair.job->worker.board, &(ProgressOperation){
                .task = pair.job->number,
                .type = OPERATION_BIND,
                .started_usec = USEC_INFINITY - 1,
        });
        job_receive(pair.job);
        ASSERT_TRUE(pair.job->has_operation);
        ASSERT_EQ(pair.job->deadline_usec - pair.job->operation.started_usec, 30 * USEC_PER_SEC);
        ASSERT_EQ(pair.job->look_usec, pair.job->deadline_usec);
        tear_down(&pair);
}

/* Nobody is woken by what stands on the board, so it is looked at when the first operation could be
 * overdue; a worker that has begun none by then has its time to start besides. */
static void test_first_look(void)
{
        uint64_t now = now_monotonic();
        Pair pair = {};

        set_up(&pair);
        pair.job->timeout_usec = 0;
        job_begin(pair.job, 10 * USEC_PER_SEC);
        ASSERT_TRUE(pair.job->look_usec >= now && pair.job->look_usec <= now_monotonic());
        job_receive(pair.job);
        ASSERT_TRUE(!pair.job->has_operation);
        ASSERT_EQ(pair.job->look_usec, pair.job->deadline_usec);
        ASSERT_TRUE(pair.job->deadline_usec - now >= 10 * USEC_PER_SEC);
        tear_down(&pair);
}

/* A worker that was given another job has the last one's operation on its board. */
static void test_operation_of_another_task(void)
{
        Pair pair = {};

        set_up(&pair);
        progress_board_write(pair.job->worker.board, &(ProgressOperation){
                .task = pair.job->number - 1,
                .type = OPERATION_UNLOCK_GROUP,
                .has_written = true,
        });
        job_receive(pair.job);
        ASSERT_TRUE(!pair.job->has_operation);
        tear_down(&pair);
}

/* What makes no sense counts as the worst: that something was changed. */
static void test_damaged_board(void)
{
        Pair pair = {};

        set_up(&pair);
        progress_board_write(pair.job->worker.board, &(ProgressOperation){
                .task = pair.job->number,
                .type = _OPERATION_MAX,
        });
        job_receive(pair.job);
        ASSERT_TRUE(pair.job->has_operation);
        ASSERT_TRUE(pair.job->operation.has_written);
        tear_down(&pair);
}

/* After its report: what the worker has taken since. */
static void test_next_task(void)
{
        ProgressMessage next = { .task = 9, .type = PROGRESS_GROUP };
        Pair pair = {};

        set_up(&pair);
        send_message(&pair, member_message(&pair, 0));
        send_message(&pair, member_message(&pair, 1));
        send_message(&pair, group_message(2));
        ASSERT_EQ(send(pair.worker, "noise", 5, 0), 5);
        progress_send(pair.worker, &next);
        job_receive(pair.job);
        ASSERT_TRUE(pair.job->is_complete);
        ASSERT_EQ(job_board_task(pair.job), 0);
        ASSERT_EQ(job_peek_task(pair.job), 9);
        ASSERT_EQ(job_peek_task(pair.job), 9);
        job_drop_message(pair.job);
        ASSERT_EQ(job_peek_task(pair.job), 0);
        progress_board_write(pair.job->worker.board, &(ProgressOperation){ .task = 9 });
        ASSERT_EQ(job_board_task(pair.job), 9);

        close(pair.worker);
        pair.worker = -1;
        ASSERT_EQ(job_peek_task(pair.job), 0);
        ASSERT_EQ(pair.job->worker.socket, -1);
        job_drop_message(pair.job);
        tear_down(&pair);
}

/* At the end of a stage's time the worker was at its bind; what it has done since is not known. */
static void give_up(State before, State now, bool is_locked, bool killed, State expected)
{
        Pair pair = {};
        FakeFunction *gpu;
        DeviceRecord record = { .state = before };
        Device *device;

        set_up(&pair);
        gpu = fake_kernel_function(pair.stand.kernel, "0000:01:00.0");
        device = &pair.stand.machine.snapshot->devices[1];
        ASSERT_TRUE(pci_address_equal(&device->address, &gpu->address) && !device->record);
        device->record = before == STATE_UNCLAIMED ? NULL : &record;
        gpu->record.exists = now != STATE_UNCLAIMED;
        gpu->record.state = now;
        pair.stand.kernel->locked[14] = is_locked;
        pair.job->has_operation = true;
        pair.job->operation = (ProgressOperation){
                .type = OPERATION_BIND,
                .address = gpu->address,
                .started_usec = now_monotonic(),
        };
        job_give_up(pair.job, &pair.stand.operations, killed);
        ASSERT_EQ(pair.job->state, JOB_GIVEN_UP);
        ASSERT_EQ(gpu->record.state, expected);
        ASSERT_TRUE(pair.stand.kernel->has_intent[14]);
        device->record = NULL;
        tear_down(&pair);
}

static void test_give_up(void)
{
        give_up(STATE_UNCLAIMED, STATE_UNCLAIMED, true, false, STATE_STUCK);
        give_up(STATE_FAILED, STATE_FAILED, true, false, STATE_STUCK);
        give_up(STATE_BOUND, STATE_BOUND, true, true, STATE_STUCK);
        /* it has written its record, and is about to let go of the lock; or has done so */
        give_up(STATE_UNCLAIMED, STATE_BOUND, true, false, STATE_BOUND);
        give_up(STATE_UNCLAIMED, STATE_BOUND, false, false, STATE_BOUND);
        give_up(STATE_FAILED, STATE_FAILED, false, false, STATE_FAILED);
}

static void test_nobody_reads(void)
{
        ProgressMessage message = { .type = PROGRESS_GROUP };
        Pair pair = {};

        set_up(&pair);
        close(pair.job->worker.socket);
        pair.job->worker.socket = -1;
        progress_send(pair.worker, &message);
        tear_down(&pair);
}

int main(void)
{
        test_whole_report();
        expect_dropped(same_again);
        expect_dropped(out_of_order);
        expect_dropped(beyond_the_end);
        expect_dropped(other_address);
        expect_dropped(state_out_of_range);
        expect_dropped(other_object);
        expect_dropped(unknown_type);
        expect_dropped(too_few);
        test_other_group();
        test_text_without_end();
        test_no_magic();
        test_closed();
        test_deadline();
        test_first_look();
        test_operation_of_another_task();
        test_damaged_board();
        test_next_task();
        test_give_up();
        test_nobody_reads();
        return 0;
}
