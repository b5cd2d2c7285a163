/* SPDX-License-Identifier: Apache-2.0 */
#include "model/attempt.h"

#include "unit/model/json_text.h"

#define UID "0b8f3e5c-2b9c-4a0e-8f0e-6f2f5d1c0001"

/* ---- execution ids ---- */

#define ID(uid, seq, attempt, want) check_id(__LINE__, uid, seq, attempt, want)

static void check_id(int line, const char *uid, int64_t seq, int attempt, const char *want)
{
    char text[EXECUTION_ID_MAX];

    CHECK_STR_AT(line, attempt_execution_id(uid, seq, attempt, text), want);
}

/* STYX-POD-01: UUIDs of version 5, as any implementation of RFC 4122 makes them. */
TEST(execution_ids_follow_from_the_run)
{
    ID(UID, 1, 1, "styx-run-d0939220-e5cb-5092-a737-f1eb7b9b2959");
    ID(UID, 1, 2, "styx-run-834b10a9-9cad-56f6-b065-a78e4d1cf0e0");
    ID(UID, 2, 2, "styx-run-8000639d-995a-5a14-8761-db04e0f653d1");
    ID(UID, 1, 12, "styx-run-480d745f-e90c-5af0-ab76-85cbf978da77");
    ID(UID, 11, 2, "styx-run-376dd160-9216-5b81-87c7-7f4c5dbfa04f");
    ID(UID, 9007199254740992, 1000000000, "styx-run-e22e1828-4192-5318-8704-3e95e4d57692");
    ID("uid-1", 1, 1, "styx-run-6d4b95e5-5e78-514c-a2da-c83d65a2b21e");
    ID("uid-1", 1, 2, "styx-run-e4b4037c-ad78-5ebc-86d7-2255a68df4db");
}

/* ---- a workflow, an instance of it and its attempt ---- */

struct trial {
    struct workflow *wf;
    struct instance *inst;
    struct run_trigger trigger;
    struct description *description;
    struct attempt_settings settings;
};

static void set_up(struct trial *t, const char *spec, const char *parameter)
{
    CLEANUP(free) char *workflow =
        xasprintf("{'metadata': {'name': 'report', 'namespace': 'team', 'uid': 'w'},"
                  " 'spec': %s}",
                  spec);
    CLEANUP(free) char *instance = xasprintf(
        "{'metadata': {'name': 'report.2026-01-01t05', 'namespace': 'team', 'uid': '" UID "'},"
        " 'spec': {'workflow': 'report', 'parameter': '%s'}}",
        parameter);
    CLEANUP(json_decref) json_t *wf = json_of(workflow);
    CLEANUP(json_decref) json_t *inst = json_of(instance);

    *t = (struct trial) {
        .wf = workflow_decode(wf),
        .inst = instance_decode(inst),
        .trigger = {.seq = 3, .type = TRIGGER_NATURAL, .id = xstrdup("natural-trigger")},
    };
    CHECK_STR(t->wf->problem, NULL);
    CHECK_STR(t->inst->problem, NULL);
}

static void done(struct trial *t)
{
    workflow_free(t->wf);
    instance_free(t->inst);
    run_trigger_done(&t->trigger);
    description_unref(t->description);
    env_done(&t->settings.execution_env);
}

static json_t *manifest(struct trial *t)
{
    if (!t->description)
        t->description = attempt_describe(t->wf, t->inst->parameter, &t->trigger);
    struct attempt a = {
        .wf = t->wf,
        .inst = t->inst,
        .trigger = &t->trigger,
        .description = t->description,
        .attempt = 7,
        .tries = 2,
        .triggered_at = 1767225600000,
        .dequeued_at = 1767225601000,
        .submitted_at = 1767225602000,
    };
    return attempt_manifest(&a, &t->settings);
}

#define EXECUTION "styx-run-2993ff99-2322-53a4-9aaa-4df3145cccd3"

static const json_t *container(const json_t *pod)
{
    return json_array_get(json_at(pod, "spec.containers"), 0);
}

