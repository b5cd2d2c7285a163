/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/retain.h"

#include "unit/model/instants.h"
#include "unit/model/json_text.h"

#define UID "0b8f3e5c-2b9c-4a0e-8f0e-6f2f5d1c0001"

/* ---- pods: of attempt 1, created at 01:00:00, which ended at 02:00:00 ---- */

#define RUNS           "{'running': {}}"
#define ENDED          "{'terminated': {'exitCode': 0, 'finishedAt': '2026-01-01T02:00:00Z'}}"
#define ENDED_SOMETIME "{'terminated': {'exitCode': 0, 'finishedAt': 'yesterday'}}"
#define PULLS          "{'waiting': {'reason': 'ErrImagePull'}}"

struct look {
    const char *phase, *main; /* the container's state; NULL: it has none */
    const char *deleting;     /* at; NULL: it is not */
    const char *finalizers;   /* NULL: ours alone */
    const char *name, *owner; /* NULL: as we made them */
    const char *node;         /* NULL: none */
    bool at_once;             /* deleted without grace */
};

#define OURS "'kharon.dev/outcome'"
#define NAME "styx-run-d0939220-e5cb-5092-a737-f1eb7b9b2959"
#define OWNER                                                                                      \
    "{'apiVersion': 'kharon.dev/v1alpha1', 'kind': 'WorkflowInstance', 'name': 'i',"               \
    " 'uid': '" UID "', 'controller': true}"
#define POD(...) ((struct look) {__VA_ARGS__})

static struct pod *pod_of(int line, const struct look *look)
{
    CLEANUP(free) char *deletion = look->deleting
                                       ? xasprintf(", 'deletionTimestamp': '2026-01-01T%sZ',"
                                                   " 'deletionGracePeriodSeconds': %d",
                                                   look->deleting, look->at_once ? 0 : 30)
                                       : xstrdup("");
    CLEANUP(free) char *statuses = look->main
                                       ? xasprintf(", 'containerStatuses': [{'name': 'styx-run',"
                                                   " 'state': %s}]",
                                                   look->main)
                                       : xstrdup("");
    CLEANUP(free) char *text =
        xasprintf("{'metadata': {'name': '%s', 'namespace': 'team',"
                  " 'creationTimestamp': '2026-01-01T01:00:00Z', 'finalizers': [%s],"
                  " 'annotations': {'kharon.dev/seq': '1', 'kharon.dev/attempt': '1',"
                  "  'kharon.dev/instance': 'i', 'kharon.dev/instance-uid': '" UID "'},"
                  " 'ownerReferences': [%s] %s}, 'spec': {'nodeName': %s%s%s},"
                  " 'status': {'phase': '%s' %s}}",
                  look->name ? look->name : NAME, look->finalizers ? look->finalizers : OURS,
                  look->owner ? look->owner : OWNER, deletion, look->node ? "'" : "",
                  look->node ? look->node : "null", look->node ? "'" : "", look->phase, statuses);
    CLEANUP(json_decref) json_t *json = json_of_at(line, text);

    return pod_decode(json);
}

/* ---- owners ---- */

#define GONE   "gone"
#define UNSEEN "unseen"

#define DELETING ", 'deletionTimestamp': '2026-01-01T02:00:00Z'"

/* `owner`: members of its status, or that it is gone or not in the cache. */
static struct instance *instance_of(int line, const char *owner)
{
    CLEANUP(free) char *text =
        xasprintf("{'metadata': {'name': 'i', 'namespace': 'team', 'uid': '%s' %s},"
                  " 'spec': {'workflow': 'w', 'parameter': 'p'}, 'status': {%s}}",
                  strcmp(owner, "another") == 0 ? "other" : UID,
                  strcmp(owner, "deleting") == 0  ? DELETING
                  : strcmp(owner, "orphans") == 0 ? DELETING ", 'finalizers': ['orphan']"
                                                  : "",
                  strchr(owner, ':') ? owner : "");

    if (strcmp(owner, GONE) == 0 || strcmp(owner, UNSEEN) == 0)
        return NULL;
    CLEANUP(json_decref) json_t *json = json_of_at(line, text);
    return instance_decode(json);
}

