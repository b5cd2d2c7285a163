/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program is told: options from the command line and the environment, by a table.
 *
 *     struct config {
 *         const char *ns;
 *         int64_t lease_ms;
 *         struct option_list watched;
 *     };
 *     static const struct option_row rows[] = {
 *         {.help = "Leader election"},                                 a heading
 *         {"namespace", OPTION_TEXT, offsetof(struct config, ns), "NAME", "default",
 *          "Where the lease is.", .high = 63},
 *         {"lease-duration", OPTION_DURATION, offsetof(struct config, lease_ms), "TIME", "5s",
 *          "How long a lease lasts.", .low = 1000, .high = 60000},
 *         {"watch", OPTION_LIST, offsetof(struct config, watched), "NAME", NULL,
 *          "Namespaces to watch."},
 *     };
 *     static const struct options options = {
 *         "kharon-operator", "Runs workflows.", rows, ARRAY_SIZE(rows)};
 *
 * An option is written --name=value or --name value (a value that begins with "--" needs the "="),
 * a switch --name or --name=false.  Given twice the last counts, except for lists, which add up;
 * "--" ends the options.  What the command line does not say is taken from the environment variable
 * KHARON_NAME ('-' as '_', upper case), then from the table's default, which is written as a user
 * would.  An environment variable that is empty counts as not there.  --help, --help=markdown and
 * --version are built in and win over any mistake after them.
 *
 * Unknown environment variables are nobody's mistake: Kubernetes itself sets KHARON_PORT,
 * KHARON_SERVICE_HOST and the like in pods beside a service named "kharon".  For the same reason
 * options must not be called so; options_check knows.
 *
 * Errors are ERROR_INVALID and name the option (or the variable), the value and the limit.
 */
#ifndef KHARON_BASE_OPTIONS_H
#define KHARON_BASE_OPTIONS_H

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_BOOL,     /* bool */
    OPTION_TEXT,     /* const char *, of argv, the environment or the table */
    OPTION_INT,      /* int64_t */
    OPTION_DURATION, /* int64_t, milliseconds; see option_duration_parse */
    OPTION_ENUM,     /* int: an index into choices, or an enum that starts at 0 */
    OPTION_LIST,     /* struct option_list; written a,b or given several times */
    OPTION_REPEATED, /* struct option_list; items may contain commas: one at a time */
};

struct option_list {
    char **items; /* owned by the list, as are the texts */
    size_t n;
};

struct option_row {
    const char *name; /* lower case, digits, '-'; NULL: `help` is a heading */
    enum option_type type;
    size_t offset;           /* of the member of the config that takes the value */
    const char *placeholder; /* what stands for the value in the help: "NAME" */
    const char *standard;    /* the default; NULL: the member stays as it was */
    const char *help;        /* sentences */
    /* Limits of the value: of a text its bytes, of a list its items, of a duration milliseconds.
     * Both 0: none, except that texts have at most 4096 bytes and lists 100 items. */
    int64_t low, high;
    const char *const *choices;                         /* OPTION_ENUM: ends with NULL */
    bool (*check)(const char *text, struct error *err); /* OPTION_TEXT, and each item of a list */
    bool required;
};

struct options {
    const char *program;
    const char *summary; /* sentences */
    const struct option_row *rows;
    size_t n_rows;
    const char *arguments; /* what may follow the options: "[release-pods]"; NULL: nothing */
};

/* What was given besides the options. */
struct options_given {
    bool help, markdown, version; /* asked for: the config is then not filled in */
    struct option_list arguments;
};

/* Fills in the config, whose lists have to be empty.  argv[0] is skipped.  On failure the config
 * and ret_given own nothing. */
bool options_parse(const struct options *o, int argc, char *const *argv, void *config,
                   struct options_given *ret_given, struct error *err);

/* The same for main: prints help, version and errors.  False: exit with *ret_status. */
bool options_main(const struct options *o, int argc, char *const *argv, void *config,
                  struct options_given *ret_given, int *ret_status);

/* Frees the lists of a config. */
void options_done(const struct options *o, void *config);
void option_list_done(struct option_list *list);

void options_help(const struct options *o, struct buf *out);

/* Tables for the reference, one for each heading. */
void options_markdown(const struct options *o, struct buf *out);

/* The environment variable of an option; the caller frees. */
char *option_variable(const struct option_row *row);

/* For tests of programs: the table is sound (names, defaults within their limits, texts). */
bool options_check(const struct options *o, struct error *err);

/* "1h30m", "250ms" (units d, h, m, s, ms, each at most once and in this order), "0", or the same as
 * ISO 8601 writes it: "PT1H30M", "P2D" (without fractions, weeks, months and years). */
bool option_duration_parse(const char *text, int64_t *ret_ms, struct error *err);
void option_duration_print(int64_t ms, struct buf *out); /* ms >= 0 */

#endif