static const char *env_value(const json_t *pod, const char *name)
{
    size_t i;
    const json_t *var;
    const char *value = NULL;
    int n = 0;

    json_array_foreach (json_at(container(pod), "env"), i, var) {
        if (strcmp(json_text_at(var, "name"), name) == 0) {
            value = json_text_at(var, "value");
            n++;
        }
    }
    CHECK(n <= 1);
    return value;
}

/* ---- manifests ---- */

/* STYX-POD-02, STYX-POD-03, STYX-POD-04 */
TEST(the_pod_of_a_plain_workflow)
{
    struct trial t;

    set_up(&t, "{'schedule': 'hourly', 'template': {'image': 'busybox'}}", "2026-01-01T05");
    CLEANUP(json_decref) json_t *pod = manifest(&t);
    CHECK_JSON(
        pod,
        "{'apiVersion': 'v1', 'kind': 'Pod',"
        "'metadata': {'name': '" EXECUTION "', 'namespace': 'team',"
        " 'finalizers': ['kharon.dev/outcome'],"
        " 'labels': {'app.kubernetes.io/managed-by': 'kharon', 'STYX_COMPONENT_ID': 'team',"
        "  'STYX_WORKFLOW_ID': 'report', 'STYX_PARAMETER': '2026-01-01t0567adb0d',"
        "  'STYX_EXECUTION_ID': '" EXECUTION "', 'STYX_TRIGGER_TYPE': 'natural'},"
        " 'annotations': {'styx-workflow-instance': 'team#report#2026-01-01T05',"
        "  'styx-docker-termination-logging': 'false', 'kharon.dev/seq': '3',"
        "  'kharon.dev/attempt': '7',"
        "  'kharon.dev/record': '1767225600000,1767225601000,1767225602000',"
        "  'kharon.dev/description': '86f4436baf5570f6',"
        "  'kharon.dev/instance': 'report.2026-01-01t05', 'kharon.dev/instance-uid': '" UID "'},"
        " 'ownerReferences': [{'apiVersion': 'kharon.dev/v1alpha1', 'kind': 'WorkflowInstance',"
        "  'name': 'report.2026-01-01t05', 'uid': '" UID "', 'controller': true,"
        "  'blockOwnerDeletion': false}]},"
        "'spec': {'restartPolicy': 'Never', 'enableServiceLinks': false,"
        " 'automountServiceAccountToken': false,"
        " 'securityContext': {'seccompProfile': {'type': 'RuntimeDefault'}},"
        " 'containers': [{'name': 'styx-run', 'image': 'busybox:latest',"
        "  'terminationMessagePath': '/dev/termination-log',"
        "  'terminationMessagePolicy': 'FallbackToLogsOnError',"
        "  'securityContext': {'allowPrivilegeEscalation': false},"
        "  'env': [{'name': 'STYX_COMPONENT_ID', 'value': 'team'},"
        "   {'name': 'STYX_WORKFLOW_ID', 'value': 'report'},"
        "   {'name': 'STYX_PARAMETER', 'value': '2026-01-01T05'},"
        "   {'name': 'STYX_COMMIT_SHA', 'value': ''},"
        "   {'name': 'STYX_SERVICE_ACCOUNT', 'value': ''},"
        "   {'name': 'STYX_DOCKER_ARGS', 'value': ''},"
        "   {'name': 'STYX_DOCKER_IMAGE', 'value': 'busybox'},"
        "   {'name': 'STYX_EXECUTION_ID', 'value': '" EXECUTION "'},"
        "   {'name': 'STYX_TERMINATION_LOG', 'value': '/dev/termination-log'},"
        "   {'name': 'STYX_TRIGGER_ID', 'value': 'natural-trigger'},"
        "   {'name': 'STYX_TRIGGER_TYPE', 'value': 'natural'},"
        "   {'name': 'STYX_ENVIRONMENT', 'value': ''},"
        "   {'name': 'STYX_LOGGING', 'value': 'structured'},"
        "   {'name': 'STYX_EXECUTION_TRIES', 'value': '2'}]}]}}");
    done(&t);
}

