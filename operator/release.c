/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/release.h"

#include "base/buf.h"
#include "base/log.h"
#include "operator/operator.h"

#include <string.h>

#define POLL_MS       200
#define SCALE_WAIT_MS (60 * SECOND_MS)
#define PAGE          500
#define MAX_PASSES    12 /* over a namespace that end with pods that are still held, or break off */
#define PAUSE_MIN_MS  200
#define PAUSE_MAX_MS  5000

static const struct k8s_resource deployment_resource = {"apps", "v1", "deployments", "Deployment"};

struct held_pod {
    struct list link;
    char *name, *ns, *body;
};

struct release {
    struct loop *loop;
    struct k8s *k8s;
    const struct texts *namespaces;
    char *deployment_ns, *deployment_name;
    void (*on_end)(const struct release_result *result, void *arg);
    void *arg;

    struct k8s_call *call;
    struct loop_task begin;
    struct loop_timer poll, pause;
    int64_t give_up_at;
    char *selector;   /* of the Deployment's pods */
    int n_operators;  /* that may still run */
    size_t at;        /* namespace */
    int passes;       /* over it that did not end well */
    int n_held;       /* pods that this pass has met */
    char *next_page;  /* NULL: the first */
    struct list pods; /* of the page that was listed */
    struct release_result result;
};

static void list_page(struct release *r);

static void pod_done(struct held_pod *pod)
{
    list_remove(&pod->link);
    free(pod->name);
    free(pod->ns);
    free(pod->body);
    free(pod);
}

static void end(struct release *r, const struct error *error)
{
    if (error)
        r->result.error = *error;
    r->on_end(&r->result, r->arg);
}

/* ---- pods ---- */

static char *without_finalizer(const json_t *object)
{
    json_t *kept = json_array(), *item;
    size_t i;

    json_array_foreach (json_at(object, "metadata.finalizers"), i, item)
        if (!json_is_string(item) || strcmp(json_string_value(item), POD_FINALIZER) != 0)
            json_array_append(kept, item);
    CLEANUP(json_decref) json_t *patch = json_pack(
        "{s:{s:s, s:s, s:o}}", "metadata", "uid", json_text_at(object, "metadata.uid"),
        "resourceVersion", json_text_at(object, "metadata.resourceVersion"), "finalizers", kept);
    return json_print(patch);
}

/* NULL: nobody can read it. */
static json_t *parse_item(const char *text, size_t len)
{
    json_t *object;
    struct error ignored;

    return json_parse(text, len, &object, &ignored) ? object : NULL;
}

static void on_pod(enum k8s_event event, const char *text, size_t len, void *arg)
{
    CLEANUP(json_decref) json_t *object = parse_item(text, len);
    struct release *r = arg;

    (void) event;
    if (!object)
        return;
    CLEANUP(pod_free) struct pod *pod = pod_decode(object);
    if (!pod->has_finalizer || !pod_is_ours(pod))
        return;
    struct held_pod *held = NEW(struct held_pod);
    held->ns = xstrdup(pod->id.ns);
    held->name = xstrdup(pod->id.name);
    held->body = without_finalizer(object);
    list_push_back(&r->pods, &held->link);
    r->n_held++;
}

static void release_next(struct release *r);

static void on_released(const struct k8s_reply *reply, void *arg)
{
    struct release *r = arg;
    struct held_pod *pod = list_entry(r->pods.next, struct held_pod, link);

    r->call = NULL;
    if (reply->error.code == ERROR_NONE)
        r->result.n_pods++;
    else if (reply->error.code != ERROR_NOT_FOUND)
        log_warning("could not release a pod yet", KV("pod", pod->name),
                    KV("error", reply->error.text));
    pod_done(pod);
    release_next(r);
}

/* ---- passes: pages of pods, until a whole pass has met none that is held ---- */

static void set_next_page(struct release *r, const char *token)
{
    free(r->next_page);
    r->next_page = token && *token ? xstrdup(token) : NULL;
}

/* A conflict, a lost reply, a list that broke off: the next pass mends it. */
static void pass_again(struct release *r, int64_t not_before_ms)
{
    int64_t pause = (int64_t) PAUSE_MIN_MS << r->passes;

    if (pause > PAUSE_MAX_MS)
        pause = PAUSE_MAX_MS;
    if (pause < not_before_ms)
        pause = not_before_ms;
    r->passes++;
    r->n_held = 0;
    set_next_page(r, NULL);
    loop_timer_set(r->loop, &r->pause, LOOP_MONOTONIC, loop_now(r->loop, LOOP_MONOTONIC) + pause);
}

