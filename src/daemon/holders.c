/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/manager-internal.h"
#include "host/holders.h"
#include "util/array.h"
#include "util/io.h"
#include "util/strings.h"

/* Looking into other processes can block, so a process of its own does it. It is nobody's child
 * (its parent has ended), so that it needs no reaping even if it never comes back; what it found
 * comes through a pipe, one HolderProcess at a time, and its end is the end of the answer. */

#define LOOKUP_USEC    (10 * USEC_PER_SEC)
#define LOOKUPS_MAX    16
#define HOLDERS_MAX    1024

struct Lookup {
        Lookup *next;
        Manager *manager;
        int64_t identifier;
        ManagerHoldersDone done; /* NULL: forgotten */
        void *userdata;
        int pipe;
        sd_event_source *source, *timer;
        HolderProcess *found;
        size_t n_found;
        size_t partial; /* bytes of the next one */
};

static Lookup *lookup_free(Lookup *lookup)
{
        if (!lookup)
                return NULL;
        sd_event_source_disable_unref(lookup->source);
        sd_event_source_disable_unref(lookup->timer);
        close_descriptor(&lookup->pipe);
        free(lookup->found);
        free(lookup);
        return NULL;
}
DEFINE_CLEANUP(Lookup, lookup_free)

static void finish(Lookup *lookup, int error)
{
        Holder *holders = calloc(lookup->n_found + 1, sizeof(*holders));
        Lookup **place = &lookup->manager->lookups;

        while (*place != lookup)
                place = &(*place)->next;
        *place = lookup->next;

        if (!holders)
                error = -ENOMEM;
        for (size_t i = 0; holders && i < lookup->n_found; i++)
                holders[i] = (Holder){
                        .pid = lookup->found[i].pid,
                        .command = lookup->found[i].command,
                        .unit = lookup->found[i].unit,
                        .machine = lookup->found[i].machine,
                };
        if (lookup->done)
                lookup->done(lookup->userdata, error, error < 0 ? NULL : holders,
                        error < 0 ? 0 : lookup->n_found);
        free(holders);
        lookup_free(lookup);
}

/* Fills the element behind the last complete one. Returns the length read, 0 at the end. */
static ssize_t receive(Lookup *lookup)
{
        ssize_t n;
        int r;

        if (lookup->partial == 0) {
                r = ARRAY_GROW(lookup->found, lookup->n_found);
                if (r < 0)
                        return r;
        }
        n = read(lookup->pipe, (char *) &lookup->found[lookup->n_found] + lookup->partial,
                sizeof(HolderProcess) - lookup->partial);
        if (n < 0)
                return -errno;
        lookup->partial += (size_t) n;
        if (lookup->partial == sizeof(HolderProcess)) {
                lookup->n_found++;
                lookup->partial = 0;
        }
        return n;
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Lookup *lookup = userdata;
        ssize_t n = receive(lookup);

        if (n == -EAGAIN || n == -EINTR)
                return 0;
        if (n <= 0 || lookup->n_found >= HOLDERS_MAX)
                finish(lookup, n < 0 ? (int) n : 0);
        return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
        finish(userdata, -ETIMEDOUT);
        return 0;
}

static int send_holder(void *userdata, const HolderProcess *process)
{
        const int *fd = userdata;

        /* No longer than PIPE_BUF: written in one piece or not at all. */
        _Static_assert(sizeof(HolderProcess) <= 4096, "a record fits into PIPE_BUF");
        return write(*fd, process, sizeof(*process)) == sizeof(*process) ? 0 : -EPIPE;
}

static _Noreturn void search(const Host *host, int64_t group, const int64_t *devices,
        size_t n_devices, int fd)
{
        sigset_t none;

        sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        /* A process can have its command line in the memory of a file system that never answers
         * (FUSE): reading that waits, but can be killed, and nobody else does that. */
        (void) alarm(LOOKUP_USEC / USEC_PER_SEC + 1);
        (void) prctl(PR_SET_NAME, "vfio-bindd-look");
        _exit(holders_find(host, group, devices, n_devices, send_holder, &fd) < 0);
}

/* Forks twice; the one in between ends at once. */
static int spawn(const Host *host, int64_t group, const int64_t *devices, size_t n_devices,
        int fd)
{
        pid_t between = fork();

        if (between < 0)
                return -errno;
        if (between == 0) {
                pid_t searcher = fork();

                if (searcher == 0)
                        search(host, group, devices, n_devices, fd);
                _exit(searcher < 0);
        }
        while (waitpid(between, NULL, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

static int list_device_nodes(const Manager *manager, int64_t group, int64_t **ret, size_t *ret_n)
{
        const GroupPlan *plan = manager->view ? plan_find_group(manager->view->plan, group) : NULL;
        int64_t *list;

        if (!plan)
                return -ENOENT;
        list = calloc(plan->n_members + 1, sizeof(*list));
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < plan->n_members; i++)
                list[i] = plan->members[i].device->vfio_device;
        *ret = list;
        *ret_n = plan->n_members;
        return 0;
}

static int lookup_watch(Lookup *lookup, int fd)
{
        sd_event *event = lookup->manager->event;
        int r;

        lookup->pipe = fd;
        r = sd_event_add_io(event, &lookup->source, fd, EPOLLIN, on_answer, lookup);
        if (r < 0)
                return r;
        return sd_event_add_time_relative(event, &lookup->timer, CLOCK_MONOTONIC, LOOKUP_USEC, 0,
                on_timeout, lookup);
}

static size_t count_lookups(const Manager *manager)
{
        size_t n = 0;

        for (const Lookup *lookup = manager->lookups; lookup; lookup = lookup->next)
                n++;
        return n;
}

int64_t manager_list_holders(Manager *manager, int64_t group, ManagerHoldersDone done,
        void *userdata)
{
        _cleanup_(lookup_freep) Lookup *lookup = NULL;
        _cleanup_free_ int64_t *devices = NULL;
        _cleanup_close_ int write_end = -1;
        size_t n_devices;
        int r, fds[2];

        if (count_lookups(manager) >= LOOKUPS_MAX)
                return -EBUSY;
        r = list_device_nodes(manager, group, &devices, &n_devices);
        if (r < 0)
                return r;
        lookup = calloc(1, sizeof(*lookup));
        if (!lookup)
                return -ENOMEM;
        *lookup = (Lookup){ .manager = manager, .done = done, .userdata = userdata, .pipe = -1 };
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        write_end = fds[1];
        r = lookup_watch(lookup, fds[0]);
        if (r < 0)
                return r;
        r = spawn(manager->host, group, devices, n_devices, write_end);
        if (r < 0)
                return r;
        if (fcntl(lookup->pipe, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        lookup->identifier = manager_next_identifier(manager);
        lookup->next = manager->lookups;
        manager->lookups = lookup;
        return TAKE_POINTER(lookup)->identifier;
}

void manager_forget_holders(Manager *manager, int64_t identifier)
{
        for (Lookup *lookup = manager->lookups; lookup; lookup = lookup->next)
                if (lookup->identifier == identifier)
                        lookup->done = NULL;
}

void lookups_free(Manager *manager)
{
        while (manager->lookups) {
                Lookup *lookup = manager->lookups;

                manager->lookups = lookup->next;
                lookup_free(lookup);
        }
}