static const char everything[] =
    "{'componentId': 'billing', 'workflowId': 'daily-report', 'schedule': 'daily',"
    " 'commitSha': 'c0ffee', 'template': {'image': 'reg.example:5000/report',"
    " 'args': ['--day', '{}', 'x{}', '{}'], 'terminationLogging': true,"
    " 'env': [{'name': 'MODE', 'value': '{}'}],"
    " 'gcpServiceAccount': 'etl@p.iam.gserviceaccount.com',"
    " 'podTemplate': {"
    "  'metadata': {'labels': {'team': 'x', 'app.kubernetes.io/managed-by': 'me'},"
    "   'annotations': {'note': 'n', 'kharon.dev/seq': '99'}},"
    "  'resources': {'requests': {'cpu': '100m'}}, 'imagePullPolicy': 'Always',"
    "  'volumes': [{'name': 'v', 'emptyDir': {}}],"
    "  'volumeMounts': [{'name': 'v', 'mountPath': '/v'}],"
    "  'nodeSelector': {'disk': 'ssd'}, 'affinity': {'nodeAffinity': {}},"
    "  'tolerations': [{'key': 't', 'operator': 'Exists'}],"
    "  'imagePullSecrets': [{'name': 's'}], 'serviceAccountName': 'etl',"
    "  'automountServiceAccountToken': true, 'priorityClassName': 'low',"
    "  'schedulerName': 'volcano', 'runtimeClassName': 'gvisor',"
    "  'terminationGracePeriodSeconds': 60,"
    "  'securityContext': {'runAsUser': 1000},"
    "  'containerSecurityContext': {'readOnlyRootFilesystem': true}}}}";

/* STYX-POD-02, STYX-POD-03 */
TEST(the_pod_of_a_workflow_that_says_everything)
{
    struct trial t;

    set_up(&t, everything, "2026-01-01");
    t.settings.environment = "production";
    t.settings.active_deadline_ms = 48 * HOUR_MS + 1;
    CLEANUP(json_decref) json_t *pod = manifest(&t);
    CHECK_JSON(json_at(pod, "metadata.labels"),
               "{'app.kubernetes.io/managed-by': 'kharon', 'team': 'x',"
               " 'STYX_COMPONENT_ID': 'billing', 'STYX_WORKFLOW_ID': 'daily-report',"
               " 'STYX_PARAMETER': '2026-01-01', 'STYX_EXECUTION_ID': '" EXECUTION "',"
               " 'STYX_TRIGGER_TYPE': 'natural', 'STYX_ENVIRONMENT': 'production'}");
    CHECK_JSON(json_at(pod, "metadata.annotations"),
               "{'note': 'n', 'styx-workflow-instance': 'billing#daily-report#2026-01-01',"
               " 'styx-docker-termination-logging': 'true', 'kharon.dev/seq': '3',"
               " 'kharon.dev/attempt': '7',"
               " 'kharon.dev/record': '1767225600000,1767225601000,1767225602000',"
               " 'kharon.dev/description': '39d7a30b5b6be2ef', 'kharon.dev/instance': "
               "'report.2026-01-01t05',"
               " 'kharon.dev/instance-uid': '" UID "'}");
    json_object_del(json_array_get(json_at(pod, "spec.containers"), 0), "env");
    CHECK_JSON(json_at(pod, "spec"),
               "{'restartPolicy': 'Never', 'enableServiceLinks': false,"
               " 'automountServiceAccountToken': true, 'activeDeadlineSeconds': 172800,"
               " 'nodeSelector': {'disk': 'ssd'}, 'affinity': {'nodeAffinity': {}},"
               " 'tolerations': [{'key': 't', 'operator': 'Exists'}],"
               " 'imagePullSecrets': [{'name': 's'}],"
               " 'volumes': [{'name': 'v', 'emptyDir': {}}], 'serviceAccountName': 'etl',"
               " 'priorityClassName': 'low', 'schedulerName': 'volcano',"
               " 'runtimeClassName': 'gvisor', 'terminationGracePeriodSeconds': 60,"
               " 'securityContext': {'seccompProfile': {'type': 'RuntimeDefault'},"
               "  'runAsUser': 1000},"
               " 'containers': [{'name': 'styx-run', 'image': 'reg.example:5000/report',"
               "  'args': ['--day', '2026-01-01', 'x{}', '2026-01-01'],"
               "  'terminationMessagePath': '/dev/termination-log',"
               "  'terminationMessagePolicy': 'File', 'imagePullPolicy': 'Always',"
               "  'resources': {'requests': {'cpu': '100m'}},"
               "  'volumeMounts': [{'name': 'v', 'mountPath': '/v'}],"
               "  'securityContext': {'allowPrivilegeEscalation': false,"
               "   'readOnlyRootFilesystem': true}}]}");
    done(&t);
}

