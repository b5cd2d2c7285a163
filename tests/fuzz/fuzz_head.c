/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of head_check, for any bytes: it takes exactly those that a second judge takes, who
 * looks for texts in the whole head instead of walking along its lines.
 */
#include "apiserver/head.h"

#include "fuzz.h"

#include <ctype.h>

/* How often a lower-case text is in there. */
static int count(const char *head, const char *part)
{
    int n = 0;

    for (const char *p = head; (p = strstr(p, part)); p++)
        n++;
    return n;
}

/* After an empty line. */
static size_t start(const uint8_t *data, size_t len)
{
    return len >= 2 && memcmp(data, "\r\n", 2) == 0 ? 2 : 0;
}

/* As text in lower case, NULs and all else that is no letter kept apart; ends after the empty line,
 * or is NULL if there is none. */
static char *head_text(const uint8_t *data, size_t len)
{
    size_t at = start(data, len);
    const uint8_t *end = memmem(data + at, len - at, "\r\n\r\n", 4);
    struct buf text = BUF_INIT;

    if (!end || memmem(data + at, len - at, "\r\n", 2) == data + at) {
        buf_done(&text);
        return NULL;
    }
    for (const uint8_t *p = data + at; p < end + 4; p++)
        buf_addc(&text, *p ? (char) tolower(*p) : '\1');
    return buf_take(&text);
}

/* Names are in any case, versions are not. */
static bool is_old(const uint8_t *data, size_t len)
{
    static const char version[] = " HTTP/1.0\r\n";
    const uint8_t *found = memmem(data, len, version, strlen(version)),
                  *line_end = memmem(data + start(data, len), len - start(data, len), "\r\n", 2);

    return found && found + strlen(version) - 2 == line_end;
}

static bool naive_judge(const char *head, bool old)
{
    int lengths = count(head, "\r\ncontent-length:"),
        codings = count(head, "\r\ntransfer-encoding:"), hosts = count(head, "\r\nhost:");

    if (count(head, "\n") != count(head, "\r\n") || count(head, "\r\n ") || count(head, "\r\n\t"))
        return false;
    return lengths + codings <= 1 && (!old || codings == 0) && hosts <= 1 && (old || hosts == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct error err = {0};
    size_t head_len = 0;
    char *text = head_text(data, len);

    if (head_check((const char *) data, len, &head_len, &err)) {
        FUZZ_CHECK(text && naive_judge(text, is_old(data, len)));
        FUZZ_CHECK(head_len <= len && memcmp(data + head_len - 4, "\r\n\r\n", 4) == 0);
    } else {
        FUZZ_CHECK(!text || !naive_judge(text, is_old(data, len)));
        FUZZ_CHECK(err.code == ERROR_INVALID && *err.text && head_len == 0);
    }
    free(text);
    return 0;
}
