/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cutting streams of bytes: into lines, and a JSON list into its items.
 *
 * Both are fed with whatever the network delivered and asked for what is complete.  How the bytes
 * were cut on their way makes no difference, neither to what comes out nor to where an error is:
 *
 *     lines_init(&lines, MAX);
 *     on data:
 *         lines_add(&lines, data, len);
 *         while (lines_next(&lines, &line, &len, err) && line)
 *             use(line, len);
 *
 * Asking, rather than being called back, lets the owner stop between two pieces: because it has
 * done enough for this turn, or because the use of one piece ended the whole transfer.
 *
 * `next` returns false for an error, which stays; true with NULL when more bytes are needed.  What
 * it returns is borrowed until the next call on the same struct, and followed by a NUL that is not
 * part of it.  Sizes are bytes.
 */
#ifndef KHARON_BASE_LINES_H
#define KHARON_BASE_LINES_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Lines end with LF, which is not part of them; any other byte is.  A line that is longer than
 * `max` is ERROR_TOO_LARGE, after the lines before it.
 */
struct lines {
    struct buf buf;
    size_t start;    /* what lies before it was handed out */
    size_t searched; /* no LF in [start, searched) */
    size_t max;
};

void lines_init(struct lines *l, size_t max);
void lines_done(struct lines *l);
void lines_add(struct lines *l, const void *data, size_t len);
bool lines_next(struct lines *l, const char **ret_line, size_t *ret_len, struct error *err);

/* The bytes after the last LF when the stream has ended; NULL if there are none. */
const char *lines_last(struct lines *l, size_t *ret_len);

/*
 * Items: from one JSON text, an object like
 *
 *     {"kind": "PodList", "metadata": {...}, "items": [{...}, {...}]}
 *
 * the elements of the member "items" of the outermost object, one at a time, and at the end the
 * rest of the text, with "items":[] in their place.  Memory is that of the largest item, not of the
 * list.
 *
 * This looks at strings, escapes and brackets only.  Each item and the rest must be parsed, and
 * where that succeeds the whole text was JSON; with the exception that it may nest deeper than the
 * parser would have allowed.  An empty element ("[,]") is an error here.
 */
struct json_scan {
    size_t depth; /* open brackets and braces */
    bool in_string, escaped;
};

struct items {
    struct buf input;
    size_t at; /* input before it is used up */
    struct buf item, rest;
    size_t max_item, max_rest;
    struct json_scan scan;
    size_t name_at;       /* in rest: where the latest string of the outermost object began */
    size_t n_items;       /* of the array so far */
    bool name_is_items;   /* ... and it was "items" */
    bool value_of_items;  /* ... and a colon followed it */
    bool in_array;        /* within the brackets of items */
    bool item_handed_out; /* the next one begins anew */
    bool seen_end;        /* the outermost object is closed */
    struct error failed;  /* the error that stays */
};

void items_init(struct items *s, size_t max_item, size_t max_rest);
void items_done(struct items *s);
void items_add(struct items *s, const void *data, size_t len);
bool items_next(struct items *s, const char **ret_item, size_t *ret_len, struct error *err);

/* The rest of the text, after items_next said that there is nothing more and the stream has ended.
 * ERROR_INVALID if the text is not complete.  Borrowed until items_done. */
bool items_end(struct items *s, const char **ret_rest, size_t *ret_len, struct error *err);

#endif
