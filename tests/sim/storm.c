/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/storm.h"

#include "base/hash.h"
#include "sim/pool.h"
#include "sim/tally.h"

#include <inttypes.h>
#include <string.h>

#define TIDY_MS        (12 * HOUR_MS)
#define QUIET_MS       (12 * HOUR_MS) /* by then, everything has come to its end */
#define N_FOREIGN      2
#define LOOK_MS        (20 * SECOND_MS)
#define MAX_PICKED     4096
#define REQUESTS_A_RUN 60

/* ---- picking ---- */

struct picked {
    const char *names[MAX_PICKED];
    size_t n;
};

static void note_name(const json_t *object, void *arg)
{
    struct picked *p = arg;

    if (p->n < MAX_PICKED)
        p->names[p->n++] = json_text_at(object, "metadata.name");
}

static bool is_foreign(const char *name)
{
    return strncmp(name, FOREIGN_PREFIX, strlen(FOREIGN_PREFIX)) == 0;
}

char *storm_pick(struct storm *s, const struct k8s_resource *kind)
{
    struct picked p = {.n = 0};

    fake_foreach(s->w.fake, kind, note_name, &p);
    if (p.n == 0)
        return NULL;
    size_t from = p.n > 8 && storm_chance(s, 80) ? p.n - 8 : 0;
    const char *name = p.names[from + rng_below(&s->rng, p.n - from)];
    return is_foreign(name) ? NULL : xstrdup(name);
}

void storm_note(struct storm *s, const char *what, const char *name)
{
    trace_note(s->trace, "mishap", what, name);
}

char *storm_pod_created_for(const struct k8s_request *r)
{
    struct error ignored;
    CLEANUP(json_decref) json_t *object = NULL;

    if (r->verb != K8S_CREATE || strcmp(r->resource->plural, pod_resource.plural) != 0 ||
        !json_parse(r->body, strlen(r->body), &object, &ignored))
        return NULL;
    CLEANUP(pod_free) struct pod *pod = pod_decode(object);
    return TAKE(pod->instance);
}

/* ---- pods ---- */

static void plan_pod(const json_t *pod, struct fake_plan *p, void *arg)
{
    struct storm *s = arg;

    if (is_foreign(json_text_at(pod, "metadata.name"))) {
        p->run_ms = FAKE_NEVER;
        return;
    }
    p->start_ms = storm_between(s, 100, 3000);
    p->run_ms = storm_between(s, 0, storm_one_of(s, 2) ? 5000 : 2 * MINUTE_MS);
    if (s->calm || plan_is_calm(&s->plan))
        return;
    int rare = s->bad_weather ? 1 : 5; /* something is always wrong with some of them */
    p->schedule_ms = storm_one_of(s, 50 * rare) ? FAKE_NEVER : storm_between(s, 0, 2000);
    if (storm_one_of(s, 50 * rare))
        p->start_ms = FAKE_NEVER;
    p->waiting = storm_one_of(s, 3 * rare) ? "ErrImagePull" : NULL;
    if (storm_one_of(s, 40 * rare))
        p->run_ms = FAKE_NEVER;
    p->exit_code = storm_one_of(s, 5 * rare) ? (int) storm_between(s, 1, 60) : 0;
    p->stop_ms = storm_between(s, 0, 40 * SECOND_MS);
}

