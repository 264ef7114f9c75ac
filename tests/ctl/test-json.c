/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/json.h"

#include "lib/test.h"

static char *print(Json *json)
{
        char *text = NULL;
        size_t length;
        FILE *file = open_memstream(&text, &length);

        ASSERT_TRUE(file);
        ASSERT_OK(json_print(json, file));
        ASSERT_OK(fclose(file));
        return text;
}

static void fill(Json *json)
{
        char *list[] = { (char *) "a", (char *) "b", NULL };

        json_open_object(json, NULL);
        json_integer(json, "SchemaVersion", 1);
        json_string(json, "None", NULL);
        json_strings(json, "List", list);
        json_strings(json, "Empty", NULL);
        json_open_array(json, "Objects");
        json_open_object(json, NULL);
        json_close_object(json);
        json_open_object(json, NULL);
        json_integer(json, "Number", INT64_MIN);
        json_close_object(json);
        json_close_array(json);
        json_close_object(json);
}

static void test_forms(void)
{
        _cleanup_json_ Json json = {}, pretty = { .pretty = true };
        _cleanup_free_ char *text = NULL, *pretty_text = NULL;

        fill(&json);
        text = print(&json);
        ASSERT_STREQ(text,
                "{\"SchemaVersion\":1,\"None\":null,\"List\":[\"a\",\"b\"],\"Empty\":[],"
                "\"Objects\":[{},{\"Number\":-9223372036854775808}]}\n");
        fill(&pretty);
        pretty_text = print(&pretty);
        ASSERT_STREQ(pretty_text,
                "{\n"
                "  \"SchemaVersion\": 1,\n"
                "  \"None\": null,\n"
                "  \"List\": [\n"
                "    \"a\",\n"
                "    \"b\"\n"
                "  ],\n"
                "  \"Empty\": [],\n"
                "  \"Objects\": [\n"
                "    {},\n"
                "    {\n"
                "      \"Number\": -9223372036854775808\n"
                "    }\n"
                "  ]\n"
                "}\n");
}

static void expect_string(const char *text, const char *wanted)
{
        _cleanup_json_ Json json = {};
        _cleanup_free_ char *printed = NULL;

        json_string(&json, NULL, text);
        printed = print(&json);
        ASSERT_STREQ(printed, wanted);
}

static void test_strings(void)
{
        expect_string("", "\"\"\n");
        expect_string("a\"b\\c/", "\"a\\\"b\\\\c/\"\n");
        expect_string("\n\t\x01\x1b\x7f", "\"\\u000a\\u0009\\u0001\\u001b\\u007f\"\n");
        expect_string("\xc2\x9b", "\"\\u009b\"\n");
        expect_string("\xe2\x80\xae", "\"\\u202e\"\n");
        expect_string("\xf3\xa0\x80\x81", "\"\\udb40\\udc01\"\n"); /* U+E0001 */
        expect_string("caf\xc3\xa9 \xf0\x9f\x98\x80", "\"caf\xc3\xa9 \xf0\x9f\x98\x80\"\n");
        expect_string("\xff\xc0\xaf", "\"\\ufffd\\ufffd\\ufffd\"\n");
}

int main(void)
{
        test_forms();
        test_strings();
        return 0;
}
