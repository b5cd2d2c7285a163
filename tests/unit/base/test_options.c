/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include "test.h"

struct config {
    bool dry;
    const char *ns;
    int64_t workers, lease_ms;
    int format;
    struct option_list watched, env;
    const char *needed;
};

static bool check_lower(const char *text, struct error *err)
{
    if (strspn(text, "abcdefghijklmnopqrstuvwxyz") == strlen(text))
        return true;
    return error_set(err, ERROR_INVALID, "\"%s\" is not lower case", text);
}

static const char *const formats[] = {"auto", "text", "json", NULL};

static const struct option_row rows[] = {
    {"dry-run", OPTION_BOOL, offsetof(struct config, dry), .help = "Only look."},
    {.help = "Names"},
    {"namespace", OPTION_TEXT, offsetof(struct config, ns), "NAME", "home", "Where it lives.",
     .low = 2, .high = 10, .check = check_lower},
    {"watch", OPTION_LIST, offsetof(struct config, watched), "NAME", "one,two",
     "Namespaces to watch, which is a text that has to be wrapped because it is long.", .high = 3,
     .check = check_lower},
    {"env", OPTION_REPEATED, offsetof(struct config, env), "NAME=VALUE", NULL, "A variable."},
    {.help = "Limits"},
    {"workers", OPTION_INT, offsetof(struct config, workers), "N", "4", "How many at once.",
     .low = -2, .high = 64},
    {"lease-duration", OPTION_DURATION, offsetof(struct config, lease_ms), "TIME", "5s",
     "How long a lease lasts.", .low = 1000, .high = 90000},
    {"log-format", OPTION_ENUM, offsetof(struct config, format), NULL, "json",
     "Form of the log | lines.", .choices = formats},
};

static const struct options options = {"prog", "Does things.", rows, ARRAY_SIZE(rows), "[thing]"};

/* Arguments in one text, separated by '|'. */
static bool parse(const struct options *o, const char *line, struct config *config,
                  struct options_given *given, struct error *err)
{
    char *argv[20] = {(char[]) {"prog"}}, text[500];
    char *rest = text, *arg;
    int argc = 1;

    snprintf(text, sizeof(text), "%s", line);
    while (*line && (arg = strsep(&rest, "|")))
        argv[argc++] = arg;
    return options_parse(o, argc, argv, config, given, err);
}

static void describe_list(struct buf *out, const struct option_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        buf_addf(out, "%s%s", i ? "," : "", list->items[i]);
    buf_addc(out, ' ');
}

#define PARSES(line, want) check_parses(__LINE__, line, want)
#define FAILS(line, want)  check_fails(__LINE__, line, want)

/* dry namespace watched env workers lease format arguments */
static void check_parses(int line, const char *arguments, const char *want)
{
    struct config config = {0};
    struct options_given given;
    struct error err;
    struct buf out = BUF_INIT;

    CHECK_OK_AT(line, parse(&options, arguments, &config, &given, &err), &err);
    buf_addf(&out, "%d %s ", config.dry, config.ns);
    describe_list(&out, &config.watched);
    describe_list(&out, &config.env);
    buf_addf(&out, "%" PRId64 " %" PRId64 " %d ", config.workers, config.lease_ms, config.format);
    describe_list(&out, &given.arguments);
    CHECK_STR_AT(line, out.data, want);
    buf_done(&out);
    options_done(&options, &config);
    option_list_done(&given.arguments);
}

static void check_fails(int line, const char *arguments, const char *want)
{
    struct config config = {0};
    struct options_given given;
    struct error err;

    CHECK_ERROR_AT(line, parse(&options, arguments, &config, &given, &err), &err, ERROR_INVALID);
    CHECK_STR_AT(line, err.text, want);
}

TEST(the_table_of_this_test_is_sound)
{
    struct error err;

    CHECK_OK(options_check(&options, &err), &err);
}

TEST(values_of_all_types)
{
    PARSES("", "0 home one,two  4 5000 2  ");
    PARSES("--dry-run|--workers=7|--lease-duration|1m|--log-format=auto",
           "1 home one,two  7 60000 0  ");
    PARSES("--dry-run|--dry-run=false", "0 home one,two  4 5000 2  ");
    PARSES("--workers|-2", "0 home one,two  -2 5000 2  ");
    PARSES("--lease-duration=PT1M30S", "0 home one,two  4 90000 2  ");
    PARSES("--watch=a,b|--watch| c ", "0 home a,b,c  4 5000 2  ");
    PARSES("--watch=", "0 home   4 5000 2  ");
    PARSES("--env=A=1,2|--env=B=x=y", "0 home one,two A=1,2,B=x=y 4 5000 2  ");
    PARSES("--workers=1|--workers=2", "0 home one,two  2 5000 2  ");
    PARSES("x|--workers=2|y|--|--workers=3|-", "0 home one,two  2 5000 2 x,y,--workers=3,- ");
}

