/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured logs: a constant message and typed fields, a line each, JSON or text.
 *
 *     log_info("state changed", KV("instance", key), KV("counter", run->counter));
 *
 * The model and the Kubernetes client return errors and log nothing above debug; programs log a
 * failure once, where they give up or retry.  Lines go to standard error in one write each.
 * Text is for terminals, JSON ({"ts","level","msg",…}) for everything else.
 */
#ifndef KHARON_BASE_LOG_H
#define KHARON_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_AUTO, LOG_TEXT, LOG_JSON }; /* AUTO: text if standard error is a terminal */

struct log_field {
    const char *key;
    enum { LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_BOOL } type;
    const char *text;
    int64_t number;
};

#define KV(k, v)                                                                                   \
    _Generic((v),                                                                                  \
        char *: log_field_text, const char *: log_field_text, bool: log_field_bool,                \
        unsigned long: log_field_count, unsigned long long: log_field_count,                       \
        default: log_field_int)((k), (v))

static inline struct log_field log_field_text(const char *key, const char *text)
{
    return (struct log_field) {.key = key, .type = LOG_FIELD_TEXT, .text = text};
}

static inline struct log_field log_field_int(const char *key, int64_t number)
{
    return (struct log_field) {.key = key, .type = LOG_FIELD_INT, .number = number};
}

static inline struct log_field log_field_count(const char *key, uint64_t number)
{
    return log_field_int(key, number > INT64_MAX ? INT64_MAX : (int64_t) number);
}

static inline struct log_field log_field_bool(const char *key, bool value)
{
    return (struct log_field) {.key = key, .type = LOG_FIELD_BOOL, .number = value};
}

#define log_at(level, message, ...)                                                                \
    do {                                                                                           \
        if (log_enabled(level)) {                                                                  \
            const struct log_field log_fields_[] = {{0}, ##__VA_ARGS__};                           \
            log_write((level), (message), log_fields_ + 1,                                         \
                      sizeof(log_fields_) / sizeof(log_fields_[0]) - 1);                           \
        }                                                                                          \
    } while (0)
#define log_debug(message, ...)   log_at(LOG_DEBUG, message, ##__VA_ARGS__)
#define log_info(message, ...)    log_at(LOG_INFO, message, ##__VA_ARGS__)
#define log_warning(message, ...) log_at(LOG_WARNING, message, ##__VA_ARGS__)
#define log_error(message, ...)   log_at(LOG_ERROR, message, ##__VA_ARGS__)

void log_setup(enum log_format format, enum log_level level);

/* Where lines go instead of standard error, and whose clock stamps them (ms UTC); for tests and
 * simulations.  NULL restores the default. */
void log_redirect(void (*sink)(const char *line, size_t len, void *arg),
                  int64_t (*clock)(void *arg), void *arg);

bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t n);

bool log_parse_level(const char *name, enum log_level *ret_level);
bool log_parse_format(const char *name, enum log_format *ret_format);

#endif
