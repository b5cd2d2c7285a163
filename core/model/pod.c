/* SPDX-License-Identifier: Apache-2.0 */
/* What is seen of an attempt's pod (attempt.h). */
#include "model/attempt.h"

#include "base/buf.h"
#include "model/styxjson.h"

#include <string.h>

static const char *const phase_names[] = {[POD_PENDING] = "Pending",
                                          [POD_POD_RUNNING] = "Running",
                                          [POD_SUCCEEDED] = "Succeeded",
                                          [POD_FAILED] = "Failed",
                                          [POD_UNKNOWN] = "Unknown"};

/* ---- decoding ---- */

static instant read_instant(const json_t *json, const char *path)
{
    struct error ignored;
    instant t = INSTANT_NONE;
    const char *text = json_text_at(json, path);

    if (text && !instant_parse(text, &t, &ignored))
        return INSTANT_NONE;
    return t;
}

static const char *text_in(const json_t *annotations, const char *name)
{
    return json_string_value(json_object_get(annotations, name));
}

static int64_t number_in(const json_t *annotations, const char *name)
{
    const char *text = text_in(annotations, name);

    return text ? strtoll(text, NULL, 10) : 0;
}

/* "1767225600000,1767225600001,1767225600002": when it was triggered, dequeued and submitted. */
static bool read_record(const char *text, int64_t at[3])
{
    char *end;

    for (int i = 0; text && i < 3; i++) {
        at[i] = strtoll(text, &end, 10);
        if (end == text || (i < 2 && *end != ','))
            return false;
        text = end + 1;
    }
    return text;
}

static void decode_record(const json_t *annotations, struct pod *pod)
{
    int64_t at[3];

    pod->seq = number_in(annotations, "kharon.dev/seq");
    pod->attempt = (int) (number_in(annotations, "kharon.dev/attempt") & INT32_MAX);
    pod->run_key = xstrdup(text_in(annotations, "styx-workflow-instance"));
    pod->description_hash = xstrdup(text_in(annotations, "kharon.dev/description"));
    const char *logging = text_in(annotations, "styx-docker-termination-logging");
    pod->termination_logging = logging && strcmp(logging, "true") == 0;
    pod->triggered_at = pod->dequeued_at = pod->submitted_at = INSTANT_NONE;
    if (!read_record(text_in(annotations, "kharon.dev/record"), at))
        return;
    pod->triggered_at = instant_clamp(at[0]);
    pod->dequeued_at = instant_clamp(at[1]);
    pod->submitted_at = instant_clamp(at[2]);
}

static bool is_our_owner(const json_t *owner)
{
    const char *kind = json_text_at(owner, "kind"), *version = json_text_at(owner, "apiVersion");

    return json_bool_at(owner, "controller", false) && kind && version &&
           strcmp(kind, "WorkflowInstance") == 0 &&
           strncmp(version, "kharon.dev/", strlen("kharon.dev/")) == 0;
}

/* Deleting an instance with --cascade=orphan takes the reference off its pods. */
static void decode_owner(const json_t *owners, const json_t *annotations, struct pod *pod)
{
    const char *uid = text_in(annotations, "kharon.dev/instance-uid");
    const char *name = text_in(annotations, "kharon.dev/instance");
    size_t i;
    json_t *owner;

    pod->orphaned = true;
    json_array_foreach (owners, i, owner) {
        if (!is_our_owner(owner))
            continue;
        uid = json_text_at(owner, "uid");
        name = json_text_at(owner, "name");
        pod->orphaned = false;
        break;
    }
    if (!uid || !name)
        return;
    pod->owner_uid = xstrdup(uid);
    pod->instance = xstrdup(name);
}

static void decode_finalizers(const json_t *finalizers, struct pod *pod)
{
    size_t i;
    json_t *name;

    json_array_foreach (finalizers, i, name)
        if (!json_is_string(name))
            continue;
        else if (strcmp(json_string_value(name), POD_FINALIZER) == 0)
            pod->has_finalizer = true;
        else
            texts_add(&pod->other_finalizers, json_string_value(name));
}

static void decode_condition(const json_t *condition, struct pod *pod)
{
    const char *type = json_text_at(condition, "type"), *reason = json_text_at(condition, "reason");
    const char *status = json_text_at(condition, "status");
    bool is_true = status && strcmp(status, "True") == 0;

    if (!type)
        return;
    if (strcmp(type, "PodScheduled") == 0) {
        pod->scheduled = is_true;
        pod->gated = !is_true && reason && strcmp(reason, "SchedulingGated") == 0;
        pod->unschedulable = !is_true && !pod->gated;
        pod->scheduled_at = is_true ? read_instant(condition, "lastTransitionTime") : INSTANT_NONE;
        free(pod->unschedulable_message);
        pod->unschedulable_message = is_true ? NULL : xstrdup(json_text_at(condition, "message"));
    } else if (strcmp(type, "DisruptionTarget") == 0 && is_true && !pod->disruption) {
        pod->disruption = xstrdup(reason ? reason : "DisruptionTarget");
    }
}

