/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/lease.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

static const struct k8s_resource leases = {"coordination.k8s.io", "v1", "leases", "Lease"};

#define RECORD_ANNOTATION "kharon.dev/written"
#define WATCH_MS          300000
#define WATCH_AGAIN_MS    1000  /* after one that was lost */
#define WATCH_REFUSED_MS  60000 /* after one that was refused */

enum lease_state {
    LEASE_STOPPED,   /* not started, or released */
    LEASE_CANDIDATE, /* looks at the lease, and takes it when it is free */
    LEASE_HOLDER,    /* renews it */
    LEASE_RELEASING, /* gives it up, as soon as no call of ours is under way */
};

struct lease {
    struct loop *loop;
    struct k8s *k8s;
    struct rng *rng;
    char *ns, *name, *identity;
    int64_t duration_ms, delta_ms;
    struct lease_handler handler;
    void *arg;
    struct k8s_fence fence;

    enum lease_state state;
    struct k8s_call *call;
    struct k8s_call *watch;   /* a candidate's, of the lease */
    int64_t watch_after;      /* BOOT: not before */
    struct loop_timer next;   /* BOOT: act again */
    struct loop_timer expiry; /* BOOT: the end of what we hold */

    /* The lease as last seen. */
    bool fresh; /* good enough to write on; else look first */
    bool exists;
    char *uid, *version, *holder, *record;
    int64_t transitions;
    int64_t holder_duration_ms;
    int64_t seen_at;    /* BOOT: when this version was first seen */
    bool back;          /* its version went back since we held it: etcd was restored */
    int64_t looked_at;  /* BOOT: the last look of a candidate's that was answered */
    int64_t sighted_at; /* BOOT: when it could be seen again after long, or at all */

    char *own_record, *found_record;
    bool giving_up;        /* the write under way is the release */
    bool continued;        /* the write under way, or the last one, takes back what was ours */
    int64_t sent_at;       /* BOOT: when the write under way was sent */
    int64_t held_from;     /* BOOT: when the last successful renewal was sent */
    int64_t release_until; /* BOOT: when to stop trying to release */

    /* The lease as it was when we held it last. */
    char *held_uid;
    int64_t held_transitions;
};

/* Not the loop's time, which stands still during a turn: this machine may have slept within it. */
static int64_t boot(const struct lease *l)
{
    return loop_now_fresh(l->loop, LOOP_BOOT);
}

static int64_t renew_period(const struct lease *l)
{
    return l->duration_ms / 3;
}

static int64_t retry_period(const struct lease *l)
{
    return l->duration_ms / 10;
}

static int64_t request_time(const struct lease *l)
{
    return l->duration_ms / 5;
}

static void act_in(struct lease *l, int64_t ms)
{
    loop_timer_set(l->loop, &l->next, LOOP_BOOT, loop_now(l->loop, LOOP_BOOT) + ms);
}

/* Candidates must not move in step. */
static void act_again(struct lease *l)
{
    int64_t ms = retry_period(l);

    act_in(l, rng_between(l->rng, ms - ms / 8, ms + ms / 8));
}

static void replace(char **text, const char *by)
{
    char *copy = xstrdup(by ? by : "");

    free(*text);
    *text = copy;
}

/* Six digits exactly: the API server refuses anything else. */
static void micro_time(const struct lease *l, char text[48])
{
    int64_t now = loop_now(l->loop, LOOP_OF_DAY);
    time_t seconds = (time_t) (now / 1000);
    struct tm tm;
    char date[32];

    gmtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, 48, "%s.%03d000Z", date, (int) (now % 1000));
}

static json_t *metadata(const struct lease *l)
{
    json_t *meta = json_object();
    json_t *annotations = json_object();

    json_set_text(meta, "name", l->name);
    if (l->exists)
        json_set_text(meta, "resourceVersion", l->version);
    json_set_text(annotations, RECORD_ANNOTATION, l->own_record);
    json_set_take(meta, "annotations", annotations);
    return meta;
}

/* Kubernetes has 32 bits for it, and would refuse every write of one that counts further. */
static int64_t one_more(int64_t transitions)
{
    if (transitions < 0)
        return 0;
    return transitions < INT32_MAX ? transitions + 1 : INT32_MAX;
}