TEST(texts_are_borrowed_from_the_arguments)
{
    struct config config = {0};
    struct options_given given;
    struct error err;
    char arg[] = "--namespace=there";

    CHECK_OK(options_parse(&options, 2, (char *const[]) {arg, arg}, &config, &given, &err), &err);
    CHECK(config.ns == arg + strlen("--namespace="));
    options_done(&options, &config);
}

TEST(mistakes_name_option_value_and_limit)
{
    FAILS("--nope=1", "--nope: there is no such option; see --help");
    FAILS("--name=1", "--name: there is no such option; see --help");
    FAILS("--=1", "--: there is no such option; see --help");
    FAILS("-n", "-n: options begin with two dashes; see --help");
    FAILS("--workers", "--workers needs a value: --workers=N");
    FAILS("--workers|--dry-run", "--workers needs a value: --workers=N");
    FAILS("--workers=", "--workers: \"\" is not an integer");
    FAILS("--workers=1x", "--workers: \"1x\" is not an integer");
    FAILS("--workers= 1", "--workers: \" 1\" is not an integer");
    FAILS("--workers=+1", "--workers: \"+1\" is not an integer");
    FAILS("--workers=--1", "--workers: \"--1\" is not an integer");
    FAILS("--workers=99999999999999999999",
          "--workers: \"99999999999999999999\" is not an integer");
    FAILS("--workers=65", "--workers: 65 is not within -2 and 64");
    FAILS("--workers=-3", "--workers: -3 is not within -2 and 64");
    FAILS("--lease-duration=999ms", "--lease-duration: 999ms is not within 1s and 1m30s");
    FAILS("--lease-duration=5",
          "--lease-duration: \"5\" is not a duration like 1h30m, 250ms or PT5S");
    FAILS("--log-format=xml", "--log-format: \"xml\" is none of auto, text, json");
    FAILS("--dry-run=yes", "--dry-run: \"yes\" is neither true nor false");
    FAILS("--namespace=x", "--namespace: \"x\" has fewer bytes than 2");
    FAILS("--namespace=elevenbytes", "--namespace: \"elevenbytes...\" has 11 bytes, more than 10");
    FAILS("--namespace=Home", "--namespace: \"Home\" is not lower case");
    FAILS("--watch=a,b|--watch=c,d", "--watch: more than 3 items");
    FAILS("--watch=a,,b", "--watch: an item has 0 bytes, not within 1 and 4096");
    FAILS("--watch=a,", "--watch: nothing follows the last comma");
    FAILS("--watch=a,B", "--watch: \"B\" is not lower case");
    FAILS("--env=", "--env: an item has 0 bytes, not within 1 and 4096");
    FAILS("x|--nope", "--nope: there is no such option; see --help");
}

TEST(arguments_have_to_be_expected)
{
    const struct options none = {"prog", "", rows, ARRAY_SIZE(rows), NULL};
    struct config config = {0};
    struct options_given given;
    struct error err;

    CHECK_ERROR(parse(&none, "x", &config, &given, &err), &err, ERROR_INVALID);
    CHECK_STR(err.text, "\"x\": only options are expected; see --help");
}

TEST(the_environment_stands_in)
{
    setenv("KHARON_WORKERS", "9", 1);
    setenv("KHARON_LEASE_DURATION", "7s", 1);
    setenv("KHARON_WATCH", "x,y", 1);
    setenv("KHARON_NAMESPACE", "", 1);
    setenv("KHARON_DRY_RUN", "true", 1);
    PARSES("--lease-duration=8s|--watch=z", "1 home z  9 8000 2  ");
    setenv("KHARON_WORKERS", "many", 1);
    FAILS("", "KHARON_WORKERS: \"many\" is not an integer");
    PARSES("--workers=3", "1 home x,y  3 7000 2  ");
    unsetenv("KHARON_WORKERS");
    unsetenv("KHARON_LEASE_DURATION");
    unsetenv("KHARON_WATCH");
    unsetenv("KHARON_NAMESPACE");
    unsetenv("KHARON_DRY_RUN");
}

