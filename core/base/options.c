/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAX_TEXT  4096
#define MAX_ITEMS 100

static const struct unit {
    const char *name;
    char iso; /* '\0': ISO 8601 has none */
    int64_t ms;
} units[] = {
    {"d", 'D', 86400000}, {"h", 'H', 3600000}, {"m", 'M', 60000}, {"s", 'S', 1000}, {"ms", 0, 1}};

/* Digits only; *ret_rest is what follows them. */
static bool parse_digits(const char *text, const char **ret_rest, int64_t *ret)
{
    char *end;

    if (!isdigit((unsigned char) *text))
        return false;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    *ret_rest = end;
    return errno == 0;
}

static bool add_part(int64_t *total, int64_t n, const struct unit *unit)
{
    int64_t part;

    return !__builtin_mul_overflow(n, unit->ms, &part) &&
           !__builtin_add_overflow(*total, part, total);
}

/* 1h30m: each unit at most once, larger ones first. */
static bool parse_plain(const char *text, int64_t *total)
{
    size_t next = 0;
    const char *name;
    int64_t n;

    do {
        if (!parse_digits(text, &name, &n))
            return false;
        size_t len = strcspn(name, "0123456789");
        while (next < ARRAY_SIZE(units) &&
               (strlen(units[next].name) != len || memcmp(units[next].name, name, len) != 0))
            next++;
        if (next == ARRAY_SIZE(units) || !add_part(total, n, &units[next++]))
            return false;
        text = name + len;
    } while (*text);
    return true;
}

/* P1DT2H3M4S, after the P. */
static bool parse_iso(const char *text, int64_t *total)
{
    bool in_time = false;
    size_t next = 0;
    const char *name;
    int64_t n;

    do {
        if (*text == 'T' && !in_time) {
            in_time = true;
            text++;
        }
        if (!parse_digits(text, &name, &n))
            return false;
        while (next < ARRAY_SIZE(units) && units[next].iso != *name)
            next++;
        if (next == ARRAY_SIZE(units) || !*name || in_time != (*name != 'D') ||
            !add_part(total, n, &units[next++]))
            return false;
        text = name + 1;
    } while (*text);
    return true;
}

bool option_duration_parse(const char *text, int64_t *ret_ms, struct error *err)
{
    int64_t total = 0;
    bool fine = strcmp(text, "0") == 0 ||
                (*text == 'P' ? parse_iso(text + 1, &total) : parse_plain(text, &total));

    if (!fine)
        return error_set(err, ERROR_INVALID, "\"%s\" is not a duration like 1h30m, 250ms or PT5S",
                         text);
    *ret_ms = total;
    return true;
}

void option_duration_print(int64_t ms, struct buf *out)
{
    assert(ms >= 0);
    if (ms == 0)
        buf_adds(out, "0");
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (ms >= units[i].ms)
            buf_addf(out, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
        ms %= units[i].ms;
    }
}

void option_list_done(struct option_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct option_list) {0};
}

static void list_add(struct option_list *list, const char *text, size_t len)
{
    list->items = xrealloc(list->items, list->n + 1, sizeof(*list->items));
    list->items[list->n++] = xstrndup(text, len);
}

char *option_variable(const struct option_row *row)
{
    char *text = xasprintf("KHARON_%s", row->name);

    for (char *c = text; *c; c++)
        *c = *c == '-' ? '_' : (char) toupper((unsigned char) *c);
    return text;
}

static bool has_limits(const struct option_row *row)
{
    return row->low || row->high;
}

/* A bound as a user would write it. */
static void add_bound(const struct option_row *row, int64_t value, struct buf *out)
{
    if (row->type == OPTION_DURATION)
        option_duration_print(value, out);
    else
        buf_addf(out, "%" PRId64, value);
}

static bool check_number(const struct option_row *row, const char *text, int64_t value,
                         struct error *err)
{
    __attribute__((cleanup(buf_done_cleanup))) struct buf limits = BUF_INIT;

    if (!has_limits(row) || (value >= row->low && value <= row->high))
        return true;
    add_bound(row, row->low, &limits);
    buf_adds(&limits, " and ");
    add_bound(row, row->high, &limits);
    return error_set(err, ERROR_INVALID, "%s is not within %s", text, limits.data);
}

static bool parse_bool(const struct option_row *row, const char *text, void *ret, struct error *err)
{
    bool is_true = strcmp(text, "true") == 0;

    (void) row;
    if (!is_true && strcmp(text, "false") != 0)
        return error_set(err, ERROR_INVALID, "\"%s\" is neither true nor false", text);
    *(bool *) ret = is_true;
    return true;
}