static json_t *spec(const struct lease *l)
{
    const char *holder = l->state == LEASE_RELEASING ? "" : l->identity;
    json_t *fields = json_object();
    char now[48];

    micro_time(l, now);
    json_set_text(fields, "holderIdentity", holder);
    json_set_text(fields, "renewTime", now);
    json_set_int(fields, "leaseDurationSeconds",
                 *holder ? l->duration_ms / 1000 : 1); /* 0 is refused */
    if (l->state == LEASE_CANDIDATE && !l->continued) {
        json_set_text(fields, "acquireTime", now);
        json_set_int(fields, "leaseTransitions", l->exists ? one_more(l->transitions) : 0);
    }
    return fields;
}

/* The lease as this state wants it. */
static char *wanted(const struct lease *l)
{
    CLEANUP(json_decref) json_t *object = json_object();

    json_set_text(object, "apiVersion", "coordination.k8s.io/v1");
    json_set_text(object, "kind", "Lease");
    json_set_take(object, "metadata", metadata(l));
    json_set_take(object, "spec", spec(l));
    return json_print(object);
}

/* Both versions, of the lease as it was seen last and of this one. */
static bool versions(const struct lease *l, const json_t *object, uint64_t *ret_known,
                     uint64_t *ret_version)
{
    return k8s_version_parse(l->version, ret_known) &&
           k8s_version_parse(json_text_at(object, "metadata.resourceVersion"), ret_version);
}

static bool is_older(const struct lease *l, const json_t *object)
{
    uint64_t known, version;

    return versions(l, object, &known, &version) && version < known;
}

static void observe(struct lease *l, const json_t *object)
{
    const char *version = json_text_at(object, "metadata.resourceVersion");

    if (l->exists && version && strcmp(version, l->version) == 0)
        return;
    const json_t *annotations = json_at(object, "metadata.annotations");
    int64_t seconds = json_int_at(object, "spec.leaseDurationSeconds", l->duration_ms / 1000);
    l->back = l->back || is_older(l, object);
    l->exists = true;
    l->seen_at = boot(l);
    l->transitions = json_int_at(object, "spec.leaseTransitions", 0);
    l->holder_duration_ms = (seconds < 1 ? 1 : seconds > 3600 ? 3600 : seconds) * 1000;
    replace(&l->uid, json_text_at(object, "metadata.uid"));
    replace(&l->version, version);
    replace(&l->holder, json_text_at(object, "spec.holderIdentity"));
    replace(&l->record, json_string_value(json_object_get(annotations, RECORD_ANNOTATION)));
}

static bool is_mine(const struct lease *l)
{
    return l->exists && strcmp(l->holder, l->identity) == 0;
}

/* Ours ran out, and nobody took it: whoever does counts one more. */
static bool goes_on(const struct lease *l)
{
    return is_mine(l) && !l->back && strcmp(l->uid, l->held_uid) == 0 &&
           l->transitions == l->held_transitions && l->transitions < INT32_MAX;
}

/* One look that fails is not long.  A holder looks when a renewal fails, or when he has lost it. */
static void note_look(struct lease *l)
{
    int64_t now = boot(l);

    if (now - l->looked_at >= renew_period(l) + retry_period(l))
        l->sighted_at = now;
    l->looked_at = now;
}

/* What kept us from looking kept the holder from renewing, so he may try first: he knows what he
 * wrote.  Of one that was deleted the last holder may not know yet. */
static bool may_take(const struct lease *l)
{
    bool held = *l->holder && strcmp(l->holder, l->identity) != 0;

    return !held || (boot(l) - l->seen_at >= l->holder_duration_ms &&
                     boot(l) - l->sighted_at >= request_time(l));
}

static void send(struct lease *l, enum k8s_verb verb, const struct k8s_handler *handler)
{
    CLEANUP(free) char *body = verb == K8S_GET ? NULL : wanted(l);

    l->giving_up = l->state == LEASE_RELEASING;
    l->sent_at = boot(l);
    l->call = k8s_call(l->k8s,
                       &(struct k8s_request) {
                           .verb = verb,
                           .lane = K8S_LANE_LEASE,
                           .resource = &leases,
                           .ns = l->ns,
                           .name = l->name,
                           .body = body,
                           .field_manager = verb == K8S_GET ? NULL : "kharon-lease",
                           .timeout_ms = request_time(l),
                       },
                       handler, l);
}

/* ---- a candidate's watch: what the holder does is seen at once, a release above all ---- */

static void end_watch(struct lease *l)
{
    k8s_cancel(l->watch);
    l->watch = NULL;
}

static bool is_newer(const struct lease *l, const json_t *object)
{
    uint64_t known, version;

    return !l->exists || (versions(l, object, &known, &version) && version > known);
}

