/* SPDX-License-Identifier: Apache-2.0 */
#include "model/label.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "test.h"

#define ZEROS56 "00000000000000000000000000000000000000000000000000000000"

#define LABEL(text, want) check_label(__LINE__, text, want)

static void check_label(int line, const char *text, const char *want)
{
    CLEANUP(free) char *got = label_normalise(text);

    CHECK_STR_AT(line, got, want);
}

/* STYX-POD-02 */
TEST(label_vectors)
{
    LABEL("styx-canary", "styx-canary");
    LABEL("StyxCanary", "styxcanary7addc64");
    LABEL("2017-01-01T01", "2017-01-01t0101107e5");
    LABEL("2017-01-01T01:00:00Z", "2017-01-01t010000z757d892");
    LABEL("-spotify", "p-spotifye6181c8");
    LABEL("spotify#com", "spotifycom3de352c");
    LABEL(ZEROS56 "00000000", ZEROS56 "60e05bd");
}

/* STYX-POD-02 */
TEST(labels_stay_as_they_are)
{
    LABEL("", "");
    LABEL("a", "a");
    LABEL("0", "0");
    LABEL("a_b-c", "a_b-c");
    LABEL("2017-01-01", "2017-01-01");
    LABEL(ZEROS56 "0000000", ZEROS56 "0000000");
}

static bool is_kubernetes_label(const char *label)
{
    size_t len = strlen(label);
    const char *ends = "abcdefghijklmnopqrstuvwxyz0123456789";

    return len == 0 ||
           (len <= 63 && strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len &&
            strchr(ends, label[0]) && strchr(ends, label[len - 1]));
}

static void check_valid(const char *text)
{
    CLEANUP(free) char *label = label_normalise(text);
    CLEANUP(free) char *again = label_normalise(label);

    if (!is_kubernetes_label(label))
        TEST_FAIL("\"%s\" becomes \"%s\"", text, label);
    CHECK_STR(again, label);
}

TEST(labels_are_valid_whatever_the_text)
{
    static const char alphabet[] = "abzAZ09_-_-#.:/ \xc3\xa4\xff";
    struct rng rng;

    check_valid("#_x");
    check_valid("#");
    check_valid("-");
    check_valid("_");
    check_valid("a-");
    check_valid("ä");
    check_valid(ZEROS56 "-------------");
    rng_init(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        char text[100];
        size_t n = rng_below(&rng, sizeof(text));

        for (size_t k = 0; k < n; k++)
            text[k] = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
        text[n] = '\0';
        check_valid(text);
    }
}

TEST(different_texts_have_different_labels)
{
    CLEANUP(free) char *a = label_normalise("Report");
    CLEANUP(free) char *b = label_normalise("report#");
    CLEANUP(free) char *c = label_normalise("report");

    CHECK(strcmp(a, b) != 0);
    CHECK(strcmp(a, c) != 0);
    CHECK(strcmp(b, c) != 0);
}

TEST(a_label_value)
{
    static const char *const good[] = {"", "a", "A", "7", "a-b", "a_b.C", ZEROS56 "1234567"};
    static const char *const bad[] = {"-a",  "a-",  ".a",       "a_",
                                      "a b", "a/x", "\xc3\xa4", ZEROS56 "12345678"};
    struct error err;

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        CHECK_OK(label_check(good[i], &err), &err);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK_ERROR(label_check(bad[i], &err), &err, ERROR_INVALID);
}