static const json_t *named(const json_t *list, const char *name)
{
    size_t i;
    json_t *item;

    json_array_foreach (list, i, item) {
        const char *has = json_text_at(item, "name");

        if (has && strcmp(has, name) == 0)
            return item;
    }
    return NULL;
}

/* An exit code that no process can have is none: cut to an int it might become 0, a success. */
static void decode_exit(const json_t *terminated, struct pod *pod)
{
    const json_t *code = json_at(terminated, "exitCode");
    int64_t n = json_integer_value(code);

    if (!json_is_integer(code) || n < INT32_MIN || n > INT32_MAX)
        return;
    pod->has_exit = true;
    pod->exit_code = (int) n;
}

static void decode_main(const json_t *main, struct pod *pod)
{
    const json_t *terminated = json_at(main, "state.terminated");

    if (!main)
        return;
    pod->has_main = true;
    pod->main_ready = json_bool_at(main, "ready", false);
    pod->waiting_reason = xstrdup(json_text_at(main, "state.waiting.reason"));
    pod->waiting_message = xstrdup(json_text_at(main, "state.waiting.message"));
    if (!terminated)
        return;
    pod->main_terminated = true;
    decode_exit(terminated, pod);
    pod->exit_reason = xstrdup(json_text_at(terminated, "reason"));
    pod->exit_message = xstrdup(json_text_at(terminated, "message"));
    pod->finished_at = read_instant(terminated, "finishedAt");
}

static size_t count_alive(const json_t *statuses)
{
    size_t i, n = 0;
    json_t *item;

    json_array_foreach (statuses, i, item)
        n += !json_at(item, "state.terminated");
    return n;
}

/* Sidecars that were put beside our container run for as long as they like. */
static bool others_alive(const json_t *status, size_t n_containers)
{
    const json_t *statuses = json_at(status, "containerStatuses");

    return json_array_size(statuses) < n_containers ||
           count_alive(statuses) + count_alive(json_at(status, "initContainerStatuses")) +
                   count_alive(json_at(status, "ephemeralContainerStatuses")) >
               0;
}

static enum pod_phase read_phase(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_SIZE(phase_names); i++)
        if (strcmp(phase_names[i], name) == 0)
            return (enum pod_phase) i;
    return name ? POD_UNKNOWN : POD_PENDING;
}

static bool is_ours(const struct pod *pod)
{
    char name[EXECUTION_ID_MAX];

    return pod->owner_uid && strcmp(pod->id.name, attempt_execution_id(pod->owner_uid, pod->seq,
                                                                       pod->attempt, name)) == 0;
}

static void decode_status(const json_t *status, size_t n_containers, struct pod *pod)
{
    const json_t *conditions = json_at(status, "conditions");
    size_t i;
    json_t *condition;

    pod->phase = read_phase(json_text_at(status, "phase"));
    pod->reason = xstrdup(json_text_at(status, "reason"));
    pod->message = xstrdup(json_text_at(status, "message"));
    pod->finished_at = pod->scheduled_at = INSTANT_NONE;
    json_array_foreach (conditions, i, condition)
        decode_condition(condition, pod);
    decode_main(named(json_at(status, "containerStatuses"), MAIN_CONTAINER), pod);
    pod->all_terminated = pod->main_terminated && !others_alive(status, n_containers);
}

struct pod *pod_decode(const json_t *object)
{
    struct pod *pod = NEW(struct pod);
    const json_t *meta = json_at(object, "metadata"), *annotations = json_at(meta, "annotations");
    const json_t *spec = json_at(object, "spec"), *containers = json_at(spec, "containers");

    identity_decode(object, &pod->id);
    decode_record(annotations, pod);
    decode_owner(json_at(meta, "ownerReferences"), annotations, pod);
    decode_finalizers(json_at(meta, "finalizers"), pod);
    pod->deleting_since = read_instant(meta, "deletionTimestamp");
    pod->deleted_at_once = json_int_at(meta, "deletionGracePeriodSeconds", -1) == 0;
    pod->node = xstrdup(json_text_at(spec, "nodeName"));
    pod->image = xstrdup(json_text_at(named(containers, MAIN_CONTAINER), "image"));
    decode_status(json_at(object, "status"), json_array_size(containers), pod);
    pod->is_ours = is_ours(pod);
    return pod;
}