/* ---- rows ---- */

static const char *kind_name(enum retain_kind kind)
{
    static const char *const names[] = {[RETAIN_KEEP] = "keep",
                                        [RETAIN_DELETE] = "delete",
                                        [RETAIN_DELETE_AT_ONCE] = "delete at once",
                                        [RETAIN_RELEASE] = "release",
                                        [RETAIN_FIND_INSTANCE] = "find",
                                        [RETAIN_FIND_NODE] = "find node"};

    return names[kind];
}

#define RETAIN(pod, owner, now, want, again) check_retain(__LINE__, pod, owner, now, want, again)

static void check_retain(int line, struct look look, const char *owner, const char *now,
                         const char *want, const char *again)
{
    CLEANUP(pod_free) struct pod *pod = pod_of(line, &look);
    CLEANUP(instance_free) struct instance *inst = instance_of(line, owner);
    CLEANUP(free) char *instant_text = xasprintf("2026-01-01T%sZ", now);
    struct retain_view view = {
        .pod = pod,
        .inst = inst,
        .inst_absent = strcmp(owner, GONE) == 0,
        .now = instant_at(line, instant_text),
        .retention_ms = 120 * SECOND_MS,
    };
    struct retain_step step = retain_decide(&view);

    CHECK_STR_AT(line, kind_name(step.kind), want);
    if (strcmp(again, NONE) == 0) {
        CHECK_INT_AT(line, step.look_again_at, INSTANT_NONE);
        return;
    }
    CLEANUP(free) char *again_text = xasprintf("2026-01-01T%sZ", again);
    CHECK_INSTANT_AT(line, step.look_again_at, again_text);
    CHECK_AT(line, step.look_again_at > view.now); /* or it would be asked for ever */
}

#define CURRENT(state) "'seq': 1, 'attempt': 1, 'state': '" state "'"
#define NEXT           "'seq': 1, 'attempt': 2, 'state': 'RUNNING'"

/* STYX-POD-08: what the pod has to tell is not stored yet. */
TEST(the_pod_of_the_current_execution_is_kept)
{
    static const char *const states[] = {CURRENT("SUBMITTING"), CURRENT("SUBMITTED"),
                                         CURRENT("RUNNING"),
                                         "'seq': 1, 'attempt': 0, 'state': 'QUEUED'"};

    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        RETAIN(POD("Pending"), states[i], "05:00:00", "keep", NONE);
        RETAIN(POD("Pending", PULLS), states[i], "05:00:00", "keep", NONE);
        RETAIN(POD("Running", RUNS), states[i], "05:00:00", "keep", NONE);
        RETAIN(POD("Running", ENDED), states[i], "05:00:00", "keep", NONE);
        RETAIN(POD("Succeeded", ENDED), states[i], "05:00:00", "keep", NONE);
        RETAIN(POD("Failed"), states[i], "05:00:00", "keep", NONE);
        RETAIN(POD("Failed", ENDED, "02:00:00"), states[i], "05:00:00", "keep", NONE);
    }
}

/* STYX-POD-08: 120 seconds for whoever wants to read the logs. */
TEST(a_pod_that_ended_is_kept_for_its_logs)
{
    static const char *const states[] = {CURRENT("TERMINATED"), CURRENT("FAILED"),
                                         CURRENT("QUEUED"),     CURRENT("DONE"),
                                         CURRENT("ERROR"),      NEXT};

    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        RETAIN(POD("Succeeded", ENDED), states[i], "02:00:00", "keep", "02:02:00");
        RETAIN(POD("Running", ENDED), states[i], "02:01:59", "keep", "02:02:00");
        RETAIN(POD("Failed", ENDED), states[i], "02:02:00", "delete", NONE);
        RETAIN(POD("Failed", ENDED_SOMETIME), states[i], "02:00:00", "delete", NONE);
        RETAIN(POD("Failed"), states[i], "02:00:00", "delete", NONE);
    }
}

