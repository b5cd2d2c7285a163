/* SPDX-License-Identifier: Apache-2.0 */
/*
 * High-water marks: the newest resourceVersion of each kind in each namespace (design, section 4).
 *
 * Versions are compared within one kind only.  Namespaces are apart because their watches are: one
 * may be behind another's.  Beside them: for how long yet a write of whoever left them may come
 * late.  As text: {"pods/team": "4711", …, "doubt": "59000"}.
 */
#ifndef KHARON_OPERATOR_MARKS_H
#define KHARON_OPERATOR_MARKS_H

#include "base/map.h"

#include <stdbool.h>
#include <stdint.h>

#define MARKS_MAX       3003   /* three kinds in as many namespaces as can be watched */
#define MARKS_TEXT_MAX  250000 /* bytes; Kubernetes: 256 KiB for all annotations of an object */
#define MARKS_DOUBT_MAX 600000 /* ms; nobody is in doubt for longer */

struct marks {
    struct map by_key;
    int64_t doubt_ms; /* 0: no write is in doubt */
};

struct mark {
    struct map_node by_key;
    char *plural, *ns, *key;
    uint64_t version;
};

void marks_init(struct marks *marks);
void marks_clear(struct marks *marks); /* also when done */
/* Raises the mark; never lowers it. */
void marks_note(struct marks *marks, const char *plural, const char *ns, uint64_t version);
/* The caller frees; "" if there is none, if they are too many, or the text too long: a leader that
 * finds no text lists everything. */
char *marks_print(const struct marks *marks);
/* Into cleared marks; false, and they stay clear, if it is not such a text or has none. */
bool marks_parse(struct marks *marks, const char *text);

#define marks_foreach(mark, marks) map_foreach (mark, &(marks)->by_key, by_key)

#endif
