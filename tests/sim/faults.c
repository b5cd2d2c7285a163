/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong: with requests, with the API server, with the operators' processes and clocks. */
#include "sim/storm.h"

#include <string.h>

/* ---- requests ---- */

/* Another mixture in each spell of bad weather: often nothing, seldom the most. */
void storm_faults_begin(struct storm *s)
{
    static const int shares[] = {0, 0, 0, 5, 25, 100};

    for (size_t i = 0; i < storm_faults.n; i++) {
        const struct mishap *m = &storm_faults.rows[i];

        if (m->act)
            continue;
        int share = shares[rng_below(&s->rng, ARRAY_SIZE(shares))];
        fake_set_rate(s->w.fake, (enum fake_fault) m->request_fault,
                      (int) (s->plan.rates[i] * share / 100));
    }
}

static void burst(struct storm *s)
{
    static const struct {
        enum fake_fault fault;
        int verb;
        const char *plural;
    } bursts[] = {
        {FAKE_LOSE_REPLY, K8S_CREATE, "pods"},
        {FAKE_LATE, K8S_CREATE, "pods"},
        {FAKE_LATE, K8S_CREATE, "pods"},
        {FAKE_FORBID, K8S_CREATE, "pods"},
        {FAKE_LOSE_REPLY, K8S_CREATE, "workflowinstances"},
        {FAKE_LATE, K8S_CREATE, "workflowinstances"},
        {FAKE_LATE, K8S_PATCH, "workflowinstances"},
        {FAKE_LOSE_REPLY, K8S_PATCH, "workflowinstances"},
        {FAKE_CONFLICT, K8S_PATCH, "workflowinstances"},
        {FAKE_LATE, K8S_PATCH, "workflows"},
        {FAKE_LOSE_REPLY, K8S_PATCH, "workflows"},
        {FAKE_LOSE_REPLY, K8S_PATCH, "pods"},
        {FAKE_LOSE_REPLY, K8S_DELETE, "pods"},
        {FAKE_THROTTLE, -1, NULL},
        {FAKE_REFUSE, -1, NULL},
        {FAKE_LOSE_REQUEST, -1, NULL},
        {FAKE_LATE, K8S_PATCH, "leases"},
        {FAKE_LOSE_REPLY, K8S_PATCH, "leases"},
    };
    size_t i = rng_below(&s->rng, ARRAY_SIZE(bursts));

    fake_fail_next(s->w.fake, bursts[i].fault, (int) storm_between(s, 1, 5), bursts[i].verb,
                   bursts[i].plural);
}

static void end_watches(struct storm *s)
{
    fake_end_watches(s->w.fake, storm_one_of(s, 2));
}

static void compact(struct storm *s)
{
    fake_expire_history(s->w.fake);
    if (storm_one_of(s, 2))
        fake_end_watches(s->w.fake, true);
}

static void change_latency(struct storm *s)
{
    int64_t max = storm_one_of(s, 4) ? 2500 : storm_one_of(s, 2) ? 300 : 5;

    fake_set_latency(s->w.fake, 1, max);
}

/* ---- the API server ---- */

/* etcd stands still: nothing is answered in time, some writes take effect all the same. */
static void stall(struct storm *s)
{
    fake_stall(s->w.fake, storm_between(s, SECOND_MS, 30 * SECOND_MS));
}

static void down(struct storm *s)
{
    fake_stop_server(s->w.fake, storm_between(s, SECOND_MS, 3 * MINUTE_MS));
}

/* What happens to one kind is told late. */
static void lag(struct storm *s)
{
    static const struct k8s_resource *const kinds[] = {&workflow_resource, &instance_resource,
                                                       &pod_resource};
    int64_t most = storm_one_of(s, 4) ? 2 * MINUTE_MS : storm_one_of(s, 2) ? 10 * SECOND_MS : 0;

    fake_set_lag(s->w.fake, kinds[rng_below(&s->rng, ARRAY_SIZE(kinds))], 0,
                 storm_between(s, 0, most));
}