static bool parse_text(const struct option_row *row, const char *text, void *ret, struct error *err)
{
    int64_t high = row->high ? row->high : MAX_TEXT, len = (int64_t) strlen(text);

    if (len > high)
        return error_set(err, ERROR_INVALID,
                         "\"%.40s...\" has %" PRId64 " bytes, more than %" PRId64, text, len, high);
    if (len < row->low)
        return error_set(err, ERROR_INVALID, "\"%s\" has fewer bytes than %" PRId64, text,
                         row->low);
    if (row->check && !row->check(text, err))
        return false;
    *(const char **) ret = text;
    return true;
}

static bool parse_int(const struct option_row *row, const char *text, void *ret, struct error *err)
{
    bool minus = *text == '-';
    const char *rest;
    int64_t value;

    if (!parse_digits(text + minus, &rest, &value) || *rest)
        return error_set(err, ERROR_INVALID, "\"%s\" is not an integer", text);
    value = minus ? -value : value;
    if (!check_number(row, text, value, err))
        return false;
    *(int64_t *) ret = value;
    return true;
}

static bool parse_duration(const struct option_row *row, const char *text, void *ret,
                           struct error *err)
{
    int64_t value;

    if (!option_duration_parse(text, &value, err) || !check_number(row, text, value, err))
        return false;
    *(int64_t *) ret = value;
    return true;
}

static bool parse_enum(const struct option_row *row, const char *text, void *ret, struct error *err)
{
    __attribute__((cleanup(buf_done_cleanup))) struct buf all = BUF_INIT;

    for (int i = 0; row->choices[i]; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *(int *) ret = i;
            return true;
        }
        buf_addf(&all, "%s%s", i ? ", " : "", row->choices[i]);
    }
    return error_set(err, ERROR_INVALID, "\"%s\" is none of %s", text, buf_text(&all));
}

static bool add_item(const struct option_row *row, const char *text, size_t len,
                     struct option_list *list, struct error *err)
{
    int64_t high = row->high ? row->high : MAX_ITEMS;

    while (len && *text == ' ') {
        text++;
        len--;
    }
    while (len && text[len - 1] == ' ')
        len--;
    if (len == 0 || len > MAX_TEXT)
        return error_set(err, ERROR_INVALID, "an item has %zu bytes, not within 1 and %d", len,
                         MAX_TEXT);
    if ((int64_t) list->n >= high)
        return error_set(err, ERROR_INVALID, "more than %" PRId64 " items", high);
    list_add(list, text, len);
    return !row->check || row->check(list->items[list->n - 1], err);
}

static bool parse_repeated(const struct option_row *row, const char *text, void *ret,
                           struct error *err)
{
    return add_item(row, text, strlen(text), ret, err);
}

/* Adds to the list; the lower limit is looked at when all is said. */
static bool parse_list(const struct option_row *row, const char *text, void *ret, struct error *err)
{
    while (*text) {
        size_t len = strcspn(text, ",");

        if (!add_item(row, text, len, ret, err))
            return false;
        if (text[len] == ',' && !text[len + 1])
            return error_set(err, ERROR_INVALID, "nothing follows the last comma");
        text += len + (text[len] == ',');
    }
    return true;
}

static bool (*const parsers[])(const struct option_row *row, const char *text, void *ret,
                               struct error *err) = {
    [OPTION_BOOL] = parse_bool,         [OPTION_TEXT] = parse_text, [OPTION_INT] = parse_int,
    [OPTION_DURATION] = parse_duration, [OPTION_ENUM] = parse_enum, [OPTION_LIST] = parse_list,
    [OPTION_REPEATED] = parse_repeated,
};

struct parse {
    const struct options *o;
    char *config;
    bool *seen; /* by row */
    struct options_given given;
};

static void *member(const struct parse *p, const struct option_row *row)
{
    return p->config + row->offset;
}

static bool set(struct parse *p, const struct option_row *row, const char *text, struct error *err)
{
    p->seen[row - p->o->rows] = true;
    return parsers[row->type](row, text, member(p, row), err);
}

static const struct option_row *find(const struct options *o, const char *name, size_t len)
{
    for (size_t i = 0; i < o->n_rows; i++) {
        const char *known = o->rows[i].name;

        if (known && strlen(known) == len && memcmp(known, name, len) == 0)
            return &o->rows[i];
    }
    return NULL;
}

static bool is_word(const char *arg, const char *word)
{
    return strcmp(arg, word) == 0;
}

/* Whether arg asks for something else than to run. */
static bool take_wish(struct parse *p, const char *arg)
{
    p->given.markdown = is_word(arg, "--help=markdown");
    p->given.help = is_word(arg, "--help") || is_word(arg, "-h") || p->given.markdown;
    p->given.version = is_word(arg, "--version");
    return p->given.help || p->given.version;
}