/* Of somebody else: one without our label, one with it. */
static void add_foreign_pods(struct storm *s)
{
    static const char *const texts[] = {
        "{'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': '" FOREIGN_PREFIX "a',"
        " 'namespace': '" WORLD_NS "'}, 'spec': {'containers': [{'name': 'x', 'image': 'y'}]}}",
        "{'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': '" FOREIGN_PREFIX "b',"
        " 'namespace': '" WORLD_NS "', 'labels': {'" POD_LABEL "': '" POD_LABEL_VALUE "'},"
        " 'finalizers': ['" POD_FINALIZER "']},"
        " 'spec': {'containers': [{'name': 'styx-run', 'image': 'y'}]}}",
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        world_create(&s->w, &pod_resource, texts[i]);
}

/* ---- beginning ---- */

/* In a long life most of the work is the renewal of short leases: they get the fewer hours. */
static int64_t some_lease(struct storm *s)
{
    static const struct {
        int64_t ms;
        int share, share_of_busy;
    } leases[] = {
        {6 * SECOND_MS, 0, 8}, {15 * SECOND_MS, 2, 8}, {MINUTE_MS, 8, 8}, {5 * MINUTE_MS, 22, 8}};
    int at = (int) rng_below(&s->rng, 32);
    size_t i = 0;

    while ((at -= s->plan.busy ? leases[i].share_of_busy : leases[i].share) >= 0)
        i++;
    return leases[i].ms;
}

static void set_up_operators(struct storm *s)
{
    bool hasty = s->plan.busy || storm_one_of(s, 2);
    int64_t lease = some_lease(s);
    size_t few = storm_one_of(s, 4) && !plan_is_calm(&s->plan) ? 3 + rng_below(&s->rng, 10) : 0;

    for (int i = 0; i < WORLD_MAX_OPERATORS; i++) {
        struct settings *settings = &s->w.settings[i];

        settings->lease_duration_ms = s->plan.lease_ms ? s->plan.lease_ms : lease;
        settings->state_limits_ms[RUN_SUBMITTED] = MINUTE_MS;
        settings->unschedulable_limit_ms = 2 * MINUTE_MS;
        if (few)
            settings->max_unfinished = few;
        if (hasty)
            settings->retry_base_ms = SECOND_MS;
    }
}

static bool has_callers(const struct storm *s)
{
    for (size_t i = 0; i < storm_callers.n; i++)
        if (s->plan.rates[storm_faults.n + storm_people.n + i] > 0)
            return true;
    return false;
}

void storm_begin(struct storm *s, const struct plan *plan, struct trace *trace)
{
    *s = (struct storm) {.plan = *plan, .trace = trace};
    if (plan_is_calm(plan))
        s->plan.storm_percent = 0; /* nothing to be mended every few hours */
    map_init(&s->due);
    rng_init(&s->rng, plan->seed + 1000);
    rng_init(&s->ids, plan->seed + 2000);
    random_redirect(&s->ids);
    world_init_apart(&s->w, plan->seed);
    if (trace)
        trace_attach(trace, &s->w);
    observer_init(&s->o, &s->w);
    s->o.strict = plan_is_calm(plan);
    s->w.on_plan = plan_pod;
    s->w.plan_arg = s;
    set_up_operators(s);
    storm_faults_prepare(s);
    for (size_t i = 0; plan_mishap(i); i++)
        if (plan_mishap(i)->act)
            s->total_rate += plan->rates[i];
    storm_deploy_all(s);
    add_foreign_pods(s);
    for (int i = 0; i < WORLD_MAX_OPERATORS; i++)
        world_start(&s->w, i);
    world_run(&s->w, 5 * SECOND_MS);
    if (has_callers(s))
        storm_callers_begin(s);
}

/* ---- weather ---- */

static bool acts(const struct storm *s, size_t i)
{
    return plan_mishap(i)->act && s->plan.rates[i] > 0;
}

static void act(struct storm *s)
{
    double at = (double) rng_below(&s->rng, 1000000) / 1000000 * s->total_rate;

    for (size_t i = 0; plan_mishap(i); i++) {
        if (!acts(s, i))
            continue;
        at -= s->plan.rates[i];
        if (at >= 0)
            continue;
        storm_note(s, plan_mishap(i)->name, NULL);
        s->n_acts++;
        plan_mishap(i)->act(s);
        return;
    }
}

static int64_t until_next_act(struct storm *s)
{
    if (s->total_rate <= 0)
        return DAY_MS;
    int64_t mean = (int64_t) ((double) HOUR_MS / s->total_rate);
    return storm_between(s, 1, 2 * mean + 1);
}

static void tidy(struct storm *s)
{
    s->next_tidy = storm_now(s) + TIDY_MS;
    storm_tidy(s);
    observer_tidy(&s->o);
}

/* However rare bad weather is: a month is the longest without. */
static int64_t fine_after(const struct plan *plan, int64_t bad)
{
    double percent = plan->storm_percent > 0.01 ? plan->storm_percent : 0.01;
    double fine = (double) bad * (100 - percent) / percent;

    return fine < 30.0 * DAY_MS ? (int64_t) fine : 30 * DAY_MS;
}

static void change_weather(struct storm *s)
{
    int64_t lease = s->w.settings[0].lease_duration_ms; /* long ones want to run out, too */
    int64_t now = storm_now(s), bad = storm_between(s, MINUTE_MS, 15 * MINUTE_MS + 2 * lease);

    s->bad_weather = !s->bad_weather && s->plan.storm_percent > 0;
    if (s->plan.storm_percent >= 100)
        s->bad_weather = true;
    if (s->bad_weather) {
        s->weather_until = now + bad;
        s->next_act = now;
        tidy(s);
        storm_faults_begin(s);
    } else {
        s->weather_until = now + fine_after(&s->plan, bad);
        s->next_act = INT64_MAX;
        storm_faults_end(s);
        storm_mend_all(s);
    }
    storm_note(s, s->bad_weather ? "bad weather" : "fine weather", NULL);
}

static void measure_memory(struct storm *s, int64_t since, int64_t now)
{
    size_t used = pool_in_use();

    if (now - since < s->plan.ms / 2)
        s->memory_early = used > s->memory_early ? used : s->memory_early;
    else
        s->memory_late = used;
}

const char *storm_broken(const struct storm *s)
{
    return s->o.broken;
}

static int64_t soonest(const struct storm *s, int64_t end)
{
    int64_t now = storm_now(s), t = now + LOOK_MS;

    if (!s->bad_weather && !s->callers)
        t = now + 5 * MINUTE_MS;
    t = s->next_act < t ? s->next_act : t;
    t = s->weather_until < t ? s->weather_until : t;
    t = end < t ? end : t;
    return t > now ? t : now + 1;
}

static void step(struct storm *s, int64_t end)
{
    world_run(&s->w, soonest(s, end) - storm_now(s));
    observer_check(&s->o);
    storm_faults_repair(s, storm_now(s));
    if (storm_now(s) >= s->weather_until)
        change_weather(s);
    if (s->bad_weather && storm_now(s) >= s->next_act) {
        act(s);
        s->next_act = storm_now(s) + until_next_act(s);
    }
}

void storm_run(struct storm *s)
{
    int64_t begin = storm_now(s), end = begin + s->plan.ms;

    s->weather_until = begin;
    s->next_tidy = begin + TIDY_MS;
    while (storm_now(s) < end && !*s->o.broken) {
        step(s, end);
        if (storm_now(s) < s->next_tidy)
            continue;
        tidy(s);
        measure_memory(s, begin, storm_now(s));
    }
}

/* ---- the end ---- */

/* A trigger of a workflow that was replaced before it was taken is held, not lost (design, 3). */
bool storm_is_held(struct storm *s, const struct instance *inst)
{
    const char *live = world_text(&s->w, &workflow_resource, inst->workflow, "metadata.uid");

    return inst->run.seq == 0 && inst->trigger.workflow_uid && *live &&
           strcmp(inst->trigger.workflow_uid, live) != 0;
}

struct unrest {
    struct storm *s;
    char text[256]; /* what is not at its end yet; "": all is */
};

static void check_instance(const json_t *object, void *arg)
{
    struct unrest *u = arg;

    if (*u->text)
        return;
    CLEANUP(instance_free) struct instance *inst = instance_decode(object);
    if (instance_active(inst) && !storm_is_held(u->s, inst))
        snprintf(u->text, sizeof(u->text), "%s is still %s, seq %" PRId64 " of %" PRId64,
                 inst->id.name, run_state_name(inst->run.state), inst->run.seq, inst->trigger.seq);
    else if (inst->run.seq > 0 && inst->run.halted_through < inst->halt_through)
        snprintf(u->text, sizeof(u->text), "%s: nobody answered the halt", inst->id.name);
}

static void check_pod(const json_t *object, void *arg)
{
    struct unrest *u = arg;
    const char *name = json_text_at(object, "metadata.name");

    const json_t *labels = json_at(object, "metadata.labels");
    bool labelled = json_object_get(labels, POD_LABEL) != NULL;

    if (!*u->text && !is_foreign(name) && labelled)
        snprintf(u->text, sizeof(u->text), "pod %s is left", name);
}

static bool at_rest(struct storm *s, struct unrest *u)
{
    *u = (struct unrest) {.s = s};
    fake_foreach(s->w.fake, &instance_resource, check_instance, u);
    fake_foreach(s->w.fake, &pod_resource, check_pod, u);
    if (!*u->text && s->w.n_running > N_FOREIGN)
        snprintf(u->text, sizeof(u->text), "%d containers still run", s->w.n_running - N_FOREIGN);
    return !*u->text;
}

static void come_to_rest(struct storm *s)
{
    int64_t end = storm_now(s) + QUIET_MS;
    struct unrest u;

    while (!at_rest(s, &u) && storm_now(s) < end && !*s->o.broken) {
        world_run(&s->w, 5 * MINUTE_MS);
        observer_check(&s->o);
    }
    if (*u.text)
        observer_blame(&s->o, "%s", u.text);
}

static void count_active(const json_t *object, void *arg)
{
    CLEANUP(instance_free) struct instance *inst = instance_decode(object);

    *(size_t *) arg += instance_active(inst);
}

/* It says so, and it is true. */
static bool waits(struct storm *s, const struct workflow *wf)
{
    const char *result = wf->status.last_decision.result, *why = wf->status.last_decision.reason;
    size_t n = 0;

    if (!result || strcmp(result, "Waiting") != 0)
        return false;
    fake_foreach(s->w.fake, &instance_resource, count_active, &n);
    return !why || strcmp(why, "TooManyRuns") != 0 || n >= s->w.settings[0].max_unfinished / 2;
}

/* Nothing that is due is left, or it is on its way: the cursor moves between two looks. */
static void check_workflow(const json_t *object, void *arg)
{
    struct storm *s = arg;
    CLEANUP(workflow_free) struct workflow *wf = workflow_decode(object);
    char next[INSTANT_TEXT_MAX];

    if (wf->suspend || !wf->status.ready.status || strcmp(wf->status.ready.status, "True") != 0 ||
        waits(s, wf) ||
        !cursor_due(&wf->status.cursor, loop_now(s->w.loop, LOOP_OF_DAY) - MINUTE_MS))
        return;
    CLEANUP(free) char *key =
        xasprintf("%s %s", wf->id.name, instant_print(wf->status.cursor.next, next));
    if (++tally(&s->due, key)->n > 1)
        observer_blame(&s->o, "%s: nobody triggers %s", wf->id.name, next);
}

/* Early and late, all that lives is of the same size; a little is left to chance. */
static void check_memory(struct storm *s)
{
    if (s->o.strict && s->plan.ms >= 20 * DAY_MS && s->memory_early > 0 &&
        s->memory_late > s->memory_early + s->memory_early / 5)
        observer_blame(&s->o, "memory grows: %zu, then %zu bytes", s->memory_early, s->memory_late);
}

static void check_requests(struct storm *s)
{
    uint64_t n = s->o.n_pods + s->o.n_triggers +
                 (uint64_t) (s->n_wishes + s->n_refused + s->plan.n_workflows);

    if (s->o.n_requests > REQUESTS_A_RUN * n)
        observer_blame(&s->o, "%" PRIu64 " requests for %" PRIu64 " pods", s->o.n_requests,
                       s->o.n_pods);
}

void storm_end(struct storm *s)
{
    if (*s->o.broken)
        return;
    s->calm = true;
    storm_note(s, "the end of all faults", NULL);
    storm_faults_end(s);
    storm_end_without_account(s);
    world_run(&s->w, 20 * MINUTE_MS);
    observer_check(&s->o);
    fake_foreach(s->w.fake, &workflow_resource, check_workflow, s);
    world_run(&s->w, 3 * MINUTE_MS);
    fake_foreach(s->w.fake, &workflow_resource, check_workflow, s);
    storm_suspend_all(s);
    world_run(&s->w, 10 * MINUTE_MS);
    come_to_rest(s);
    storm_callers_judge(s);
    check_memory(s);
    check_requests(s);
}

void storm_done(struct storm *s)
{
    storm_callers_done(s);
    tally_free_all(&s->due);
    loop_task_cancel(&s->death);
    storm_people_end(s);
    storm_doubt_end(s);
    storm_refusal_end(s);
    storm_account_found(s);
    fake_set_judge(s->w.fake, NULL, NULL);
    if (s->trace)
        trace_detach(s->trace);
    observer_done(&s->o);
    world_done(&s->w);
    random_redirect(NULL);
}
