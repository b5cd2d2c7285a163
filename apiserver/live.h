/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing a Workflow object: what it is now, and applying to it.
 *
 *     struct patch {
 *         struct live live;               first; holds the job
 *     };
 *     live_begin(&p->live, ns, name, on_known);
 *     ...on_known(live, object): live_apply_take(live, manager, spec, on_applied)
 *
 * live_begin reads the object live and hands `suspend` over if that was left undone (owner.h), so
 * that what follows meets an object in order.  Conflicts of versions and lost replies are
 * answered by reading again, from live_begin on, a bounded number of times; all other failures by
 * telling the client.  So the steps after live_begin must be such that doing them again is right.
 */
#ifndef KHARON_APISERVER_LIVE_H
#define KHARON_APISERVER_LIVE_H

#include "apiserver/job.h"

struct live {
    struct job job;
    char *ns, *name;
    char *uid, *version; /* as read last; NULL: it does not exist */
    /* `object` is NULL if it does not exist; borrowed. */
    void (*on_known)(struct live *live, const json_t *object);
    void (*on_done)(struct live *live, const json_t *object);
};

/* For job_new; or called by the on_end of who embeds it. */
void live_end(struct job *job);

void live_begin(struct live *live, const char *ns, const char *name,
                void (*on_known)(struct live *live, const json_t *object));

/* The same from an object that an answer brought. */
void live_settle(struct live *live, const json_t *object,
                 void (*on_known)(struct live *live, const json_t *object));

/* Applies a spec, which it takes, as `manager`; to the object that was read and no other, or, if
 * there was none, to a new one. */
void live_apply_take(struct live *live, const char *manager, json_t *spec,
                     void (*on_done)(struct live *live, const json_t *object));
/* A merge patch of the object that was read, under its resourceVersion, as OWNER_STATE; takes the
 * patch.  Unlike an apply it takes fields from their managers: look first (owner_foreign_text). */
void live_patch_take(struct live *live, json_t *patch,
                     void (*on_done)(struct live *live, const json_t *object));

/* Answers that somebody else manages what is to be changed; `owners` is a text of owner.h. */
void live_refuse_owners(struct live *live, const char *owners);

#endif