/* One argument that begins with "--"; *at goes on to its value if that is the next one. */
static bool take_option(struct parse *p, int argc, char *const *argv, int *at, struct error *err)
{
    const char *name = argv[*at] + 2, *value = strchr(name, '=');
    int len = (int) (value ? (size_t) (value - name) : strlen(name));
    const struct option_row *row = find(p->o, name, (size_t) len);

    if (!row)
        return error_set(err, ERROR_INVALID, "--%.*s: there is no such option; see --help", len,
                         name);
    if (value)
        value++;
    else if (row->type == OPTION_BOOL)
        value = "true";
    else if (*at + 1 < argc && strncmp(argv[*at + 1], "--", 2) != 0)
        value = argv[++*at];
    else
        return error_set(err, ERROR_INVALID, "--%s needs a value: --%s=%s", name, name,
                         row->placeholder);
    return set(p, row, value, err) || error_prefix(err, "--%s", row->name);
}

static bool take_argument(struct parse *p, const char *arg, struct error *err)
{
    if (!p->o->arguments)
        return error_set(err, ERROR_INVALID, "\"%s\": only options are expected; see --help", arg);
    list_add(&p->given.arguments, arg, strlen(arg));
    return true;
}

static bool take_command_line(struct parse *p, int argc, char *const *argv, struct error *err)
{
    bool only_arguments = false;

    for (int i = 1; i < argc; i++) {
        if (only_arguments || argv[i][0] != '-' || argv[i][1] == '\0') {
            if (!take_argument(p, argv[i], err))
                return false;
        } else if (is_word(argv[i], "--")) {
            only_arguments = true;
        } else if (take_wish(p, argv[i])) {
            return true;
        } else if (argv[i][1] != '-') {
            return error_set(err, ERROR_INVALID, "%s: options begin with two dashes; see --help",
                             argv[i]);
        } else if (!take_option(p, argc, argv, &i, err)) {
            return false;
        }
    }
    return true;
}

/* For an option that the command line did not give. */
static bool take_fallback(struct parse *p, const struct option_row *row, struct error *err)
{
    CLEANUP(free) char *variable = option_variable(row);
    const char *text = getenv(variable);

    if (text && *text)
        return set(p, row, text, err) || error_prefix(err, "%s", variable);
    if (row->required)
        return error_set(err, ERROR_INVALID, "--%s (or %s) is required", row->name, variable);
    return !row->standard || set(p, row, row->standard, err) ||
           error_prefix(err, "--%s", row->name);
}

static bool is_list(const struct option_row *row)
{
    return row->name && (row->type == OPTION_LIST || row->type == OPTION_REPEATED);
}

static bool check_list(const struct parse *p, const struct option_row *row, struct error *err)
{
    const struct option_list *list = member(p, row);

    if (is_list(row) && (int64_t) list->n < row->low)
        return error_set(err, ERROR_INVALID, "--%s: %zu items are fewer than %" PRId64, row->name,
                         list->n, row->low);
    return true;
}

static bool take_all(struct parse *p, int argc, char *const *argv, struct error *err)
{
    if (!take_command_line(p, argc, argv, err))
        return false;
    if (p->given.help || p->given.version)
        return true;
    for (size_t i = 0; i < p->o->n_rows; i++) {
        const struct option_row *row = &p->o->rows[i];

        if (row->name && !p->seen[i] && !take_fallback(p, row, err))
            return false;
        if (row->name && !check_list(p, row, err))
            return false;
    }
    return true;
}

bool options_parse(const struct options *o, int argc, char *const *argv, void *config,
                   struct options_given *ret_given, struct error *err)
{
    struct parse p = {.o = o, .config = config, .seen = xcalloc(o->n_rows, sizeof(bool))};
    bool fine = take_all(&p, argc, argv, err);

    free(p.seen);
    if (!fine) {
        options_done(o, config);
        option_list_done(&p.given.arguments);
        return false;
    }
    *ret_given = p.given;
    return true;
}

void options_done(const struct options *o, void *config)
{
    for (size_t i = 0; i < o->n_rows; i++)
        if (is_list(&o->rows[i]))
            option_list_done((struct option_list *) (void *) ((char *) config + o->rows[i].offset));
}

static void print_wish(const struct options *o, const struct options_given *given)
{
    __attribute__((cleanup(buf_done_cleanup))) struct buf out = BUF_INIT;

    if (given->version)
        buf_addf(&out, "%s %s\n", o->program, KHARON_VERSION);
    else if (given->markdown)
        options_markdown(o, &out);
    else
        options_help(o, &out);
    fputs(buf_text(&out), stdout);
}

bool options_main(const struct options *o, int argc, char *const *argv, void *config,
                  struct options_given *ret_given, int *ret_status)
{
    struct error err;

    if (!options_parse(o, argc, argv, config, ret_given, &err)) {
        fprintf(stderr, "%s: %s\n", o->program, err.text);
        *ret_status = 2;
        return false;
    }
    if (!ret_given->help && !ret_given->version)
        return true;
    print_wish(o, ret_given);
    option_list_done(&ret_given->arguments);
    options_done(o, config);
    *ret_status = 0;
    return false;
}
