/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec/progress-board.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define READ_TRIES 1000

/* A sequence lock with one writer: odd while it writes. */
struct ProgressBoard {
        _Atomic uint32_t sequence;
        ProgressOperation operation;
};

int progress_board_new(ProgressBoard **ret)
{
        void *memory = mmap(NULL, sizeof(ProgressBoard), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
                return -errno;
        *ret = memory;
        return 0;
}

ProgressBoard *progress_board_free(ProgressBoard *board)
{
        if (board)
                (void) munmap(board, sizeof(*board));
        return NULL;
}

void progress_board_keep_from_children(const ProgressBoard *board)
{
        (void) madvise((void *) board, sizeof(*board), MADV_DONTFORK);
}

void progress_board_write(ProgressBoard *board, const ProgressOperation *operation)
{
        uint32_t sequence = atomic_load_explicit(&board->sequence, memory_order_relaxed);

        atomic_store_explicit(&board->sequence, sequence + 1, memory_order_relaxed);
        atomic_thread_fence(memory_order_release);
        memcpy(&board->operation, operation, sizeof(*operation));
        atomic_store_explicit(&board->sequence, sequence + 2, memory_order_release);
}

/* Flags are looked at as what they are in memory: any other value than 0 and 1 is no bool. */
static bool is_valid(const ProgressOperation *operation)
{
        uint8_t flag;

        memcpy(&flag, &operation->has_written, 1);
        return flag <= 1 && (unsigned) operation->type < _OPERATION_MAX;
}

int progress_board_read(const ProgressBoard *board, ProgressOperation *ret)
{
        for (unsigned i = 0; i < READ_TRIES; i++) {
                uint32_t before = atomic_load_explicit(&board->sequence, memory_order_acquire);
                ProgressOperation operation;

                if (before == 0)
                        return 0;
                if (before % 2 != 0)
                        continue;
                memcpy(&operation, &board->operation, sizeof(operation));
                atomic_thread_fence(memory_order_acquire);
                if (atomic_load_explicit(&board->sequence, memory_order_relaxed) != before)
                        continue;
                if (!is_valid(&operation))
                        return -EBADMSG;
                memcpy(ret, &operation, sizeof(operation));
                return 1;
        }
        return -EBADMSG;
}