/* A template may take the defaults back. */
TEST(a_template_wins_over_the_default_profile)
{
    struct trial t;

    set_up(&t,
           "{'schedule': 'daily', 'template': {'image': 'a', 'podTemplate': {"
           " 'securityContext': {'seccompProfile': {'type': 'Localhost'}},"
           " 'containerSecurityContext': {'allowPrivilegeEscalation': true}}}}",
           "2026-01-01");
    CLEANUP(json_decref) json_t *pod = manifest(&t);
    CHECK_JSON(json_at(pod, "spec.securityContext"), "{'seccompProfile': {'type': 'Localhost'}}");
    CHECK_JSON(json_at(container(pod), "securityContext"), "{'allowPrivilegeEscalation': true}");
    done(&t);
}

#define IMAGE(image, want) check_image(__LINE__, image, want)

static void check_image(int line, const char *image, const char *want)
{
    struct trial t;
    CLEANUP(free) char *spec =
        xasprintf("{'schedule': 'daily', 'template': {'image': '%s'}}", image);

    set_up(&t, spec, "2026-01-01");
    CLEANUP(json_decref) json_t *pod = manifest(&t);
    CHECK_STR_AT(line, json_text_at(container(pod), "image"), want);
    CHECK_STR_AT(line, env_value(pod, "STYX_DOCKER_IMAGE"), image);
    done(&t);
}

/* STYX-POD-03 */
TEST(an_image_without_a_colon_is_the_latest)
{
    IMAGE("busybox", "busybox:latest");
    IMAGE("busybox:1.36", "busybox:1.36");
    IMAGE("team/busybox", "team/busybox:latest");
    IMAGE("reg.example:5000/busybox", "reg.example:5000/busybox");
}

/* STYX-POD-04, STYX-TRG-03 */
TEST(the_stronger_variable_wins)
{
    static const struct {
        const char *name, *want;
    } rows[] = {{"ONLY_CONFIGURED", "configured"}, {"ONLY_WORKFLOW", "workflow"},
                {"ONLY_TRIGGER", "trigger"},       {"CONFIGURED_WORKFLOW", "workflow"},
                {"WORKFLOW_TRIGGER", "trigger"},   {"CONFIGURED_TRIGGER", "trigger"},
                {"STYX_LOGGING", "structured"},    {"STYX_PARAMETER", "2026-01-01"},
                {"STYX_TRIGGER_ID", ""},           {"STYX_TRIGGER_TYPE", "backfill"},
                {"STYX_ENVIRONMENT", "test"},      {"STYX_COMMIT_SHA", "c0ffee"},
                {"STYX_EXECUTION_TRIES", "2"},     {"STYX_DOCKER_ARGS", "a  b c 2026-01-01"},
                {"STYX_SERVICE_ACCOUNT", "e@x.yz"}};
    struct trial t;

    set_up(&t,
           "{'schedule': 'daily', 'commitSha': 'c0ffee', 'template': {'image': 'a',"
           " 'args': ['a', '', 'b c', '{}'], 'gcpServiceAccount': 'e@x.yz', 'env': ["
           " {'name': 'ONLY_WORKFLOW', 'value': 'workflow'},"
           " {'name': 'CONFIGURED_WORKFLOW', 'value': 'workflow'},"
           " {'name': 'WORKFLOW_TRIGGER', 'value': 'workflow'},"
           " {'name': 'STYX_PARAMETER', 'value': 'workflow'}]}}",
           "2026-01-01");
    env_set(&t.trigger.env, "ONLY_TRIGGER", "trigger");
    env_set(&t.trigger.env, "WORKFLOW_TRIGGER", "trigger");
    env_set(&t.trigger.env, "CONFIGURED_TRIGGER", "trigger");
    env_set(&t.trigger.env, "STYX_LOGGING", "trigger");
    env_set(&t.settings.execution_env, "ONLY_CONFIGURED", "configured");
    env_set(&t.settings.execution_env, "CONFIGURED_WORKFLOW", "configured");
    env_set(&t.settings.execution_env, "CONFIGURED_TRIGGER", "configured");
    env_set(&t.settings.execution_env, "STYX_ENVIRONMENT", "configured");
    t.settings.environment = "test";
    t.trigger.type = TRIGGER_BACKFILL;
    free(TAKE(t.trigger.id));
    CLEANUP(json_decref) json_t *pod = manifest(&t);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        CHECK_STR(env_value(pod, rows[i].name), rows[i].want);
    done(&t);
}

