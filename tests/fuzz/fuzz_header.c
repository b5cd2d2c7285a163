/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of an answer's head (k8s/transfer.h), for any lines:
 *
 *  - a pause is none or whole seconds up to an hour, and the one that was asked for if that is a
 *    plain number;
 *  - a date is none or whole seconds; one in the form of RFC 9110 is what the C library says;
 *  - names count in any case, and a line that is none of ours changes nothing.
 */
#include "k8s/transfer.h"

#include "fuzz.h"

#include <strings.h>
#include <time.h>

#define LINES 6

/* The pause of a line "Retry-After: n", -1: none such. */
static int64_t plain_pause(const char *line)
{
    const char *value = line + strlen("retry-after: ");
    int64_t n = 0;

    if (strncasecmp(line, "retry-after: ", strlen("retry-after: ")) != 0)
        return -1;
    for (; *value >= '0' && *value <= '9'; value++)
        n = n > 100000 ? n : n * 10 + (*value - '0');
    return *value ? -1 : n > 3600 ? 0 : n * 1000;
}

/* The time of a line "Date: Sat, 10 Jan 2026 12:00:00 GMT", -1: none such. */
static int64_t plain_date(const char *line)
{
    char again[64];
    struct tm tm = {0};

    if (strncmp(line, "Date: ", 6) != 0)
        return -1;
    const char *end = strptime(line + 6, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    if (!end || *end || tm.tm_year < 70 || tm.tm_year > 200)
        return -1;
    time_t t = timegm(&tm);
    strftime(again, sizeof(again), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
    return strcmp(again, line + 6) == 0 ? (int64_t) t * 1000 : -1;
}

static bool is_named(const char *line, const char *name)
{
    return strncasecmp(line, name, strlen(name)) == 0;
}

static void check_line(struct transfer *t, const char *line)
{
    int64_t pause = plain_pause(line), date = plain_date(line), old_pause = t->retry_after_ms;
    int64_t old_date = transfer_date_ms(t);
    int old_status = t->status;

    transfer_header(t, line, strlen(line));
    FUZZ_CHECK(t->retry_after_ms >= 0 && t->retry_after_ms <= 3600000);
    FUZZ_CHECK(t->retry_after_ms % 1000 == 0 && transfer_date_ms(t) % 1000 == 0);
    FUZZ_CHECK(pause < 0 || t->retry_after_ms == pause);
    FUZZ_CHECK(date <= 0 || transfer_date_ms(t) == date);
    FUZZ_CHECK(transfer_date_ms(t) >= 0 && t->status >= 0 && t->status <= 999);
    FUZZ_CHECK(is_named(line, "retry-after:") || t->retry_after_ms == old_pause);
    FUZZ_CHECK(is_named(line, "date:") || transfer_date_ms(t) == old_date);
    FUZZ_CHECK(is_named(line, "HTTP/") || t->status == old_status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct transfer t = {0};
    char *lines[LINES];

    fuzz_lines(data, len, lines, LINES);
    for (size_t i = 0; i < LINES; i++)
        check_line(&t, lines[i]);
    fuzz_lines_done(lines, LINES);
    return 0;
}