static void namespace_done(struct release *r)
{
    r->at++;
    r->passes = 0;
    if (r->at == r->namespaces->n)
        end(r, NULL);
    else
        list_page(r);
}

static void pass_done(struct release *r)
{
    if (r->n_held == 0) {
        namespace_done(r);
    } else if (r->passes < MAX_PASSES) {
        pass_again(r, 0);
    } else {
        error_set(&r->result.error, ERROR_UNAVAILABLE,
                  "namespace %s: pods are still held after %d passes", r->namespaces->items[r->at],
                  r->passes);
        end(r, NULL);
    }
}

static void release_next(struct release *r)
{
    static const struct k8s_handler handler = {.on_reply = on_released};

    if (list_empty(&r->pods)) {
        if (r->next_page)
            list_page(r);
        else
            pass_done(r);
        return;
    }
    const struct held_pod *pod = list_entry(r->pods.next, struct held_pod, link);
    r->call = k8s_call(r->k8s,
                       &(struct k8s_request) {.verb = K8S_PATCH,
                                              .resource = &pod_resource,
                                              .ns = pod->ns,
                                              .name = pod->name,
                                              .body = pod->body,
                                              .lane = K8S_LANE_STATUS},
                       &handler, r);
}

static void forget_page(struct release *r)
{
    struct held_pod *pod;

    list_foreach (pod, &r->pods, link)
        pod_done(pod);
}

static void on_listed(const struct k8s_reply *reply, void *arg)
{
    struct release *r = arg;
    bool again = error_is_retryable(reply->error.code) || reply->error.code == ERROR_EXPIRED;

    r->call = NULL;
    if (reply->error.code == ERROR_NONE) {
        set_next_page(r, reply->continue_token);
        release_next(r);
    } else if (again && r->passes < MAX_PASSES) {
        forget_page(r);
        pass_again(r, reply->retry_after_ms);
    } else {
        end(r, &reply->error);
    }
}

static void list_page(struct release *r)
{
    static const struct k8s_handler handler = {.on_item = on_pod, .on_reply = on_listed};

    r->call = k8s_call(r->k8s,
                       &(struct k8s_request) {.verb = K8S_LIST,
                                              .resource = &pod_resource,
                                              .lane = K8S_LANE_READ,
                                              .ns = r->namespaces->items[r->at],
                                              .limit = PAGE,
                                              .continue_token = r->next_page,
                                              .label_selector = POD_SELECTOR},
                       &handler, r);
}

static void on_pause_over(void *arg)
{
    list_page(arg);
}

/* ---- the operator's Deployment ---- */

static bool took_too_long(const struct release *r)
{
    return loop_now(r->loop, LOOP_MONOTONIC) >= r->give_up_at;
}

static void poll(struct release *r, void (*ask)(void *arg))
{
    r->poll.on_time = ask;
    loop_timer_set(r->loop, &r->poll, LOOP_MONOTONIC, loop_now(r->loop, LOOP_MONOTONIC) + POLL_MS);
}

static void ask_operators(void *arg);

static void on_operator(enum k8s_event event, const char *text, size_t len, void *arg)
{
    CLEANUP(json_decref) json_t *object = parse_item(text, len);
    struct release *r = arg;

    (void) event;
    if (!object)
        return;
    CLEANUP(pod_free) struct pod *pod = pod_decode(object);
    r->n_operators += !pod_gone(pod);
}

/* That of a node that is lost does not go: nobody can tell whether it runs. */
static void on_operators(const struct k8s_reply *reply, void *arg)
{
    struct release *r = arg;
    bool gone = reply->error.code == ERROR_NONE && r->n_operators == 0;

    r->call = NULL;
    if (!gone && !took_too_long(r)) {
        poll(r, ask_operators);
        return;
    }
    if (!gone)
        log_warning("the operator may still run", KV("deployment", r->deployment_name),
                    KV("error", reply->error.text));
    list_page(r);
}

