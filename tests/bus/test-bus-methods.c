/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/bus-fixture.h"

/* Methods that only read, and what happens to wrong arguments. */

static void test_lookups(Fixture *f)
{
        static const char *const spellings[] = { "0000:01:00.0", "01:00.0", "pci_0000_01_00_0" };
        static const char *const nothing[] = { "", "0000:7f:00.0", "0000:01:00", "01:00.9",
                "\xe2\x82\xac", "../../etc/passwd" };
        char huge[4096];

        for (size_t i = 0; i < ELEMENTSOF(spellings); i++)
                expect_call_text(f, with_string(manager_call(f, "GetDevice"), spellings[i]), GPU);
        for (size_t i = 0; i < ELEMENTSOF(nothing); i++)
                expect_call_error(f, with_string(manager_call(f, "GetDevice"), nothing[i]),
                        BUS_ERROR_NO_SUCH_DEVICE, nothing[i]);
        memset(huge, 'x', sizeof(huge) - 1);
        huge[sizeof(huge) - 1] = 0;
        expect_call_error(f, with_string(manager_call(f, "GetDevice"), huge),
                BUS_ERROR_NO_SUCH_DEVICE, "(long text)");
        expect_call_error(f, with_string(manager_call(f, "GetClaim"), huge),
                BUS_ERROR_NO_SUCH_CLAIM, "(long text)");

        expect_call_text(f, with_string(manager_call(f, "GetClaim"), "lab.nic"),
                BUS_PREFIX_CLAIM "/lab_2enic");
        expect_call_error(f, with_string(manager_call(f, "GetClaim"), "nobody"),
                BUS_ERROR_NO_SUCH_CLAIM, "nobody");
        expect_call_text(f,
                test_call_new(f->client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "GetGroup", "u",
                        75U),
                BUS_PREFIX_GROUP "/75");
        expect_call_error(f,
                test_call_new(f->client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "GetGroup", "u",
                        UINT32_MAX),
                BUS_ERROR_NO_SUCH_GROUP, "4294967295");
}

static sd_bus_message *bind_call(Fixture *f, const char *member, const char *option,
        const char *type, const char *value)
{
        sd_bus_message *call = with_string(manager_call(f, member), "0000:01:00.0");

        ASSERT_TRUE(sd_bus_message_open_container(call, 'a', "{sv}") >= 0);
        if (streq(type, "s"))
                ASSERT_TRUE(sd_bus_message_append(call, "{sv}", option, "s", value) >= 0);
        else if (streq(type, "as"))
                ASSERT_TRUE(sd_bus_message_append(call, "{sv}", option, "as", 1, value) >= 0);
        else if (streq(type, "b"))
                ASSERT_TRUE(sd_bus_message_append(call, "{sv}", option, "b", true) >= 0);
        ASSERT_TRUE(sd_bus_message_close_container(call) >= 0);
        return call;
}