static void no_lag(struct storm *s)
{
    fake_set_lag(s->w.fake, &workflow_resource, 0, 0);
    fake_set_lag(s->w.fake, &instance_resource, 0, 0);
    fake_set_lag(s->w.fake, &pod_resource, 0, 0);
}

static void silence(struct storm *s)
{
    fake_silence_watches(s->w.fake);
}

/* As it is done by the book: while no API server runs. */
static void restore(struct storm *s)
{
    fake_stop_server(s->w.fake, storm_between(s, SECOND_MS, 10 * SECOND_MS));
    fake_restore(s->w.fake);
}

static void no_status(struct storm *s)
{
    s->no_status_until = storm_now(s) + storm_between(s, MINUTE_MS, 6 * MINUTE_MS);
}

static bool is_refused_status(const struct storm *s, const struct k8s_request *r)
{
    return storm_now(s) < s->no_status_until && r->verb == K8S_PATCH && r->subresource &&
           strcmp(r->resource->plural, instance_resource.plural) == 0;
}

static void change_skew(struct storm *s)
{
    fake_set_skew(s->w.fake, storm_between(s, -10, 10) * SECOND_MS);
}

/* ---- the operators, at random ---- */

/* One that runs and is not frozen; -1: none. */
static int any_operator(struct storm *s)
{
    int i = (int) rng_below(&s->rng, WORLD_MAX_OPERATORS);

    return s->w.operators[i] && !s->w.processes[i].frozen ? i : -1;
}

static void partition(struct storm *s)
{
    int i = any_operator(s);

    if (i < 0 || s->healed_at[i])
        return;
    fake_partition(s->w.clients[i], true);
    s->healed_at[i] = storm_now(s) + storm_between(s, SECOND_MS, MINUTE_MS);
}

static void end_one(struct storm *s, void (*end)(struct world *w, int i))
{
    int i = any_operator(s);

    if (i < 0)
        return;
    end(&s->w, i);
    s->healed_at[i] = s->thawed_at[i] = 0;
    s->started_at[i] = storm_now(s) + storm_between(s, 1, 20 * SECOND_MS);
}

static void kill_one(struct storm *s)
{
    end_one(s, world_kill);
}

static void hand_over(struct storm *s)
{
    end_one(s, world_stop);
}

static void freeze_for(struct storm *s, bool asleep, int64_t ms)
{
    int i = any_operator(s);

    if (i < 0)
        return;
    world_freeze(&s->w, i, asleep);
    s->thawed_at[i] = storm_now(s) + ms;
}

/* Often just past the lease. */
static void freeze_one(struct storm *s)
{
    int64_t lease = s->w.settings[0].lease_duration_ms;

    freeze_for(s, false, storm_between(s, 100, storm_one_of(s, 3) ? 3 * lease : lease + 2000));
}

static void sleep_one(struct storm *s)
{
    freeze_for(s, true, storm_between(s, SECOND_MS, 10 * MINUTE_MS));
}

/* ---- the operators, in the middle of a write ---- */

/* Which operator writes; -1: it is no write of one. */
static int who_writes(const struct storm *s, const char *user, const struct k8s_request *r)
{
    if (!k8s_verb_writes(r->verb) || strcmp(r->resource->plural, "leases") == 0)
        return -1;
    for (int i = 0; i < WORLD_MAX_OPERATORS; i++)
        if (s->w.operators[i] && strcmp(user, s->w.identities[i]) == 0)
            return i;
    return -1;
}

void storm_kill(struct storm *s, int i)
{
    if (!s->w.operators[i] || s->w.processes[i].frozen)
        return;
    storm_note(s, "killed as it writes", s->w.identities[i]);
    world_kill(&s->w, i);
    s->healed_at[i] = 0;
    s->started_at[i] = storm_now(s) + storm_between(s, 1, 5 * SECOND_MS);
}

static void kill_the_writer(void *arg)
{
    struct storm *s = arg;

    storm_kill(s, s->dying);
}

