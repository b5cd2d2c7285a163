/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of base/options.h, for any arguments:
 *
 *  - what is taken is within the limits of the table; a refusal names an option or an argument, and
 *    nothing is owned afterwards;
 *  - a duration that is printed is read as the same, and one that is read is printed so that it is.
 *
 * Each line is an argument; the first is also a duration.
 */
#include "base/options.h"

#include "fuzz.h"

#define ARGS_MAX 8

struct config {
    bool on;
    const char *text;
    int64_t number, duration;
    int choice;
    struct option_list list, repeated;
};

static bool check_item(const char *text, struct error *err)
{
    return *text != 'x' || error_set(err, ERROR_INVALID, "%s: begins with an x", text);
}

static const char *const choices[] = {"one", "two", "three", NULL};
static const struct option_row rows[] = {
    {.help = "Heading"},
    {"on", OPTION_BOOL, offsetof(struct config, on), NULL, "false", "A switch."},
    {"text", OPTION_TEXT, offsetof(struct config, text), "TEXT", "abc", "A text.", .high = 5},
    {"number", OPTION_INT, offsetof(struct config, number), "N", "7", "A number.", .low = -5,
     .high = 50},
    {"duration", OPTION_DURATION, offsetof(struct config, duration), "TIME", "5s", "A time.",
     .low = 1000, .high = 60000},
    {"choice", OPTION_ENUM, offsetof(struct config, choice), "NAME", "one", "A choice.",
     .choices = choices},
    {"list", OPTION_LIST, offsetof(struct config, list), "NAME", NULL, "Names.", .high = 3,
     .check = check_item},
    {"repeated", OPTION_REPEATED, offsetof(struct config, repeated), "NAME", NULL, "More names.",
     .high = 3},
};
static const struct options options = {"fuzz", "Takes anything.", rows, ARRAY_SIZE(rows)};

static void check_config(const struct config *c)
{
    FUZZ_CHECK(c->text && strlen(c->text) <= 5);
    FUZZ_CHECK(c->number >= -5 && c->number <= 50);
    FUZZ_CHECK(c->duration >= 1000 && c->duration <= 60000);
    FUZZ_CHECK(c->choice >= 0 && c->choice < 3);
    FUZZ_CHECK(c->list.n <= 3 && c->repeated.n <= 3);
    for (size_t i = 0; i < c->list.n; i++)
        FUZZ_CHECK(*c->list.items[i] && !strpbrk(c->list.items[i], ",") &&
                   c->list.items[i][0] != 'x');
}

static void check_arguments(char *lines[ARGS_MAX])
{
    char *argv[ARGS_MAX + 2] = {(char[]) {"fuzz"}};
    struct config config = {0};
    struct options_given given = {0};
    struct error err = {0};
    int argc = 1;

    while (argc <= ARGS_MAX && *lines[argc - 1]) {
        argv[argc] = lines[argc - 1];
        argc++;
    }
    if (!options_parse(&options, argc, argv, &config, &given, &err)) {
        FUZZ_CHECK(err.code == ERROR_INVALID && *err.text);
        FUZZ_CHECK(!config.list.items && !config.repeated.items && !given.arguments.items);
        return;
    }
    if (!given.help && !given.markdown && !given.version)
        check_config(&config);
    FUZZ_CHECK(given.arguments.n == 0); /* the table allows none */
    options_done(&options, &config);
    option_list_done(&given.arguments);
}

static void check_duration(const char *text)
{
    struct buf printed = BUF_INIT;
    int64_t ms = -1, again = -1;
    struct error err = {0};

    if (!option_duration_parse(text, &ms, &err)) {
        FUZZ_CHECK(ms == -1);
        fuzz_check_error(&err, text);
        return;
    }
    FUZZ_CHECK(ms >= 0);
    option_duration_print(ms, &printed);
    FUZZ_CHECK(option_duration_parse(buf_text(&printed), &again, &err) && again == ms);
    buf_done(&printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *lines[ARGS_MAX];

    fuzz_lines(data, len, lines, ARGS_MAX);
    check_duration(lines[0]);
    check_arguments(lines);
    fuzz_lines_done(lines, ARGS_MAX);
    return 0;
}