static void on_watched(enum k8s_event event, const char *text, size_t len, void *arg)
{
    CLEANUP(json_decref) json_t *object = NULL;
    struct lease *l = arg;
    struct error ignored;

    if (event == K8S_BOOKMARK || event == K8S_DELETED ||
        !json_parse(text, len, &object, &ignored) || !is_newer(l, object))
        return; /* a look in time tells as much */
    observe(l, object);
    l->fresh = l->exists && may_take(l);
    if (l->fresh)
        act_in(l, 0);
}

/* One that was refused is not asked for again in a hurry.  A server that has started lets all of
 * them expire. */
static void on_watch_over(const struct k8s_reply *reply, void *arg)
{
    bool refused = reply->http_status >= 400 && reply->error.code != ERROR_EXPIRED;
    struct lease *l = arg;

    l->watch = NULL;
    if (reply->error.code != ERROR_NONE)
        l->watch_after = boot(l) + (refused ? WATCH_REFUSED_MS : WATCH_AGAIN_MS);
}

static void begin_watch(struct lease *l)
{
    static const struct k8s_handler handler = {on_watched, on_watch_over};

    if (l->watch || !l->exists || boot(l) < l->watch_after)
        return;
    CLEANUP(free) char *selector = xasprintf("metadata.name=%s", l->name);
    l->watch = k8s_call(l->k8s,
                        &(struct k8s_request) {
                            .verb = K8S_WATCH,
                            .lane = K8S_LANE_LEASE,
                            .resource = &leases,
                            .ns = l->ns,
                            .field_selector = selector,
                            .resource_version = l->version,
                            .timeout_ms = WATCH_MS,
                        },
                        &handler, l);
}

static void lose(struct lease *l)
{
    k8s_cancel(l->call);
    l->call = NULL;
    loop_timer_cancel(l->loop, &l->expiry);
    l->state = LEASE_CANDIDATE;
    l->fresh = false;
    act_again(l);
    l->handler.on_lost(l->arg);
}

static void on_expiry(void *arg)
{
    lose(arg);
}

/* A write of ours arrived: the lease is ours from when it was sent. */
static void hold(struct lease *l)
{
    bool acquired = l->state == LEASE_CANDIDATE;

    end_watch(l);
    l->state = LEASE_HOLDER;
    l->held_from = l->sent_at;
    replace(&l->held_uid, l->uid);
    l->held_transitions = l->transitions;
    l->back = false;
    loop_timer_set(l->loop, &l->expiry, LOOP_BOOT, l->held_from + l->duration_ms);
    act_in(l, renew_period(l));
    if (acquired)
        l->handler.on_acquired(l->arg);
}

static void end_release(struct lease *l)
{
    loop_timer_cancel(l->loop, &l->next);
    l->state = LEASE_STOPPED;
    if (l->handler.on_released)
        l->handler.on_released(l->arg);
}

static void on_written(const struct k8s_reply *reply, void *arg)
{
    struct lease *l = arg;
    enum error_code code = reply->error.code;

    l->call = NULL;
    if (code == ERROR_NONE) {
        observe(l, reply->object);
        l->fresh = true;
        if (l->state != LEASE_RELEASING)
            hold(l);
        else if (l->giving_up)
            end_release(l);
        else
            act_in(l, 0); /* that was a renewal; now the release */
        return;
    }
    l->fresh = false;
    if (code == ERROR_NOT_FOUND && l->state == LEASE_HOLDER)
        lose(l); /* deleted: anybody may create it */
    else if (code == ERROR_CONFLICT || code == ERROR_EXISTS || code == ERROR_NOT_FOUND)
        act_in(l, 0);
    else
        act_again(l);
}

static void stand_by(struct lease *l)
{
    begin_watch(l);
    act_again(l);
}

/* The watch was faster than this answer. */
static bool is_late(const struct lease *l, const json_t *object)
{
    return l->seen_at >= l->sent_at && is_older(l, object);
}

/* A lease that went back is another one, whoever holds it: what was written since did not happen,
 * and all that is known has to be read anew. */
static void on_seen(const struct k8s_reply *reply, void *arg)
{
    struct lease *l = arg;

    l->call = NULL;
    if (reply->error.code == ERROR_NONE || reply->error.code == ERROR_NOT_FOUND)
        note_look(l);
    if (reply->error.code == ERROR_NONE) {
        if (!is_late(l, reply->object))
            observe(l, reply->object);
    } else if (reply->error.code == ERROR_NOT_FOUND) {
        l->exists = false;
    } else {
        act_again(l);
        return;
    }
    l->fresh = l->state == LEASE_CANDIDATE ? may_take(l) : is_mine(l) && !l->back;
    if (l->fresh)
        act_in(l, 0);
    else if (l->state == LEASE_CANDIDATE)
        stand_by(l);
    else if (l->state == LEASE_HOLDER)
        lose(l);
    else
        end_release(l);
}

