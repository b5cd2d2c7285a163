/* SPDX-License-Identifier: Apache-2.0 */
/* What a table of options says of itself: help for people, tables for the reference, a check. */
#include "base/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define INDENT 28
#define WIDTH  80

/* Words of text, wrapped, each further line indented. */
static void add_wrapped(struct buf *out, const char *text, size_t indent, size_t column)
{
    while (*text) {
        size_t len = strcspn(text, " ");

        if (column > indent && column + 1 + len > WIDTH) {
            buf_addf(out, "\n%*s", (int) indent, "");
            column = indent;
        } else if (column > indent) {
            buf_addc(out, ' ');
            column++;
        }
        buf_add(out, text, len);
        column += len;
        text += len;
        text += strspn(text, " ");
    }
    buf_addc(out, '\n');
}

static void add_choices(struct buf *out, const struct option_row *row, const char *separator)
{
    for (size_t i = 0; row->choices[i]; i++)
        buf_addf(out, "%s%s", i ? separator : "", row->choices[i]);
}

/* "--name=VALUE" */
static void add_form(struct buf *out, const struct option_row *row)
{
    buf_addf(out, "--%s", row->name);
    if (row->type == OPTION_ENUM) {
        buf_addc(out, '=');
        add_choices(out, row, "|");
    } else if (row->type != OPTION_BOOL) {
        buf_addf(out, "=%s%s", row->placeholder, row->type == OPTION_LIST ? ",..." : "");
    }
    if (row->type == OPTION_REPEATED)
        buf_adds(out, " ...");
}

static void add_bound(struct buf *out, const struct option_row *row, int64_t value)
{
    if (row->type == OPTION_DURATION)
        option_duration_print(value, out);
    else
        buf_addf(out, "%" PRId64, value);
}

/* "1s to 60s", "at most 63 bytes", or nothing. */
static void add_limits(struct buf *out, const struct option_row *row)
{
    const char *unit = row->type == OPTION_TEXT   ? " bytes"
                       : row->type >= OPTION_LIST ? " items"
                                                  : "";

    if (!row->low && !row->high)
        return;
    if (unit[0] && !row->low) {
        buf_addf(out, "at most %" PRId64 "%s", row->high, unit);
    } else if (unit[0] && !row->high) {
        buf_addf(out, "at least %" PRId64 "%s", row->low, unit);
    } else {
        add_bound(out, row, row->low);
        buf_adds(out, " to ");
        add_bound(out, row, row->high);
        buf_adds(out, unit);
    }
}

static void add_note(struct buf *notes, const char *name, const char *value)
{
    if (value && *value)
        buf_addf(notes, "%s%s%s", notes->len ? "; " : "", name, value);
}

/* " (default 5s; 1s to 60s; KHARON_LEASE_DURATION)" */
static void add_notes(struct buf *out, const struct option_row *row)
{
    __attribute__((cleanup(buf_done_cleanup))) struct buf notes = BUF_INIT, limits = BUF_INIT;
    CLEANUP(free) char *variable = option_variable(row);

    add_limits(&limits, row);
    add_note(&notes, "default ", row->standard);
    add_note(&notes, "", row->required ? "required" : NULL);
    add_note(&notes, "", buf_text(&limits));
    add_note(&notes, "", variable);
    buf_addf(out, " (%s)", notes.data);
}

static void add_row(struct buf *out, const struct option_row *row)
{
    __attribute__((cleanup(buf_done_cleanup))) struct buf text = BUF_INIT;
    size_t start = out->len;

    buf_adds(out, "  ");
    add_form(out, row);
    size_t column = out->len - start;
    if (column + 2 > INDENT) {
        buf_addc(out, '\n');
        column = 0;
    }
    buf_addf(out, "%*s", (int) (INDENT - column), "");
    buf_adds(&text, row->help);
    add_notes(&text, row);
    add_wrapped(out, text.data, INDENT, INDENT);
}

void options_help(const struct options *o, struct buf *out)
{
    buf_addf(out, "Usage: %s [OPTION]...%s%s\n\n", o->program, o->arguments ? " " : "",
             o->arguments ? o->arguments : "");
    add_wrapped(out, o->summary, 0, 0);
    for (size_t i = 0; i < o->n_rows; i++) {
        if (!o->rows[i].name || i == 0)
            buf_addf(out, "\n%s:\n", o->rows[i].name ? "Options" : o->rows[i].help);
        if (o->rows[i].name)
            add_row(out, &o->rows[i]);
    }
    buf_adds(out, "\nAlso:\n");
    buf_addf(out, "  %-*s%s\n", INDENT - 2, "--help, --help=markdown",
             "This text, or tables of it.");
    buf_addf(out, "  %-*s%s\n", INDENT - 2, "--version", "The version.");
}