/* Arguments are judged before authorization, which without a bus is always denied. */
static void test_options(Fixture *f)
{
        static const struct {
                const char *member, *option, *type, *value;
                bool good;
        } cases[] = {
                { "BindDevice", "driver", "s", "nvgrace-gpu-vfio-pci", true },
                { "BindDevice", "companions", "s", "all", true },
                { "BindDevice", "allow-in-use", "as", "display", true },
                { "ReleaseDevice", "no-probe", "b", NULL, true },
                { "BindDevice", "no-probe", "b", NULL, false },
                { "BindDevice", "prune", "b", NULL, false },
                { "BindDevice", "next-boot", "b", NULL, false },
                { "ReleaseDevice", "driver", "s", "vfio-pci", false },
                { "BindDevice", "Driver", "s", "vfio-pci", false },
                { "BindDevice", "", "s", "", false },
                { "BindDevice", "driver", "b", NULL, false },
                { "BindDevice", "driver", "s", "", false },
                { "BindDevice", "driver", "s", "../nvme", false },
                { "BindDevice", "driver", "s", "a b", false },
                { "BindDevice", "companions", "s", "some", false },
                { "BindDevice", "allow-in-use", "as", "system", false },
                { "BindDevice", "allow-in-use", "as", "blind", false },
                { "BindDevice", "allow-in-use", "s", "display", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                expect_call_error(f,
                        bind_call(f, cases[i].member, cases[i].option, cases[i].type,
                                cases[i].value),
                        cases[i].good ? SD_BUS_ERROR_ACCESS_DENIED : SD_BUS_ERROR_INVALID_ARGS,
                        cases[i].good ? NULL : cases[i].option);

        sd_bus_message *twice = test_call_new(f->client, NULL, GPU, BUS_INTERFACE_DEVICE, "Bind",
                "a{sv}", 2, "driver", "s", "vfio-pci", "driver", "s", "pci-stub");
        expect_call_error(f, twice, SD_BUS_ERROR_INVALID_ARGS, "twice");
        expect_call_error(f, with_string(manager_call(f, "BindDevice"), "0000:01:00.0"),
                SD_BUS_ERROR_INVALID_ARGS, NULL);
        ASSERT_EQ(f->manager.n_applies, 0);
}

static void test_plan_and_explain(Fixture *f)
{
        expect_call_text(f,
                test_call_new(f->client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "Plan", "a{sv}", 2,
                        "prune", "b", true, "next-boot", "b", true),
                "[75 0000:02:00.0 none tg3 tg3 in-use-network]");
        ASSERT_TRUE(f->manager.planned_prune && f->manager.planned_next_boot);
        expect_call_error(f,
                test_call_new(f->client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "Plan", "a{sv}", 1,
                        "driver", "s", "vfio-pci"),
                SD_BUS_ERROR_INVALID_ARGS, "driver");
        expect_call_text(f, with_string(manager_call(f, "Explain"), "01:00.0"),
                "[gaming-gpu /etc/vfio-bind.conf 1 address=0000:01:00.0 yes - "
                "gaming-gpu /etc/vfio-bind.conf 1 - yes - "
                "lab.nic /etc/vfio-bind.conf 2 address=0000:02:00.0 no - "
                "lab.nic /etc/vfio-bind.conf 2 - no - "
                "gone /etc/vfio-bind.conf 3 address=0000:7f:00.0 no - "
                "gone /etc/vfio-bind.conf 3 - no -]");
}

/* Nothing has a driver yet when the next boot comes to it. */
static void test_plan_of_next_boot(void)
{
        Fixture f;

        fixture_init(&f, view_new("0000:02:00.0 id=14e4:165f class=020000 group=75 driver=tg3\n"));
        expect_call_text(&f,
                test_call_new(f.client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "Plan", "a{sv}", 0),
                "[75 0000:02:00.0 bind tg3 vfio-pci -]");
        expect_call_text(&f,
                test_call_new(f.client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "Plan", "a{sv}", 1,
                        "next-boot", "b", true),
                "[75 0000:02:00.0 bind - vfio-pci -]");
        fixture_done(&f);
}

/* Everything that needs authorization is denied to a caller that cannot be told. */
static void test_bridges_stay(Fixture *f)
{
        sd_bus_message *call = with_string(manager_call(f, "BindDevice"), "0000:00:01.0");

        ASSERT_TRUE(sd_bus_message_append(call, "a{sv}", 0) >= 0);
        expect_call_error(f, call, SD_BUS_ERROR_NOT_SUPPORTED, "0000:00:01.0 is a bridge");
        ASSERT_EQ(f->manager.n_applies, 0);
}

static void test_denied_without_bus(Fixture *f)
{
        static const struct {
                const char *path, *interface, *member, *types;
        } calls[] = {
                { BUS_ROOT, BUS_INTERFACE_MANAGER, "Reload", "" },
                { GPU, BUS_INTERFACE_DEVICE, "Bind", "a{sv}" },
                { GPU, BUS_INTERFACE_DEVICE, "Release", "a{sv}" },
                { BUS_PREFIX_GROUP "/14", BUS_INTERFACE_GROUP, "ListHolders", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                expect_call_error(f,
                        test_call_new(f->client, NULL, calls[i].path, calls[i].interface,
                                calls[i].member, calls[i].types, 0),
                        SD_BUS_ERROR_ACCESS_DENIED, NULL);
        expect_call_error(f,
                test_call_new(f->client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "Apply", "asa{sv}",
                        0, 0),
                SD_BUS_ERROR_ACCESS_DENIED, NULL);
        expect_call_error(f,
                test_call_new(f->client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "Apply", "asa{sv}",
                        1, "nobody", 0),
                BUS_ERROR_NO_SUCH_CLAIM, "nobody");
        ASSERT_EQ(f->manager.n_reloads, 0);
        ASSERT_EQ(f->manager.n_applies, 0);
}

int main(void)
{
        Fixture f;

        fixture_init(&f, view_new(fixture_machine));
        test_lookups(&f);
        test_options(&f);
        test_plan_and_explain(&f);
        test_bridges_stay(&f);
        test_denied_without_bus(&f);
        fixture_done(&f);
        test_plan_of_next_boot();
        return 0;
}
