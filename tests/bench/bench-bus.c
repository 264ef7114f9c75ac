/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <time.h>

#include "bus/bus.h"
#include "lib/bus-test.h"
#include "lib/fake-manager.h"
#include "lib/test.h"
#include "util/buffer.h"

/* How much processor time the bus takes for a large machine: to index a view, to find that nothing
 * changed, to announce that every function did, and to answer GetManagedObjects (both ends, over a
 * socket pair).
 *   meson test --benchmark bus --verbose */

#define RUNS 5

static char *make_machine(unsigned n_functions)
{
        Buffer text = {};
        char *result;

        for (unsigned i = 0; i < n_functions; i++) {
                unsigned bus = i / 8 % 256, domain = i / 2048;

                buffer_printf(&text,
                        "%04x:%02x:00.%x id=15b3:101d subsystem=15b3:0016 class=020000 group=%u "
                        "vendor=Mellanox_Technologies model=MT2892_Family_[ConnectX-6_Dx] "
                        "host-driver=mlx5_core driver=mlx5_core net=enp%us%u\n",
                        domain, bus, i % 8, i, bus, i % 8);
        }
        ASSERT_OK(buffer_finish(&text, &result));
        return result;
}

static View *view_new(const char *config, const char *machine, int vf_index)
{
        View *view = fake_view_new(config, machine);

        for (size_t i = 0; i < view->snapshot->n_devices; i++) {
                view->snapshot->devices[i].inode = i + 1;
                view->snapshot->devices[i].vf_index = vf_index;
        }
        return view;
}

static char *make_config(unsigned n_claims)
{
        Buffer text = {};
        char *result;

        for (unsigned i = 0; i < n_claims; i++)
                buffer_printf(&text, "claim nic-%u 0000:%02x:00.%x\n", i, i / 8, i % 8);
        ASSERT_OK(buffer_finish(&text, &result));
        return result;
}

static uint64_t processor_time(void)
{
        struct timespec now;

        ASSERT_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now));
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
}

static void print_time(const char *what, uint64_t usec)
{
        printf("%-36s %8.2f ms\n", what, (double) usec / 1000);
}

static void on_changed(void *userdata, View *old, View *new)
{
        bus_view_changed(userdata, old, new);
}

static void get_managed_objects(sd_event *event, sd_bus *client)
{
        uint64_t best = UINT64_MAX;

        for (unsigned i = 0; i < RUNS; i++) {
                uint64_t begin = processor_time(), taken;
                _cleanup_message_ sd_bus_message *reply = test_call(event, client,
                        test_call_new(client, NULL, BUS_ROOT, "org.freedesktop.DBus.ObjectManager",
                                "GetManagedObjects", NULL));

                taken = processor_time() - begin;
                best = taken < best ? taken : best;
                test_expect_return(reply);
        }
        print_time("GetManagedObjects", best);
}

static void publish(sd_event *event, sd_bus *client, Manager *manager, const char *what, View *view)
{
        uint64_t begin = processor_time();

        fake_manager_publish(manager, view);
        print_time(what, processor_time() - begin);
        _cleanup_message_ sd_bus_message *reply = test_call(event, client,
                test_call_new(client, NULL, BUS_ROOT, "org.freedesktop.DBus.Peer", "Ping", NULL));
        test_expect_return(reply);
}

static void run(unsigned n_functions)
{
        _cleanup_free_ char *machine = make_machine(n_functions), *config = make_config(512);
        sd_event *event = NULL;
        sd_bus *server, *client;
        Manager manager;
        Bus *bus;

        printf("%u functions\n", n_functions);
        ASSERT_TRUE(sd_event_new(&event) >= 0);
        fake_manager_init(&manager, event);
        test_pair(event, &server, &client);
        ASSERT_OK(bus_new(event, &manager, &(BusOptions){}, &bus));
        manager_set_listener(&manager, &(ManagerListener){ on_changed, bus });
        publish(event, client, &manager, "index of the first view", view_new(config, machine, -1));
        ASSERT_OK(bus_serve(bus, server));
        publish(event, client, &manager, "a view like the last (first digests)",
                view_new(config, machine, -1));
        publish(event, client, &manager, "a view like the last", view_new(config, machine, -1));
        publish(event, client, &manager, "every function changed", view_new(config, machine, 0));
        get_managed_objects(event, client);

        bus_free(bus);
        sd_bus_close_unref(client);
        sd_bus_close_unref(server);
        fake_manager_done(&manager);
        sd_event_unref(event);
}

int main(void)
{
        run(256);
        run(4096);
        return 0;
}
