/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of instant_parse, for any text: a second reader (naive_iso.h) accepts the same texts
 * and comes to the same milliseconds; what is printed of it is read as the same.
 */
#include "model/time.h"

#include "naive_iso.h"

#include "fuzz.h"

static bool naive_instant(const char *text, int64_t *ret_ms)
{
    size_t len = strlen(text), zone = len;
    int64_t seconds = 0;

    if (len < 11 || !naive_has_form(text, 10, "0000-00-00") || !strchr("Tt", text[10]))
        return false;
    if (strchr("Zz", text[len - 1])) {
        zone = len - 1;
    } else {
        zone = 11 + strcspn(text + 11, "+-");
        if (!naive_zone(text + zone, &seconds))
            return false;
    }
    if (zone < 16 || !naive_moment(text, text + 11, zone - 11, ret_ms))
        return false;
    *ret_ms -= seconds * 1000;
    return *ret_ms >= INSTANT_MIN && *ret_ms <= INSTANT_MAX;
}

static void check(const char *text)
{
    char printed[INSTANT_TEXT_MAX];
    int64_t want = 0;
    instant t = INSTANT_NONE, again = 0;
    struct error err = {0};
    bool accepted = naive_instant(text, &want);

    if (!instant_parse(text, &t, &err)) {
        FUZZ_CHECK(!accepted && t == INSTANT_NONE && err.code == ERROR_INVALID);
        fuzz_check_error(&err, text);
        return;
    }
    FUZZ_CHECK(accepted && t == want);
    FUZZ_CHECK(instant_parse(instant_print(t, printed), &again, &err) && again == t);
    FUZZ_CHECK(instant_parse(instant_print_micro(t, printed), &again, &err) && again == t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *line;

    fuzz_lines(data, len, &line, 1);
    check(line);
    fuzz_lines_done(&line, 1);
    return 0;
}
