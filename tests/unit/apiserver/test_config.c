/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "apiserver/config.h"

TEST(the_table_of_options_is_sound)
{
    struct error err;

    CHECK_OK(options_check(&api_options, &err), &err);
}

/* NULL want: accepted; else a part of the error. */
static void check_arguments(int line, const char *const *arguments, size_t n, const char *want)
{
    struct api_config config = {0};
    struct options_given given = {0};
    struct places places;
    char *argv[8] = {(char[]) {"kharon-apiserver"}};
    struct error err;

    for (size_t i = 0; i < n; i++)
        argv[1 + i] = xstrdup(arguments[i]);
    bool parsed = options_parse(&api_options, (int) n + 1, argv, &config, &given, &err);
    bool ok = parsed && api_config_apply(&config, &places, &err);
    if (ok)
        places_done(&places);
    if (parsed)
        options_done(&api_options, &config);
    for (size_t i = 0; i < n; i++)
        free(argv[1 + i]);
    if (ok && want)
        test_fail_at(__FILE__, line, "accepted, want: %s", want);
    if (!ok && !want)
        test_fail_at(__FILE__, line, "%s", err.text);
    if (want)
        CHECK_HAS_AT(line, err.text, want);
}

#define ARGUMENTS(want, ...)                                                                       \
    check_arguments(__LINE__, (const char *const[]) {__VA_ARGS__},                                 \
                    sizeof((const char *const[]) {__VA_ARGS__}) / sizeof(char *), want)

TEST(authentication_has_to_be_said)
{
    ARGUMENTS("--authentication is missing", "--listen=:0");
    ARGUMENTS("--authentication: google is not supported yet", "--authentication=google");
    ARGUMENTS(NULL, "--authentication=none");
}

TEST(places_have_to_be_watched)
{
    ARGUMENTS(NULL, "--authentication=none", "--namespaces=a,b",
              "--component-namespaces=x=a,y=b,z=kharon");
    ARGUMENTS("x=c: the namespace is not watched", "--authentication=none",
              "--component-namespaces=x=c");
    ARGUMENTS("x is not COMPONENT=NAMESPACE", "--authentication=none", "--component-namespaces=x");
    ARGUMENTS("=a is not COMPONENT=NAMESPACE", "--authentication=none",
              "--component-namespaces==a");
    ARGUMENTS("listen", "--authentication=none", "--listen=nowhere");
}

/* design, section 3: where things live */
TEST(components_have_one_place)
{
    char *watched[] = {(char[]) {"billing"}, (char[]) {"kharon"}, (char[]) {"money"}};
    char *mapped[] = {(char[]) {"billing=money"}, (char[]) {"a=b=kharon"}};
    struct places p;
    struct error err;

    CHECK_ERROR(places_init(&p, watched, 3, mapped, 2, "kharon", &err), &err, ERROR_INVALID);
    CHECK_OK(places_init(&p, watched, 3, mapped, 1, "kharon", &err), &err);
    CHECK_STR(place_of(&p, "billing"), "money");
    CHECK_STR(place_of(&p, "money"), "money");
    CHECK_STR(place_of(&p, "other"), "kharon");
    CHECK_STR(place_of(&p, "kharon"), "kharon");
    CHECK_INT(p.watched.n, 3);
    places_done(&p);
}