/* STYX-POD-08: it was halted, or timed out. */
TEST(a_pod_that_still_runs_and_nobody_waits_for_is_deleted)
{
    static const char *const states[] = {CURRENT("FAILED"), CURRENT("QUEUED"), CURRENT("ERROR"),
                                         NEXT};

    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        RETAIN(POD("Pending"), states[i], "01:00:01", "delete", NONE);
        RETAIN(POD("Pending", PULLS), states[i], "01:00:01", "delete", NONE);
        RETAIN(POD("Running", RUNS), states[i], "01:00:01", "delete", NONE);
        RETAIN(POD("Running", RUNS, "01:00:02"), states[i], "05:00:00", "keep", NONE);
        RETAIN(POD("Running", RUNS, "01:00:02", ""), states[i], "05:00:00", "keep", NONE);
    }
}

/* A pod that was made and never written, of a run that was then halted or triggered again. */
TEST(a_pod_of_what_is_over_is_deleted)
{
    RETAIN(POD("Running", RUNS), "'seq': 1, 'attempt': 0, 'state': 'ERROR'", "01:00:01", "delete",
           NONE);
    RETAIN(POD("Running", RUNS), "'seq': 2, 'attempt': 0, 'state': 'QUEUED'", "01:00:01", "delete",
           NONE);
    RETAIN(POD("Running", RUNS), "'seq': 2, 'attempt': 1, 'state': 'RUNNING'", "01:00:01", "delete",
           NONE);
    RETAIN(POD("Running", RUNS), "'seq': 0, 'attempt': 5, 'state': 'DONE'", "01:00:01", "keep",
           NONE);
    RETAIN(POD("Running", RUNS), "'state': 'NEW'", "01:00:01", "keep", NONE);
}

#define HELD(seq)                                                                                  \
    "'seq': 0, 'state': 'NEW', 'trigger': {'seq': " seq "}, 'conditions': [{'type': 'Held',"       \
    " 'status': 'True', 'lastTransitionTime': '2026-01-01T01:00:00Z'}]"

/* What is held has forgotten the triggers before it; its own pod it would find. */
TEST(a_pod_of_a_trigger_before_what_is_held_is_deleted)
{
    RETAIN(POD("Running", RUNS), HELD("2"), "01:00:01", "delete", NONE);
    RETAIN(POD("Succeeded", ENDED), HELD("2"), "02:01:00", "keep", "02:02:00");
    RETAIN(POD("Succeeded", ENDED, "02:02:00"), HELD("2"), "02:02:00", "release", NONE);
    RETAIN(POD("Running", RUNS), HELD("1"), "01:00:01", "keep", NONE);
}

TEST(the_finalizer_goes_when_nothing_runs_and_the_name_is_settled)
{
    RETAIN(POD("Succeeded", ENDED, "02:02:00"), CURRENT("DONE"), "02:02:00", "release", NONE);
    RETAIN(POD("Running", ENDED, "02:02:00"), CURRENT("DONE"), "02:02:00", "release", NONE);
    RETAIN(POD("Failed", NULL, "01:00:30"), NEXT, "01:01:00", "keep", "01:02:00");
    RETAIN(POD("Failed", NULL, "01:00:30"), NEXT, "01:02:00", "release", NONE);
    RETAIN(POD("Succeeded", ENDED, "02:02:00", OURS ", 'a/b'"), NEXT, "02:02:00", "release", NONE);
}

/* STYX-POD-08: at 30 minutes after it should have gone, by force. */
TEST(a_pod_that_does_not_go_is_forced)
{
    RETAIN(POD("Succeeded", ENDED, "02:02:00", ""), NEXT, "02:02:00", "keep", "02:32:00");
    RETAIN(POD("Succeeded", ENDED, "02:02:00", ""), NEXT, "02:32:00", "delete at once", NONE);
    RETAIN(POD("Succeeded", ENDED, "01:00:00", ""), NEXT, "02:10:00", "keep", "02:32:00");
    RETAIN(POD("Succeeded", ENDED, "02:20:00", ""), NEXT, "02:40:00", "keep", "02:50:00");
    RETAIN(POD("Succeeded", ENDED, "02:20:00", ""), NEXT, "02:50:00", "delete at once", NONE);
    RETAIN(POD("Succeeded", ENDED, "02:02:00", "'a/b'"), NEXT, "05:00:00", "keep", NONE);
}