static int judge(const char *user, const struct k8s_request *r, void *arg)
{
    struct storm *s = arg;
    bool armed = s->freeze_writer_ms > 0 || s->kill_writer;
    int refused = storm_account_judge(s, r);

    if (refused >= 0)
        return refused;
    if (is_refused_status(s, r))
        return FAKE_REFUSE;
    bool asked = armed || s->delete_triggered || s->aim;
    int i = asked ? who_writes(s, user, r) : -1;

    if (i >= 0)
        storm_people_see(s, r);
    if (i >= 0 && s->aim)
        return s->aim(s, r, i);
    if (i < 0 || !armed || storm_one_of(s, 2))
        return -1;
    if (s->kill_writer) {
        s->kill_writer = false;
        s->dying = i;
        loop_task_queue(s->w.loop, &s->death);
        return -1;
    }
    storm_note(s, "frozen as it writes", user);
    world_freeze(&s->w, i, false);
    s->thawed_at[i] = storm_now(s) + s->freeze_writer_ms;
    s->freeze_writer_ms = 0;
    return -1;
}

static void freeze_writer(struct storm *s)
{
    int64_t lease = s->w.settings[0].lease_duration_ms;

    s->freeze_writer_ms = storm_between(s, lease - 2000, 2 * lease + 2000);
}

static void kill_writer(struct storm *s)
{
    s->kill_writer = true;
}

/* ---- their settings ---- */

/* What waits longer than that is given up: for an old pod that does not end, for instance. */
static void hurry(struct storm *s)
{
    int64_t limit = storm_between(s, 10 * SECOND_MS, 2 * MINUTE_MS);

    for (int i = 0; i < WORLD_MAX_OPERATORS; i++)
        s->w.settings[i].state_limits_ms[RUN_QUEUED] =
            s->w.settings[i].state_limits_ms[RUN_SUBMITTING] = limit;
}

/* ---- clocks ---- */

static void step_clock(struct storm *s)
{
    int i = any_operator(s);
    int64_t most = storm_one_of(s, 4) ? 2 * HOUR_MS : MINUTE_MS;

    if (i >= 0 && s->w.processes[i].stepped_ms == 0)
        world_step_clock(&s->w, i, storm_between(s, -most, most));
}

static void set_clock_right(struct storm *s)
{
    for (int i = 0; i < WORLD_MAX_OPERATORS; i++) {
        world_step_clock(&s->w, i, -s->w.processes[i].stepped_ms);
        world_set_drift(&s->w, i, 0);
    }
}

static void drift(struct storm *s)
{
    int i = any_operator(s);

    if (i >= 0)
        world_set_drift(&s->w, i, storm_between(s, -2000, 2000));
}

/* ---- pods ---- */

static void evict(struct storm *s)
{
    CLEANUP(free) char *name = storm_pick(s, &pod_resource);

    if (name)
        fake_kubelet_evict(s->w.kubelet, WORLD_NS, name);
}

static void preempt(struct storm *s)
{
    CLEANUP(free) char *name = storm_pick(s, &pod_resource);

    if (name)
        fake_kubelet_preempt(s->w.kubelet, WORLD_NS, name);
}

static void press(struct storm *s)
{
    CLEANUP(free) char *name = storm_pick(s, &pod_resource);

    if (name)
        fake_kubelet_press(s->w.kubelet, WORLD_NS, name);
}

/* ---- nodes ---- */

static const char *const nodes[] = {"node-a", "node-b", "node-c"};

void storm_faults_prepare(struct storm *s)
{
    s->death = (struct loop_task) {.on_turn = kill_the_writer, .arg = s};
    fake_set_judge(s->w.fake, judge, s);
    fake_part_versions(s->w.fake);
    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
        fake_kubelet_add_node(s->w.kubelet, nodes[i]);
}