/* A create that is sent again says the same, whatever became of the workflow in between. */
/* STYX-POD-01 */
TEST(the_pod_runs_what_was_decided_at_prepare)
{
    struct trial t, later;

    set_up(&t, "{'schedule': 'daily', 'template': {'image': 'a', 'args': ['{}', 'x']}}",
           "2026-01-01");
    set_up(&later, "{'schedule': 'daily', 'template': {'image': 'b', 'terminationLogging': true}}",
           "2026-01-01");
    CLEANUP(json_decref) json_t *before = manifest(&t);
    later.description = description_ref(t.description);
    CLEANUP(json_decref) json_t *after = manifest(&later);
    CLEANUP(free) char *want = json_print(before);
    CHECK_JSON(after, want);
    done(&t);
    done(&later);
}

/* ---- descriptions ---- */

static char *repeat(char c, size_t n)
{
    char *text = xcalloc(n + 1, 1);

    memset(text, c, n);
    return text;
}

struct size {
    size_t args, arg, vars, value;
};

static void fill(struct workflow *wf, const struct size *size)
{
    for (size_t i = 0; i < size->args; i++)
        texts_add_take(&wf->template.args, repeat('a', size->arg));
    for (size_t i = 0; i < size->vars; i++) {
        CLEANUP(free) char *name = xasprintf("V%zu", i);
        CLEANUP(free) char *value = repeat('v', size->value);
        env_set(&wf->template.env, name, value);
    }
}

#define DESCRIBE(args, arg, vars, value, want_args, want_vars)                                     \
    check_describe(__LINE__, (struct size) {args, arg, vars, value}, want_args, want_vars)

static void check_describe(int line, struct size size, size_t want_args, size_t want_vars)
{
    struct trial t;

    set_up(&t, "{'schedule': 'daily', 'template': {'image': 'a'}}", "2026-01-01");
    fill(t.wf, &size);
    CLEANUP(json_decref) json_t *pod = manifest(&t);
    CLEANUP(json_decref) json_t *json = description_encode(t.description);
    CHECK_INT_AT(line, t.description->args.n, want_args);
    CHECK_INT_AT(line, t.description->env.n, want_vars);
    CHECK_INT_AT(line, t.description->truncated, want_args < size.args || want_vars < size.vars);
    CHECK_AT(line, json_dumpb(json, NULL, 0, JSON_COMPACT) <= DESCRIPTION_MAX);
    CHECK_INT_AT(line, json_array_size(json_at(container(pod), "args")), size.args);
    CHECK_INT_AT(line, json_array_size(json_at(container(pod), "env")), size.vars + 14);
    done(&t);
}