TEST(the_pods_of_a_run_that_is_gone_go)
{
    static const char *const owners[] = {GONE, "deleting"};

    for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
        RETAIN(POD("Running", RUNS), owners[i], "01:00:01", "delete", NONE);
        RETAIN(POD("Succeeded", ENDED), owners[i], "02:00:01", "delete", NONE);
        RETAIN(POD("Running", RUNS, "01:00:01"), owners[i], "01:00:02", "release", NONE);
        RETAIN(POD("Running", RUNS, "01:00:01", ""), owners[i], "05:00:00", "keep", NONE);
        /* Without grace nothing but the finalizer keeps the object while the container runs. */
        RETAIN(POD("Running", RUNS, "01:00:01", .at_once = true), owners[i], "01:00:02", "keep",
               NONE);
        RETAIN(POD("Running", ENDED, "01:00:01", .at_once = true), owners[i], "01:00:02", "release",
               NONE);
        RETAIN(POD("Failed", NULL, "01:00:01", .at_once = true), owners[i], "01:00:02", "release",
               NONE);
    }
}

/* It is not gone before that is proven. */
TEST(an_owner_that_is_not_there_is_looked_for)
{
    RETAIN(POD("Running", RUNS), UNSEEN, "01:00:01", "find", NONE);
    RETAIN(POD("Succeeded", ENDED, "02:00:00"), UNSEEN, "05:00:00", "find", NONE);
    RETAIN(POD("Running", RUNS), "another", "01:00:01", "find", NONE);
}

/* Somebody deleted the instance and wants the pod to go on. */
TEST(an_orphan_is_let_go)
{
    RETAIN(POD("Running", RUNS), "orphans", "01:00:01", "keep", NONE);
    RETAIN(POD("Running", RUNS, .owner = ""), "orphans", "01:00:01", "release", NONE);
    RETAIN(POD("Running", RUNS, .owner = ""), UNSEEN, "01:00:01", "find", NONE);
    RETAIN(POD("Running", RUNS, .owner = ""), GONE, "01:00:01", "release", NONE);
    RETAIN(POD("Running", RUNS, .owner = "", .finalizers = ""), GONE, "05:00:00", "keep", NONE);
}

/* The clock may be set, a create that is under way does not know. */
TEST(a_name_stays_taken_for_a_while_by_any_clock)
{
    struct look look = POD("Succeeded", ENDED, "02:02:00");
    CLEANUP(pod_free) struct pod *pod = pod_of(__LINE__, &look);
    CLEANUP(instance_free) struct instance *inst = instance_of(__LINE__, CURRENT("DONE"));
    struct retain_view view = {
        .pod = pod,
        .inst = inst,
        .now = instant_at(__LINE__, "2026-01-01T05:00:00Z"),
        .retention_ms = 120 * SECOND_MS,
        .tombstone_ms = 7 * SECOND_MS,
    };
    struct retain_step step = retain_decide(&view);

    CHECK_STR(kind_name(step.kind), "keep");
    CHECK_INSTANT_AT(__LINE__, step.look_again_at, "2026-01-01T05:00:07Z");
    view.tombstone_ms = 0;
    CHECK_STR(kind_name(retain_decide(&view).kind), "release");
}

/* STYX-POD-09 */
TEST(pods_of_others_are_not_touched)
{
    RETAIN(POD("Failed", ENDED, .name = "other"), NEXT, "05:00:00", "keep", NONE);
    RETAIN(POD("Failed", ENDED, .name = "other"), GONE, "05:00:00", "keep", NONE);
    RETAIN(POD("Failed", ENDED, "02:00:00", .name = "other"), UNSEEN, "05:00:00", "keep", NONE);
    RETAIN(POD("Running", RUNS, .name = "styx-run-834b10a9-9cad-56f6-b065-a78e4d1cf0e0"), GONE,
           "05:00:00", "keep", NONE);
}