/* One step: look if what was seen is not good to write on, else write what this state wants. */
static void act(void *arg)
{
    static const struct k8s_handler seen = {.on_reply = on_seen};
    static const struct k8s_handler written = {.on_reply = on_written};
    struct lease *l = arg;

    if (l->call || l->state == LEASE_STOPPED)
        return;
    if (l->state == LEASE_RELEASING && boot(l) >= l->release_until) {
        end_release(l);
        return;
    }
    if (!l->fresh) {
        send(l, K8S_GET, &seen);
        return;
    }
    if (l->state == LEASE_CANDIDATE) {
        l->continued = goes_on(l);
        replace(&l->found_record, l->exists && !*l->holder && !l->back ? l->record : "");
    }
    send(l, l->exists ? K8S_PATCH : K8S_CREATE, &written);
}

static int64_t fence_remaining(void *arg)
{
    return lease_remaining_ms(arg);
}

struct lease *lease_new(struct loop *loop, struct k8s *k8s, struct rng *rng,
                        const struct lease_config *config, const struct lease_handler *handler,
                        void *arg)
{
    struct lease *l = NEW(struct lease);

    assert(config->duration_ms % 1000 == 0 && config->duration_ms > 2 * config->delta_ms);
    l->loop = loop;
    l->k8s = k8s;
    l->rng = rng;
    l->ns = xstrdup(config->ns);
    l->name = xstrdup(config->name);
    l->identity = xstrdup(config->identity);
    l->duration_ms = config->duration_ms;
    l->delta_ms = config->delta_ms;
    l->handler = *handler;
    l->arg = arg;
    l->fence = (struct k8s_fence) {fence_remaining, l};
    l->looked_at = INT64_MIN / 2;
    l->next = (struct loop_timer) {.on_time = act, .arg = l};
    l->expiry = (struct loop_timer) {.on_time = on_expiry, .arg = l};
    replace(&l->uid, NULL);
    replace(&l->held_uid, NULL);
    replace(&l->version, NULL);
    replace(&l->holder, NULL);
    replace(&l->record, NULL);
    replace(&l->own_record, NULL); /* and not what the holder before left */
    replace(&l->found_record, NULL);
    return l;
}

void lease_free(struct lease *l)
{
    if (!l)
        return;
    k8s_cancel(l->call);
    end_watch(l);
    loop_timer_cancel(l->loop, &l->next);
    loop_timer_cancel(l->loop, &l->expiry);
    free(l->ns);
    free(l->name);
    free(l->identity);
    free(l->uid);
    free(l->held_uid);
    free(l->version);
    free(l->holder);
    free(l->record);
    free(l->own_record);
    free(l->found_record);
    free(l);
}

void lease_start(struct lease *l)
{
    assert(l->state == LEASE_STOPPED);
    l->state = LEASE_CANDIDATE;
    l->fresh = false;
    act_in(l, 0);
}

/* A call under way is waited for: what it does to the lease must be known first. */
void lease_release(struct lease *l)
{
    bool held = l->state == LEASE_HOLDER;

    loop_timer_cancel(l->loop, &l->expiry);
    end_watch(l);
    l->state = LEASE_RELEASING;
    l->release_until = boot(l) + (held || l->call ? l->delta_ms : 0);
    act_in(l, 0);
}

void lease_look(struct lease *l)
{
    if (l->state != LEASE_HOLDER)
        return;
    l->fresh = false;
    act_in(l, 0);
}

bool lease_held(const struct lease *l)
{
    return l->state == LEASE_HOLDER && boot(l) < l->held_from + l->duration_ms;
}

int64_t lease_remaining_ms(struct lease *l)
{
    if (l->state != LEASE_HOLDER)
        return 0;
    return l->held_from + l->duration_ms - l->delta_ms - boot(l);
}

const struct k8s_fence *lease_fence(struct lease *l)
{
    return &l->fence;
}

const char *lease_holder(const struct lease *l)
{
    return l->exists ? l->holder : "";
}

int64_t lease_sighted_at(const struct lease *l)
{
    return l->sighted_at;
}

void lease_set_record(struct lease *l, const char *record)
{
    replace(&l->own_record, record);
}

const char *lease_found_record(const struct lease *l)
{
    return l->found_record;
}

bool lease_continued(const struct lease *l)
{
    return l->continued;
}