TEST(required_options_and_lists)
{
    static const struct option_row needed[] = {
        {"needed", OPTION_TEXT, offsetof(struct config, needed), "X", NULL, "It.",
         .required = true},
        {"watch", OPTION_LIST, offsetof(struct config, watched), "X", NULL, "Two.", .low = 2,
         .high = 9}};
    const struct options o = {"prog", "", needed, ARRAY_SIZE(needed), NULL};
    struct config config = {0};
    struct options_given given;
    struct error err;

    CHECK_ERROR(parse(&o, "--watch=a,b", &config, &given, &err), &err, ERROR_INVALID);
    CHECK_STR(err.text, "--needed (or KHARON_NEEDED) is required");
    CHECK_ERROR(parse(&o, "--watch=a|--needed=x", &config, &given, &err), &err, ERROR_INVALID);
    CHECK_STR(err.text, "--watch: 1 items are fewer than 2");
    CHECK_INT(config.watched.n, 0);
    CHECK_OK(parse(&o, "--watch=a,b|--needed=x", &config, &given, &err), &err);
    options_done(&o, &config);
}

TEST(wishes_win_over_later_mistakes)
{
    struct config config = {0};
    struct options_given given;
    struct error err;

    CHECK_OK(parse(&options, "--help|--nope", &config, &given, &err), &err);
    CHECK(given.help && !given.version && !given.markdown);
    CHECK_OK(parse(&options, "-h", &config, &given, &err), &err);
    CHECK(given.help);
    CHECK_OK(parse(&options, "--help=markdown", &config, &given, &err), &err);
    CHECK(given.help && given.markdown);
    CHECK_OK(parse(&options, "--version", &config, &given, &err), &err);
    CHECK(given.version && !given.help);
    CHECK(!config.ns);
    CHECK_ERROR(parse(&options, "--nope|--help", &config, &given, &err), &err, ERROR_INVALID);
}

TEST(help_for_people)
{
    struct buf out = BUF_INIT;

    options_help(&options, &out);
    CHECK_STR(out.data,
              "Usage: prog [OPTION]... [thing]\n"
              "\n"
              "Does things.\n"
              "\n"
              "Options:\n"
              "  --dry-run                 Only look. (KHARON_DRY_RUN)\n"
              "\n"
              "Names:\n"
              "  --namespace=NAME          Where it lives. (default home; 2 to 10 bytes;\n"
              "                            KHARON_NAMESPACE)\n"
              "  --watch=NAME,...          Namespaces to watch, which is a text that has to be\n"
              "                            wrapped because it is long. (default one,two; at\n"
              "                            most 3 items; KHARON_WATCH)\n"
              "  --env=NAME=VALUE ...      A variable. (KHARON_ENV)\n"
              "\n"
              "Limits:\n"
              "  --workers=N               How many at once. (default 4; -2 to 64;\n"
              "                            KHARON_WORKERS)\n"
              "  --lease-duration=TIME     How long a lease lasts. (default 5s; 1s to 1m30s;\n"
              "                            KHARON_LEASE_DURATION)\n"
              "  --log-format=auto|text|json\n"
              "                            Form of the log | lines. (default json;\n"
              "                            KHARON_LOG_FORMAT)\n"
              "\n"
              "Also:\n"
              "  --help, --help=markdown   This text, or tables of it.\n"
              "  --version                 The version.\n");
    buf_done(&out);
}

TEST(tables_for_the_reference)
{
    struct buf out = BUF_INIT;

    options_markdown(&options, &out);
    CHECK_HAS(out.data,
              "## prog\n\nDoes things.\n\n| option | variable | default | limits | meaning |\n"
              "| --- | --- | --- | --- | --- |\n"
              "| `--dry-run` | `KHARON_DRY_RUN` |  |  | Only look. |\n\n### Names\n");
    CHECK_HAS(out.data,
              "| `--lease-duration=TIME` | `KHARON_LEASE_DURATION` | `5s` | 1s to 1m30s | "
              "How long a lease lasts. |\n");
    CHECK_HAS(out.data, "| `--log-format=auto\\|text\\|json` | `KHARON_LOG_FORMAT` | `json` |  | "
                        "Form of the log \\| lines. |\n");
    buf_done(&out);
}