/* A sidecar of somebody else's runs on: the run ended, the pod did not. */
TEST(a_sidecar_keeps_its_pod)
{
    static const char state[] = ENDED "}, {'name': 'proxy', 'state': " RUNS;

    RETAIN(POD("Running", state), CURRENT("DONE"), "02:00:00", "keep", "02:02:00");
    RETAIN(POD("Running", state), CURRENT("DONE"), "02:02:00", "delete", NONE);
    RETAIN(POD("Running", state, "02:02:00"), CURRENT("DONE"), "05:00:00", "keep", NONE);
}

/* One that never said when it ended is not waited for for ever. */
TEST(what_is_stuck_and_never_said_when_it_ended)
{
    RETAIN(POD("Failed", NULL, .deleting = "03:00:00", .finalizers = ""), CURRENT("ERROR"),
           "03:29:59", "keep", "03:30:00");
    RETAIN(POD("Failed", NULL, .deleting = "03:00:00", .finalizers = ""), CURRENT("ERROR"),
           "03:30:00", "delete at once", NONE);
}

/* ---- nodes ---- */

static void check_node(int line, struct look look, struct retain_view view, const char *now,
                       const char *want, const char *again)
{
    CLEANUP(pod_free) struct pod *pod = pod_of(line, &look);
    CLEANUP(instance_free) struct instance *inst = instance_of(line, CURRENT("RUNNING"));
    CLEANUP(free) char *text = xasprintf("2026-01-01T%sZ", now);

    view.pod = pod;
    view.inst = inst;
    view.now = instant_at(line, text);
    view.retention_ms = 120 * SECOND_MS;
    struct retain_step step = retain_decide(&view);
    CHECK_STR_AT(line, kind_name(step.kind), want);
    CLEANUP(free) char *again_text = xasprintf("2026-01-01T%sZ", again ? again : "00:00:00");
    if (again)
        CHECK_INSTANT_AT(line, step.look_again_at, again_text);
    else
        CHECK_INT_AT(line, step.look_again_at, INSTANT_NONE);
}

#define NODE(look, now, want, again, ...)                                                          \
    check_node(__LINE__, look, (struct retain_view) {__VA_ARGS__}, now, want, again)
#define STOPPING(...) POD("Running", RUNS, .deleting = "03:00:00", .node = "n", __VA_ARGS__)

/* Design, section 4: a pod that was told to end and does not. */
TEST(a_node_is_asked_for_when_its_pod_does_not_end)
{
    NODE(STOPPING(), "03:00:00", "keep", "03:00:30");
    NODE(STOPPING(), "03:00:30", "find node", NULL);
    NODE(STOPPING(), "03:00:31", "keep", "03:01:01", .node_wait_ms = 30000);
    NODE(STOPPING(), "04:00:00", "keep", NULL, .clock_wrong = true);
    NODE(STOPPING(), "04:00:00", "keep", NULL, .lost = true);
    NODE(POD("Running", RUNS, .node = "n"), "04:00:00", "keep", NULL);
    NODE(POD("Pending", NULL, .deleting = "03:00:00"), "04:00:00", "keep", NULL);
    NODE(POD("Failed", ENDED, .deleting = "03:00:00", .node = "n"), "04:00:00", "keep", NULL);
}

TEST(a_pod_of_a_lost_node_is_gone)
{
    struct look look = STOPPING();
    CLEANUP(pod_free) struct pod *pod = pod_of(__LINE__, &look);
    CLEANUP(instance_free) struct instance *inst = instance_of(__LINE__, CURRENT("ERROR"));
    struct retain_view view = {.pod = pod, .inst = inst, .retention_ms = 120 * SECOND_MS};

    view.now = instant_at(__LINE__, "2026-01-01T03:10:00Z");
    view.node_wait_ms = 1000;
    CHECK_STR(kind_name(retain_decide(&view).kind), "keep");
    view.lost = true;
    CHECK_STR(kind_name(retain_decide(&view).kind), "release");
}
