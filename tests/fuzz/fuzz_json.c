/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of base/json.h and of texts in base/buf.h, for any bytes:
 *
 *  - what is JSON is printed as JSON, and that is printed as itself; what is none has a reason;
 *  - a text is UTF-8 if and only if a second decoder says so; what is repaired is UTF-8, and the
 *    same if nothing was wrong; as JSON it is read back as what it was repaired to;
 *  - a cut is within the text, loses less than a character, and leaves UTF-8 UTF-8.
 */
#include "base/json.h"

#include "fuzz.h"

/* The length of the character at p, 0: none (RFC 3629). */
static size_t character(const unsigned char *p)
{
    uint32_t low, value = p[0];
    size_t n = value < 0x80 ? 1 : value < 0xC0 ? 0 : value < 0xE0 ? 2 : value < 0xF0 ? 3 : 4;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

    if (value >= 0xF8)
        return 0;
    if (n > 1)
        value &= 0x7Fu >> n;
    for (size_t i = 1; i < n; i++) {
        low = p[i];
        if (low >> 6 != 2)
            return 0;
        value = value << 6 | (low & 0x3F);
    }
    if (value < least[n] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    return n;
}

static bool naive_utf8(const char *text)
{
    const unsigned char *p = (const unsigned char *) text;

    while (*p) {
        size_t n = character(p);

        if (!n)
            return false;
        p += n;
    }
    return true;
}

static void check_repair(const char *text, bool valid)
{
    __attribute__((cleanup(buf_done_cleanup))) struct buf repaired = BUF_INIT, quoted = BUF_INIT;
    CLEANUP(json_decref) json_t *json = json_text(text);
    CLEANUP(json_decref) json_t *read = NULL;
    struct error err;

    buf_add_utf8(&repaired, text);
    buf_add_json(&quoted, text);
    FUZZ_CHECK(naive_utf8(buf_text(&repaired)));
    FUZZ_CHECK(!valid || strcmp(buf_text(&repaired), text) == 0);
    FUZZ_CHECK(strcmp(json_string_value(json), buf_text(&repaired)) == 0);
    FUZZ_CHECK(json_parse(buf_text(&quoted), quoted.len, &read, &err));
    FUZZ_CHECK(json_equal(json, read));
}

static void check_cut(const char *text, size_t at, bool valid)
{
    size_t cut = utf8_cut(text, at);

    FUZZ_CHECK(cut <= at && at - cut < 4);
    if (valid) {
        CLEANUP(free) char *rest = xstrndup(text, cut);

        FUZZ_CHECK(naive_utf8(rest));
    }
}

static void check_text(const uint8_t *data, size_t len)
{
    char *text;

    fuzz_lines(data, len, &text, 1);
    bool valid = naive_utf8(text);
    FUZZ_CHECK(utf8_valid(text) == valid);
    check_repair(text, valid);
    size_t end = strlen(text);
    for (size_t at = end > 20 ? end - 20 : 0; at <= end; at++)
        check_cut(text, at, valid);
    fuzz_lines_done(&text, 1);
}

static void check_json(const char *text, size_t len)
{
    CLEANUP(json_decref) json_t *json = NULL;
    CLEANUP(json_decref) json_t *again = NULL;
    struct error err = {0};

    if (!json_parse(text, len, &json, &err)) {
        FUZZ_CHECK(!json && err.code == ERROR_INVALID && *err.text && utf8_valid(err.text));
        return;
    }
    CLEANUP(free) char *printed = json_print(json);
    FUZZ_CHECK(utf8_valid(printed) && json_parse(printed, strlen(printed), &again, &err));
    CLEANUP(free) char *twice = json_print(again);
    FUZZ_CHECK(strcmp(printed, twice) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    check_json((const char *) data, len);
    check_text(data, len);
    return 0;
}