bool storm_lose_node(struct storm *s, const char *node, int64_t ms)
{
    size_t i = 0;

    while (i < ARRAY_SIZE(nodes) && (!node || strcmp(nodes[i], node) != 0))
        i++;
    if (i == ARRAY_SIZE(nodes) || s->lost_node || s->mended_node)
        return false;
    fake_kubelet_lose_node(s->w.kubelet, nodes[i]);
    s->lost_node = nodes[i];
    s->regained_at = storm_now(s) + ms;
    s->node_fate = (int) rng_below(&s->rng, 3);
    return true;
}

/* Its network is gone for a while, or for ever: then somebody says so, one way or the other. */
static void lose_node(struct storm *s)
{
    const char *node = nodes[rng_below(&s->rng, ARRAY_SIZE(nodes))];

    if (!s->lost_node && !s->mended_node)
        storm_lose_node(s, node, storm_between(s, 5 * SECOND_MS, 12 * MINUTE_MS));
}

static void end_node_loss(struct storm *s)
{
    const char *node = TAKE(s->lost_node);

    if (s->node_fate == 1)
        fake_kubelet_fence_node(s->w.kubelet, node);
    else if (s->node_fate == 2)
        fake_kubelet_remove_node(s->w.kubelet, node);
    else
        fake_kubelet_regain_node(s->w.kubelet, node);
    s->mended_node = node;
    s->mended_at = storm_now(s) + storm_between(s, MINUTE_MS, 5 * MINUTE_MS);
}

/* One that was given up comes back as a new machine of its name. */
static void mend_node(struct storm *s)
{
    static const struct k8s_resource node_resource = {"", "v1", "nodes", "Node"};
    const char *node = TAKE(s->mended_node);

    if (s->node_fate == 0)
        return;
    fake_delete(s->w.fake, &node_resource, NULL, node);
    fake_kubelet_add_node(s->w.kubelet, node);
}

static void repair_nodes(struct storm *s, int64_t now)
{
    if (s->mended_node && now >= s->mended_at)
        mend_node(s);
    if (s->lost_node && !s->mended_node && now >= s->regained_at)
        end_node_loss(s);
}

static void regain_nodes(struct storm *s)
{
    repair_nodes(s, INT64_MAX);
    repair_nodes(s, INT64_MAX);
    repair_nodes(s, INT64_MAX);
}

/* ---- the end of it ---- */

static void thaw(struct storm *s, int i)
{
    s->thawed_at[i] = 0;
    if (s->w.operators[i])
        world_thaw(&s->w, i, storm_one_of(s, 2));
}

void storm_faults_repair(struct storm *s, int64_t now)
{
    repair_nodes(s, now);
    for (int i = 0; i < WORLD_MAX_OPERATORS; i++) {
        if (s->thawed_at[i] && now >= s->thawed_at[i])
            thaw(s, i);
        if (s->healed_at[i] && now >= s->healed_at[i]) {
            fake_partition(s->w.clients[i], false);
            s->healed_at[i] = 0;
        }
        if (!s->w.operators[i] && now >= s->started_at[i])
            world_start(&s->w, i);
    }
}

void storm_faults_end(struct storm *s)
{
    for (int i = 0; i < FAKE_N_FAULTS; i++)
        fake_set_rate(s->w.fake, (enum fake_fault) i, 0);
    fake_fail_no_more(s->w.fake);
    s->freeze_writer_ms = 0;
    s->kill_writer = false;
    s->no_status_until = 0;
    loop_task_cancel(&s->death);
    storm_people_end(s);
    storm_doubt_end(s);
    storm_refusal_end(s);
    s->aim = NULL;
    fake_set_skew(s->w.fake, 0);
    fake_set_latency(s->w.fake, 1, 5);
    no_lag(s);
    regain_nodes(s);
    storm_faults_repair(s, INT64_MAX);
    set_clock_right(s);
}

