/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/buf.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static const char *const format_names[] = {"auto", "text", "json"};

static enum log_level threshold = LOG_INFO;
static bool as_json = true;
static void (*sink)(const char *line, size_t len, void *arg);
static int64_t (*clock_of)(void *arg);
static void *redirect_arg;

void log_setup(enum log_format format, enum log_level level)
{
    threshold = level;
    as_json = format == LOG_JSON || (format == LOG_AUTO && !isatty(STDERR_FILENO));
}

void log_redirect(void (*new_sink)(const char *line, size_t len, void *arg),
                  int64_t (*clock)(void *arg), void *arg)
{
    sink = new_sink;
    clock_of = clock;
    redirect_arg = arg;
}

bool log_enabled(enum log_level level)
{
    return level >= threshold;
}

static int64_t now_ms(void)
{
    struct timespec ts;

    if (clock_of)
        return clock_of(redirect_arg);
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void add_time(struct buf *b, int64_t ms)
{
    time_t seconds = (time_t) (ms / 1000);
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    buf_addf(b, "%s.%03dZ", text, (int) (ms % 1000));
}

/* A text line stays one line of fields, and what others sent does not steer a terminal. */
static bool needs_quotes(const char *text)
{
    if (!text || !*text)
        return true;
    for (; *text; text++)
        if ((unsigned char) *text <= ' ' || strchr("\"=\\\x7F", *text))
            return true;
    return false;
}

static void add_value(struct buf *b, const struct log_field *f)
{
    if (f->type == LOG_FIELD_INT)
        buf_addf(b, "%" PRId64, f->number);
    else if (f->type == LOG_FIELD_BOOL)
        buf_adds(b, f->number ? "true" : "false");
    else if (as_json || needs_quotes(f->text))
        buf_add_json(b, f->text);
    else
        buf_add_utf8(b, f->text);
}

static void add_json_line(struct buf *b, enum log_level level, const char *message,
                          const struct log_field *fields, size_t n)
{
    buf_adds(b, "{\"ts\":\"");
    add_time(b, now_ms());
    buf_addf(b, "\",\"level\":\"%s\",\"msg\":", level_names[level]);
    buf_add_json(b, message);
    for (size_t i = 0; i < n; i++) {
        buf_addf(b, ",\"%s\":", fields[i].key);
        add_value(b, &fields[i]);
    }
    buf_adds(b, "}\n");
}

static void add_text_line(struct buf *b, enum log_level level, const char *message,
                          const struct log_field *fields, size_t n)
{
    add_time(b, now_ms());
    buf_addf(b, " %-7s %s", level_names[level], message);
    for (size_t i = 0; i < n; i++) {
        buf_addf(b, " %s=", fields[i].key);
        add_value(b, &fields[i]);
    }
    buf_addc(b, '\n');
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t n)
{
    __attribute__((cleanup(buf_done_cleanup))) struct buf line = BUF_INIT;

    (as_json ? add_json_line : add_text_line)(&line, level, message, fields, n);
    if (sink)
        sink(line.data, line.len, redirect_arg);
    else if (write(STDERR_FILENO, line.data, line.len) < 0)
        return; /* nobody is left to tell */
}

static bool find(const char *const *names, size_t n, const char *name, int *ret)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret = (int) i;
            return true;
        }
    }
    return false;
}

bool log_parse_level(const char *name, enum log_level *ret_level)
{
    int i;

    if (!find(level_names, ARRAY_SIZE(level_names), name, &i))
        return false;
    *ret_level = (enum log_level) i;
    return true;
}

bool log_parse_format(const char *name, enum log_format *ret_format)
{
    int i;

    if (!find(format_names, ARRAY_SIZE(format_names), name, &i))
        return false;
    *ret_format = (enum log_format) i;
    return true;
}