static void ask_operators(void *arg)
{
    static const struct k8s_handler handler = {.on_item = on_operator, .on_reply = on_operators};
    struct release *r = arg;

    r->n_operators = 0;
    r->call = k8s_call(r->k8s,
                       &(struct k8s_request) {.verb = K8S_LIST,
                                              .resource = &pod_resource,
                                              .lane = K8S_LANE_READ,
                                              .ns = r->deployment_ns,
                                              .label_selector = r->selector},
                       &handler, r);
}

static char *print_selector(json_t *labels)
{
    struct buf b = BUF_INIT;
    const char *key;
    json_t *value;

    json_object_foreach (labels, key, value)
        buf_addf(&b, "%s%s=%s", b.len ? "," : "", key, json_string_value(value));
    return buf_take(&b);
}

static void ask_replicas(void *arg);

/* A pod that has been told to end does not count as a replica, and leads on until it is told. */
static void on_replicas(const struct k8s_reply *reply, void *arg)
{
    struct release *r = arg;
    bool there = reply->error.code == ERROR_NONE;

    r->call = NULL;
    if (reply->error.code == ERROR_NOT_FOUND) {
        list_page(r);
    } else if (there && json_int_at(reply->object, "status.replicas", 0) == 0) {
        r->selector = print_selector(json_at(reply->object, "spec.selector.matchLabels"));
        ask_operators(r);
    } else if (took_too_long(r)) {
        error_set(&r->result.error, ERROR_UNAVAILABLE, "%s/%s still runs", r->deployment_ns,
                  r->deployment_name);
        end(r, NULL);
    } else {
        poll(r, ask_replicas);
    }
}

static void ask_replicas(void *arg)
{
    static const struct k8s_handler handler = {.on_reply = on_replicas};
    struct release *r = arg;

    r->call = k8s_call(r->k8s,
                       &(struct k8s_request) {.verb = K8S_GET,
                                              .resource = &deployment_resource,
                                              .lane = K8S_LANE_READ,
                                              .ns = r->deployment_ns,
                                              .name = r->deployment_name},
                       &handler, r);
}

static void on_scaled(const struct k8s_reply *reply, void *arg)
{
    struct release *r = arg;

    r->call = NULL;
    if (reply->error.code == ERROR_NONE)
        ask_replicas(r);
    else if (reply->error.code == ERROR_NOT_FOUND)
        list_page(r);
    else
        end(r, &reply->error);
}

static void begin(void *arg)
{
    static const struct k8s_handler handler = {.on_reply = on_scaled};
    struct release *r = arg;

    if (!r->deployment_name) {
        list_page(r);
        return;
    }
    r->call = k8s_call(r->k8s,
                       &(struct k8s_request) {.verb = K8S_PATCH,
                                              .resource = &deployment_resource,
                                              .lane = K8S_LANE_STATUS,
                                              .ns = r->deployment_ns,
                                              .name = r->deployment_name,
                                              .subresource = "scale",
                                              .body = "{\"spec\":{\"replicas\":0}}"},
                       &handler, r);
}

/* ---- life ---- */

struct release *release_new(struct loop *loop, struct k8s *k8s, const struct texts *namespaces,
                            const char *deployment,
                            void (*on_end)(const struct release_result *result, void *arg),
                            void *arg)
{
    struct release *r = NEW(struct release);
    const char *slash = deployment ? strchr(deployment, '/') : NULL;

    *r = (struct release) {
        .loop = loop, .k8s = k8s, .namespaces = namespaces, .on_end = on_end, .arg = arg};
    list_init(&r->pods);
    if (slash) {
        r->deployment_ns = xstrndup(deployment, (size_t) (slash - deployment));
        r->deployment_name = xstrdup(slash + 1);
    }
    r->give_up_at = loop_now(loop, LOOP_MONOTONIC) + SCALE_WAIT_MS;
    r->poll = (struct loop_timer) {.arg = r};
    r->pause = (struct loop_timer) {.on_time = on_pause_over, .arg = r};
    r->begin = (struct loop_task) {.on_turn = begin, .arg = r};
    loop_task_queue(loop, &r->begin);
    return r;
}

void release_free(struct release *r)
{
    if (!r)
        return;
    k8s_cancel(r->call);
    loop_task_cancel(&r->begin);
    loop_timer_cancel(r->loop, &r->poll);
    loop_timer_cancel(r->loop, &r->pause);
    forget_page(r);
    free(r->next_page);
    free(r->selector);
    free(r->deployment_ns);
    free(r->deployment_name);
    free(r);
}