static const struct mishap rows[] = {
    {"lose-request", 200, NULL, FAKE_LOSE_REQUEST, "never arrives"},
    {"hang-up", 200, NULL, FAKE_HANG_UP, "is carried out, the connection closes"},
    {"timeout", 200, NULL, FAKE_TIMEOUT, "504, and not carried out"},
    {"no-leader", 100, NULL, FAKE_NO_LEADER, "500, carried out or not"},
    {"no-route", 50, NULL, FAKE_NO_ROUTE, "404 page not found: proves nothing"},
    {"no-account", 20, NULL, FAKE_NO_ACCOUNT, "403 for a pod"},
    {"no-right", 20, NULL, FAKE_NO_RIGHT, "403, as from a server that has just started"},
    {"duplicate", 200, NULL, FAKE_DUPLICATE, "an event comes twice"},
    {"lose-reply", 200, NULL, FAKE_LOSE_REPLY, "is carried out, nobody is told"},
    {"late", 200, NULL, FAKE_LATE, "takes effect seconds after its 504"},
    {"refuse", 200, NULL, FAKE_REFUSE, "503"},
    {"throttle", 200, NULL, FAKE_THROTTLE, "429"},
    {"conflict", 200, NULL, FAKE_CONFLICT, "409"},
    {"expire", 200, NULL, FAKE_EXPIRE, "410"},
    {"quota", 200, NULL, FAKE_FORBID, "403, exceeded quota"},
    {"burst", 120, burst, 0, "the next few requests of a kind fail"},
    {"end-watches", 20, end_watches, 0, "all watches end"},
    {"compact", 20, compact, 0, "old versions are gone: 410"},
    {"latency", 20, change_latency, 0, "answers take long"},
    {"stall", 6, stall, 0, "etcd stands still for up to 30 s"},
    {"down", 3, down, 0, "the API server is gone for up to 3 min"},
    {"lag", 20, lag, 0, "events of a kind come late, by up to 2 min"},
    {"silence", 6, silence, 0, "all watches fall silent"},
    {"no-status", 0, no_status, 0, "no status of an instance can be written, for up to 6 min"},
    {"restore", 0, restore, 0, "etcd is restored: versions go back"},
    {"skew", 6, change_skew, 0, "the API server's clock is wrong"},
    {"partition", 15, partition, 0, "an operator's network is gone"},
    {"kill", 20, kill_one, 0, "an operator is killed"},
    {"hand-over", 12, hand_over, 0, "an operator is asked to stop"},
    {"freeze", 15, freeze_one, 0, "an operator stands still, and wakes up"},
    {"freeze-writer", 15, freeze_writer, 0, "the same, in the middle of a write"},
    {"kill-writer", 15, kill_writer, 0, "an operator is killed in the middle of a write"},
    {"doubt", 0, storm_doubt, 0, "a pod comes late, and what is wanted changes before"},
    {"untold", 0, storm_untold, 0, "the same, and its events come later still"},
    {"refusal", 0, storm_refusal, 0, "a pod is refused, and its operator dies"},
    {"crowd", 0, storm_crowd, 0, "much is triggered at once, and what was made is told late"},
    {"unsaid-cursor", 0, storm_unsaid_cursor, 0, "cursors move, nobody is told, a leader goes"},
    {"unsaid-run", 0, storm_unsaid_run, 0, "runs go on, nobody is told, a leader goes"},
    {"unsaid-trigger", 0, storm_unsaid_trigger, 0, "a trigger is late, a leader goes, all changes"},
    {"hurry", 0, hurry, 0, "no try may wait for long, from now on"},
    {"account", 0, storm_lose_account, 0, "the service account of a workflow is gone, for good"},
    {"sleep", 4, sleep_one, 0, "an operator's machine sleeps"},
    {"step-clock", 8, step_clock, 0, "an operator's clock is set wrong, by up to 2 h"},
    {"drift", 4, drift, 0, "an operator's clocks run wrong, by up to 0.2 %"},
    {"evict", 20, evict, 0, "a pod is evicted"},
    {"preempt", 10, preempt, 0, "a pod gives way to another"},
    {"press", 10, press, 0, "a node is short of memory and ends a pod"},
    {"lose-node", 4, lose_node, 0, "a node's network is gone, or the node is"},
};
const struct mishap_table storm_faults = {"faults", rows, ARRAY_SIZE(rows)};