/* A table's cell may not contain a bar. */
static void add_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            buf_addc(out, '\\');
        buf_addc(out, *text);
    }
    buf_adds(out, " | ");
}

static void add_code_cell(struct buf *out, const char *text)
{
    buf_addc(out, '`');
    for (; *text; text++)
        buf_addf(out, "%s%c", *text == '|' ? "\\" : "", *text);
    buf_adds(out, "` | ");
}

static void add_markdown_row(struct buf *out, const struct option_row *row)
{
    __attribute__((cleanup(buf_done_cleanup))) struct buf form = BUF_INIT, limits = BUF_INIT;
    CLEANUP(free) char *variable = option_variable(row);

    add_form(&form, row);
    add_limits(&limits, row);
    buf_adds(out, "| ");
    add_code_cell(out, form.data);
    add_code_cell(out, variable);
    if (row->standard && *row->standard)
        add_code_cell(out, row->standard);
    else
        add_cell(out, row->required ? "required" : "");
    add_cell(out, buf_text(&limits));
    add_cell(out, row->help);
    out->data[--out->len] = '\0';
    buf_addc(out, '\n');
}

void options_markdown(const struct options *o, struct buf *out)
{
    buf_addf(out, "## %s\n\n%s\n", o->program, o->summary);
    for (size_t i = 0; i < o->n_rows; i++) {
        if (!o->rows[i].name)
            buf_addf(out, "\n### %s\n", o->rows[i].help);
        if (!o->rows[i].name || i == 0)
            buf_adds(out, "\n| option | variable | default | limits | meaning |\n"
                          "| --- | --- | --- | --- | --- |\n");
        if (o->rows[i].name)
            add_markdown_row(out, &o->rows[i]);
    }
}

/* Kubernetes sets <SERVICE>_PORT, <SERVICE>_PORT_80_TCP, <SERVICE>_SERVICE_HOST and others in pods;
 * the service may be called kharon, or kharon-<something>. */
static bool is_set_by_kubernetes(const char *name)
{
    size_t len = strlen(name);

    return strcmp(name, "port") == 0 || strncmp(name, "port-", 5) == 0 ||
           strncmp(name, "service-", 8) == 0 || strstr(name, "-service-") ||
           strstr(name, "-port-") || (len > 5 && strcmp(name + len - 5, "-port") == 0);
}

static bool check_name(const char *name, struct error *err)
{
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name) || !*name ||
        *name == '-')
        return error_set(err, ERROR_INVALID, "names consist of a-z, 0-9 and '-'");
    if (strcmp(name, "help") == 0 || strcmp(name, "version") == 0)
        return error_set(err, ERROR_INVALID, "is built in");
    if (is_set_by_kubernetes(name))
        return error_set(err, ERROR_INVALID, "Kubernetes sets environment variables of such names");
    return true;
}

static bool check_row(const struct option_row *row, struct error *err)
{
    if (!check_name(row->name, err))
        return false;
    if (!row->help || !*row->help || row->help[strlen(row->help) - 1] != '.')
        return error_set(err, ERROR_INVALID, "needs a sentence of help");
    if (row->type == OPTION_ENUM && !row->choices)
        return error_set(err, ERROR_INVALID, "needs choices");
    if (row->type != OPTION_ENUM && row->type != OPTION_BOOL && !row->placeholder)
        return error_set(err, ERROR_INVALID, "needs a placeholder");
    if (row->high && row->low > row->high)
        return error_set(err, ERROR_INVALID, "%" PRId64 " is more than %" PRId64, row->low,
                         row->high);
    if (row->standard && row->required)
        return error_set(err, ERROR_INVALID, "is required and has a default");
    return true;
}

/* Parses the default alone, as if it had been given. */
static bool check_default(const struct option_row *row, struct error *err)
{
    struct option_row alone = *row;
    union {
        bool b;
        int64_t n;
        const char *text;
        struct option_list list;
    } value = {.list = {0}};
    struct options_given given;
    const struct options o = {"check", "", &alone, 1, NULL};

    if (!row->standard)
        return true;
    alone.offset = 0;
    CLEANUP(free) char *arg = xasprintf("--%s=%s", row->name, row->standard);
    if (!options_parse(&o, 2, (char *const[]) {arg, arg}, &value, &given, err))
        return false;
    options_done(&o, &value);
    return true;
}

bool options_check(const struct options *o, struct error *err)
{
    for (size_t i = 0; i < o->n_rows; i++) {
        const struct option_row *row = &o->rows[i];

        if (!row->name)
            continue;
        if (!check_row(row, err) || !check_default(row, err))
            return error_prefix(err, "%s: --%s", o->program, row->name);
        for (size_t k = 0; k < i; k++)
            if (o->rows[k].name && strcmp(o->rows[k].name, row->name) == 0)
                return error_set(err, ERROR_INVALID, "%s: --%s is there twice", o->program,
                                 row->name);
    }
    return true;
}
