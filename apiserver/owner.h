/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns which field of a Workflow (server-side apply; design, section 6).
 *
 * The API applies the configuration as `kharon-api`.  `suspend` is apart: it is patched as
 * `kharon-api-state`, in one write with a wish about the cursor and under the version that was
 * read.  A field that somebody else manages is left alone and its manager named: an apply is never
 * forced, and before a patch, which would not ask, the managers of that version are looked at.
 *
 * A new workflow must be suspended from its first instant, and yet `suspend` must not stay with
 * `kharon-api`: applied again without it, it would fall back to its default, and the workflow would
 * run.  So the first apply has `suspend: true`, and then the ownership alone is handed over, by one
 * patch of metadata.managedFields under the resourceVersion that was read.  Every later write looks
 * first whether that has been done; whatever was cut short in between is repaired by it, and at no
 * time is the workflow enabled.
 */
#ifndef KHARON_APISERVER_OWNER_H
#define KHARON_APISERVER_OWNER_H

#include "base/json.h"

#define OWNER_CONFIGURATION "kharon-api"
#define OWNER_STATE         "kharon-api-state"

/* The merge patch that gives `suspend` of this live object to OWNER_STATE alone; NULL when
 * OWNER_CONFIGURATION does not own it.  The caller frees. */
char *owner_hand_over(const json_t *object);

/* Who else than the API manages this field of the live object's spec, in the words of
 * owner_conflict_text; NULL: nobody.  The caller frees. */
char *owner_foreign_text(const json_t *object, const char *field);

/* Of an apply's 409: what is owned by whom, "spec.schedule is managed by \"helm\"", for people;
 * NULL when it is no conflict of owners.  The caller frees. */
char *owner_conflict_text(const json_t *status);

/* Whether somebody else than `manager` is in the way too. */
bool owner_conflict_only_with(const json_t *status, const char *manager);

#endif