void pod_free(struct pod *pod)
{
    if (!pod)
        return;
    identity_done(&pod->id);
    free(pod->owner_uid);
    free(pod->instance);
    free(pod->run_key);
    free(pod->description_hash);
    texts_done(&pod->other_finalizers);
    free(pod->reason);
    free(pod->message);
    free(pod->disruption);
    free(pod->unschedulable_message);
    free(pod->node);
    free(pod->image);
    free(pod->waiting_reason);
    free(pod->waiting_message);
    free(pod->exit_reason);
    free(pod->exit_message);
    free(pod);
}

bool pod_gone(const struct pod *pod)
{
    return pod->phase == POD_SUCCEEDED || pod->phase == POD_FAILED || pod->all_terminated;
}

static const char *or_nothing(const char *text)
{
    return text ? text : "";
}

/* ---- exit code (11.6) ---- */

/* False: the message is missing, no JSON, or says no exit code.  As lenient as Styx, which reads it
 * like a body. */
static bool logged_exit_code(const char *message, int *ret_code)
{
    CLEANUP(json_decref) json_t *json = NULL;
    struct error ignored;

    if (!message || !json_parse(message, strlen(message), &json, &ignored))
        return false;
    int64_t n = 0;
    if (!json_is_object(json) || !styx_is_given(json, "exit_code") ||
        !styx_read_int(json, "exit_code", INT32_MIN, INT32_MAX, &n, &ignored))
        return false;
    *ret_code = (int) n;
    return true;
}

enum exit_log pod_exit_log(const struct pod *pod)
{
    int logged;

    if (!pod->termination_logging)
        return EXIT_LOG_FINE;
    if (!pod->exit_message || !*pod->exit_message)
        return EXIT_LOG_MISSING;
    if (!logged_exit_code(pod->exit_message, &logged))
        return EXIT_LOG_INVALID;
    return pod->has_exit && pod->exit_code != logged ? EXIT_LOG_MISMATCH : EXIT_LOG_FINE;
}

static void exit_with_logging(const struct pod *pod, struct observation *o)
{
    int logged;

    o->has_exit = true;
    o->exit_code = pod->has_exit ? pod->exit_code : 0;
    if (logged_exit_code(pod->exit_message, &logged)) {
        if (logged != 0)
            o->exit_code = logged;
    } else if (o->exit_code == 0) {
        o->has_exit = false; /* a zero that nobody vouches for is not believed */
    }
}

static void exit_without_logging(const struct pod *pod, struct observation *o)
{
    o->has_exit = pod->has_exit && !(pod->exit_code == 0 && pod->phase == POD_FAILED);
    o->exit_code = o->has_exit ? pod->exit_code : 0;
}

char *pod_exit_message(const struct pod *pod, bool has_exit, int exit_code)
{
    struct buf b = BUF_INIT;
    const char *reason = pod->exit_reason;

    if (has_exit)
        buf_addf(&b, "Exit code: %d", exit_code);
    else
        buf_adds(&b, "Exit code: -");
    if (!reason || strcmp(reason, "Completed") == 0 || strcmp(reason, "Error") == 0)
        return buf_take(&b);
    buf_addf(&b, " (%s", reason);
    if (pod->exit_message && strcmp(reason, "OOMKilled") != 0)
        buf_addf(&b, ": %.*s", (int) utf8_cut(pod->exit_message, strnlen(pod->exit_message, 512)),
                 pod->exit_message);
    buf_addc(&b, ')');
    return buf_take(&b);
}

/* ---- observation (11.5) ---- */

static bool one_of(const char *text, const char *const *list)
{
    for (; text && *list; list++)
        if (strcmp(text, *list) == 0)
            return true;
    return false;
}

static void observe_error(struct observation *o, bool is_free, char *message_take)
{
    o->kind = OBSERVED_ERROR;
    o->free = is_free;
    o->message = message_take;
}

/* "text", and ": reason: message" as far as the pod has them. */
static char *with_reason(const char *text, const struct pod *pod)
{
    return xasprintf("%s%s%s%s%s", text, pod->reason ? ": " : "", or_nothing(pod->reason),
                     pod->message ? ": " : "", or_nothing(pod->message));
}

static bool stopped_by_node(const struct pod *pod)
{
    static const char *const reasons[] = {"Evicted",      "Preempting",
                                          "NodeShutdown", "Shutdown",
                                          "NodeLost",     "NodeAffinity",
                                          "NodePorts",    "UnexpectedAdmissionError",
                                          "Terminated",   NULL};

    return pod->phase == POD_FAILED && pod->reason &&
           (one_of(pod->reason, reasons) || strncmp(pod->reason, "OutOf", strlen("OutOf")) == 0);
}