#define UNSOUND(want, ...) check_unsound(__LINE__, (struct option_row) {__VA_ARGS__}, want)

static void check_unsound(int line, struct option_row row, const char *want)
{
    struct option_row twice[] = {row, row};
    const struct options o = {"prog", "", twice, 2, NULL};
    struct error err;

    CHECK_ERROR_AT(line, options_check(&o, &err), &err, ERROR_INVALID);
    CHECK_HAS_AT(line, err.text, want);
}

TEST(unsound_tables_are_found)
{
    UNSOUND("a-z", "Upper", OPTION_BOOL, 0, .help = "X.");
    UNSOUND("built in", "help", OPTION_BOOL, 0, .help = "X.");
    UNSOUND("Kubernetes sets", "port", OPTION_INT, 0, "N", .help = "X.");
    UNSOUND("Kubernetes sets", "service-host", OPTION_INT, 0, "N", .help = "X.");
    UNSOUND("Kubernetes sets", "apiserver-port", OPTION_INT, 0, "N", .help = "X.");
    UNSOUND("sentence", "x", OPTION_BOOL, 0, .help = "no full stop");
    UNSOUND("placeholder", "x", OPTION_INT, 0, .help = "X.");
    UNSOUND("choices", "x", OPTION_ENUM, 0, .help = "X.");
    UNSOUND("5 is more than 4", "x", OPTION_INT, 0, "N", NULL, "X.", .low = 5, .high = 4);
    UNSOUND("and has a default", "x", OPTION_INT, 0, "N", "1", "X.", .required = true);
    UNSOUND("9 is not within", "x", OPTION_INT, 0, "N", "9", "X.", .low = 1, .high = 4);
    UNSOUND("twice", "x", OPTION_INT, 0, "N", "9", "X.");
}

#define DURATION(text, want) check_duration(__LINE__, text, want)

/* want < 0: it is none */
static void check_duration(int line, const char *text, int64_t want)
{
    struct error err;
    int64_t got = -1;

    CHECK_AT(line, option_duration_parse(text, &got, &err) == (want >= 0));
    CHECK_INT_AT(line, got, want);
}

TEST(durations)
{
    DURATION("0", 0);
    DURATION("0s", 0);
    DURATION("250ms", 250);
    DURATION("5s", 5000);
    DURATION("1m30s", 90000);
    DURATION("2d1h", 176400000);
    DURATION("90m", 5400000);
    DURATION("PT3M", 180000);
    DURATION("P2D", 172800000);
    DURATION("P1DT2H3M4S", 93784000);
    DURATION("", -1);
    DURATION("5", -1);
    DURATION("s", -1);
    DURATION("-5s", -1);
    DURATION("1.5s", -1);
    DURATION("5s ", -1);
    DURATION("5S", -1);
    DURATION("1s1m", -1);
    DURATION("1s1s", -1);
    DURATION("1w", -1);
    DURATION("9223372036854775807d", -1);
    DURATION("106751991167d9223372036854775807ms", -1);
    DURATION("99999999999999999999s", -1);
    DURATION("P", -1);
    DURATION("PT", -1);
    DURATION("P1", -1);
    DURATION("P1M", -1);
    DURATION("P1DT", -1);
    DURATION("PT1D", -1);
    DURATION("PT1S1M", -1);
    DURATION("PTT1S", -1);
    DURATION("pt1s", -1);
}

TEST(durations_print_and_parse_to_the_same)
{
    static const int64_t samples[] = {0, 1, 999, 1000, 60000, 61001, 3600000, 86400000, 90061001};

    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        struct buf out = BUF_INIT;

        option_duration_print(samples[i], &out);
        DURATION(out.data, samples[i]);
        buf_done(&out);
    }
}

TEST(main_prints_and_says_how_to_exit)
{
    char bad[] = "--nope", version[] = "--version", fine[] = "--dry-run";
    struct config config = {0};
    struct options_given given;
    int status = -1;

    CHECK(!options_main(&options, 2, (char *const[]) {fine, bad}, &config, &given, &status));
    CHECK_INT(status, 2);
    CHECK(!options_main(&options, 2, (char *const[]) {fine, version}, &config, &given, &status));
    CHECK_INT(status, 0);
    status = -1;
    CHECK(options_main(&options, 2, (char *const[]) {fine, fine}, &config, &given, &status));
    CHECK_INT(status, -1);
    CHECK(config.dry);
    options_done(&options, &config);
}