TEST(a_large_description_is_cut_and_the_pod_is_not)
{
    DESCRIBE(0, 0, 0, 0, 0, 0);
    DESCRIBE(8, 1000, 0, 0, 8, 0);
    DESCRIBE(9, 1000, 0, 0, 8, 0);
    DESCRIBE(90, 1000, 0, 0, 8, 0);
    DESCRIBE(1, 90000, 1, 10, 0, 1);
    DESCRIBE(1, 10, 1, 9000, 1, 0);
    DESCRIBE(1, 10, 16, 1000, 1, 7);
    DESCRIBE(10, 1000, 10, 1000, 4, 4);
    DESCRIBE(4000, 0, 0, 0, 2717, 0);
}

/* The size is that of the JSON text: this is six times as long there. */
TEST(what_counts_is_the_size_in_the_object)
{
    struct trial t;

    set_up(&t, "{'schedule': 'daily', 'template': {'image': 'a', 'args': ['x']}}", "2026-01-01");
    for (int i = 0; i < 40; i++)
        texts_add_take(&t.wf->template.args, repeat('\x01', 100));
    t.description = attempt_describe(t.wf, "2026-01-01", &t.trigger);
    CHECK(t.description->truncated);
    CHECK_INT(t.description->args.n, 14);
    done(&t);
}

/* What was cut is looked up again; what the record says of the pod stays true. */
TEST(a_description_that_was_cut_is_completed)
{
    struct trial t;

    set_up(&t, "{'schedule': 'daily', 'template': {'image': 'b', 'terminationLogging': true}}",
           "2026-01-01");
    texts_add_take(&t.wf->template.args, repeat('a', 9000));
    t.description = NEW(struct description);
    t.description->references = 1;
    t.description->image = xstrdup("a");
    t.description->truncated = true;
    CLEANUP(json_decref) json_t *pod = manifest(&t);
    CHECK_STR(json_text_at(container(pod), "image"), "a:latest");
    CHECK_STR(json_text_at(container(pod), "terminationMessagePolicy"), "FallbackToLogsOnError");
    CHECK_INT(json_array_size(json_at(container(pod), "args")), 1);
    done(&t);
}

TEST(a_hash_tells_descriptions_apart)
{
    struct trial t;
    char a[DESCRIPTION_HASH_MAX], b[DESCRIPTION_HASH_MAX];

    set_up(&t, "{'schedule': 'daily', 'template': {'image': 'a'}}", "2026-01-01");
    struct description *d = attempt_describe(t.wf, "2026-01-01", &t.trigger);
    struct description *same = attempt_describe(t.wf, "2026-01-02", &t.trigger);
    description_hash(d, a);
    description_hash(same, b);
    CHECK_STR(a, b);
    CHECK_INT(strlen(a), 16);
    texts_add(&same->args, "x");
    description_hash(same, b);
    CHECK(strcmp(a, b) != 0);
    description_unref(d);
    description_unref(same);
    done(&t);
}

/* ---- what is made is recognised ---- */

/* STYX-POD-06 */
TEST(a_pod_remembers_its_attempt)
{
    struct trial t;

    set_up(&t, everything, "2026-01-01");
    CLEANUP(json_decref) json_t *object = manifest(&t);
    CLEANUP(pod_free) struct pod *pod = pod_decode(object);
    char hash[DESCRIPTION_HASH_MAX];

    CHECK(pod_is_ours(pod));
    CHECK_STR(pod->owner_uid, UID);
    CHECK_STR(pod->instance, "report.2026-01-01t05");
    CHECK_STR(pod->run_key, "billing#daily-report#2026-01-01");
    CHECK_INT(pod->seq, 3);
    CHECK_INT(pod->attempt, 7);
    CHECK_INT(pod->triggered_at, 1767225600000);
    CHECK_INT(pod->dequeued_at, 1767225601000);
    CHECK_INT(pod->submitted_at, 1767225602000);
    CHECK_STR(pod->description_hash, (description_hash(t.description, hash), hash));
    CHECK(pod->termination_logging);
    CHECK(pod->has_finalizer);
    CHECK_STR(pod->image, "reg.example:5000/report");
    done(&t);
}