/* Failures of the infrastructure, which Styx did not know: they use up no try. */
static bool observe_disruption(const struct pod *pod, struct observation *o)
{
    bool stopping = pod->deleting_since != INSTANT_NONE && !pod->main_terminated;

    if (pod->reason && strcmp(pod->reason, "NodeLost") == 0)
        observe_error(o, true, xstrdup("Lost node running pod"));
    else if (stopped_by_node(pod))
        observe_error(o, true, with_reason("Pod was stopped by its node", pod));
    else if (!pod->disruption || (pod->has_exit && pod->exit_code == 0))
        return false; /* nothing of the kind, or it had finished by then */
    else if (pod_gone(pod) || pod->main_terminated)
        observe_error(o, true,
                      xasprintf("Pod was disrupted: %s%s%s", pod->disruption,
                                pod->message ? ": " : "", or_nothing(pod->message)));
    else
        return stopping; /* its outcome is still to come */
    return true;
}

bool pod_lacks_image(const struct pod *pod)
{
    static const char *const image_errors[] = {"ImageInspectError",
                                               "PullImageError",
                                               "ErrImagePull",
                                               "ErrImageNeverPull",
                                               "ImagePullBackOff",
                                               "RegistryUnavailable",
                                               NULL};

    return pod->phase == POD_PENDING && one_of(pod->waiting_reason, image_errors);
}

static bool observe_waiting(const struct pod *pod, struct observation *o)
{
    if (pod->phase != POD_PENDING || !pod->waiting_reason)
        return false;
    if (pod_lacks_image(pod))
        observe_error(o, false,
                      xasprintf("Failed to pull image %s of container %s, reason: %s, message: %s",
                                or_nothing(pod->image), MAIN_CONTAINER, pod->waiting_reason,
                                or_nothing(pod->waiting_message)));
    else if (strcmp(pod->waiting_reason, "InvalidImageName") == 0)
        observe_error(o, false,
                      xasprintf("Container %s has invalid image name %s, message: %s",
                                MAIN_CONTAINER, or_nothing(pod->image),
                                or_nothing(pod->waiting_message)));
    return o->kind != OBSERVED_NOTHING;
}

static bool observe_end(const struct pod *pod, enum run_state state, struct observation *o)
{
    bool ended = pod->phase == POD_SUCCEEDED || pod->phase == POD_FAILED;

    if (ended && !pod->has_main)
        observe_error(o, false, with_reason("Could not find our container in pod", pod));
    else if (ended && !pod->main_terminated)
        observe_error(o, false, xstrdup("Unexpected null terminated status"));
    else if (pod->phase == POD_UNKNOWN)
        observe_error(o, false, xstrdup("Pod entered Unknown phase"));
    else if (!ended && !(pod->phase == POD_POD_RUNNING && pod->main_terminated))
        return false;
    else if (state == RUN_SUBMITTED || state == RUN_RUNNING) {
        o->kind = OBSERVED_TERMINATED;
        (pod->termination_logging ? exit_with_logging : exit_without_logging)(pod, o);
        o->message = pod_exit_message(pod, o->has_exit, o->exit_code);
    }
    return true;
}

void pod_observe(const struct pod *pod, enum run_state state, struct observation *ret_observation)
{
    struct observation *o = ret_observation;

    *o = (struct observation) {.kind = OBSERVED_NOTHING};
    if (state != RUN_PREPARE && state != RUN_SUBMITTED && state != RUN_RUNNING)
        return;
    if (pod->reason && strcmp(pod->reason, "DeadlineExceeded") == 0) {
        o->kind = pod_gone(pod) ? OBSERVED_TIMEOUT : OBSERVED_NOTHING;
        return;
    }
    if (observe_disruption(pod, o) || observe_waiting(pod, o) || observe_end(pod, state, o))
        return;
    if (pod->phase == POD_POD_RUNNING && pod->main_ready && state == RUN_SUBMITTED)
        o->kind = OBSERVED_STARTED;
}

void observation_done(struct observation *o)
{
    free(o->message);
    o->message = NULL;
}

char *pod_waits_for(const struct pod *pod)
{
    const char *reason = pod->gated           ? POD_GATES_CLOSED
                         : pod->unschedulable ? "no node takes it"
                                              : pod->waiting_reason;
    const char *message =
        pod->gated || pod->unschedulable ? pod->unschedulable_message : pod->waiting_message;

    if (!reason)
        return NULL;
    return xasprintf("%s%s%s", reason, message ? ": " : "", or_nothing(message));
}

instant pod_start_deadline(const struct pod *pod, instant ready_at, int64_t submitted_limit_ms,
                           int64_t unschedulable_limit_ms)
{
    if (pod->gated)
        return INSTANT_NONE;
    if (pod->unschedulable)
        return ready_at + unschedulable_limit_ms;
    instant from = pod->scheduled && pod->scheduled_at > ready_at ? pod->scheduled_at : ready_at;
    return from + submitted_limit_ms;
}
