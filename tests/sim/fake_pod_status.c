/* SPDX-License-Identifier: Apache-2.0 */
/* What the API shows of a pod. */
#include "sim/fake_kubelet_internal.h"

#include <string.h>

static const struct k8s_resource pods = {"", "v1", "pods", "Pod"};

bool fake_pod_is_there(const struct fake_pod *p)
{
    const json_t *json = fake_get(p->kubelet->fake, &pods, p->ns, p->name);
    const char *uid = json_text_at(json, "metadata.uid");

    return uid && strcmp(uid, p->uid) == 0;
}

static json_t *condition(const char *type, bool is, const char *reason)
{
    json_t *c = json_object();

    json_set_text(c, "type", type);
    json_set_text(c, "status", is ? "True" : "False");
    json_set_text(c, "reason", reason);
    return c;
}

static json_t *container_state(const struct fake_pod *p)
{
    const char *waiting = p->flipped        ? "ImagePullBackOff"
                          : p->plan.waiting ? p->plan.waiting
                                            : "ContainerCreating";

    if (p->state == FAKE_POD_RUNNING && !p->plan.unseen)
        return json_pack("{s:{s:s}}", "running", "startedAt", p->started);
    if (p->state <= FAKE_POD_RUNNING)
        return json_pack("{s:{s:s}}", "waiting", "reason", waiting);
    return json_pack("{s:{s:i, s:s, s:s*, s:s*, s:s}}", "terminated", "exitCode", p->exit_code,
                     "reason",
                     p->reason           ? p->reason
                     : p->exit_code == 0 ? "Completed"
                                         : "Error",
                     "message", p->message, "startedAt", *p->started ? p->started : NULL,
                     "finishedAt", p->finished);
}

static json_t *container_statuses(const struct fake_pod *p)
{
    const json_t *container = json_array_get(json_at(p->first, "spec.containers"), 0);
    const char *name = json_text_at(container, "name"), *image = json_text_at(container, "image");
    json_t *status = json_object(), *all = json_array();

    json_set_text(status, "name", name ? name : "main");
    json_set_text(status, "image", image);
    json_set_bool(status, "ready", p->state == FAKE_POD_RUNNING && !p->plan.unseen);
    json_set_int(status, "restartCount", 0);
    json_set_take(status, "state", container_state(p));
    json_array_append_new(all, status);
    return all;
}

static const char *phase(const struct fake_pod *p)
{
    if (p->state < FAKE_POD_RUNNING || (p->state < FAKE_POD_OVER && p->plan.unseen))
        return "Pending";
    if (p->state < FAKE_POD_OVER)
        return "Running";
    return p->exit_code == 0 && !p->ended ? "Succeeded" : "Failed";
}

/* Keeps the conditions that others have set (DisruptionTarget). */
static json_t *conditions(const struct fake_pod *p, json_t *own)
{
    const json_t *before =
        json_at(fake_get(p->kubelet->fake, &pods, p->ns, p->name), "status.conditions");
    const char *own_type = json_text_at(own, "type");
    json_t *all = json_array(), *c;
    size_t i;

    json_array_foreach ((json_t *) (uintptr_t) before, i, c)
        if (strcmp(json_text_at(c, "type"), own_type) != 0)
            json_array_append(all, c);
    json_array_append_new(all, own);
    return all;
}

bool fake_pod_is_lost(const struct fake_pod *p)
{
    return p->node && p->node->lost;
}

/* Takes the status. */
static void send(struct fake_pod *p, json_t *status)
{
    CLEANUP(json_decref) json_t *patch = json_object();

    json_set_take(patch, "status", status);
    CLEANUP(free) char *text = json_print(patch);
    fake_patch_status(p->kubelet->fake, &pods, p->ns, p->name, text);
}

void fake_pod_write_status(struct fake_pod *p, json_t *status)
{
    if (fake_pod_is_there(p) && !fake_pod_is_lost(p))
        send(p, status);
    else
        json_decref(status);
}

void fake_pod_show_unscheduled(struct fake_pod *p, const char *reason)
{
    fake_pod_write_status(p, json_pack("{s:o}", "conditions",
                                       conditions(p, condition("PodScheduled", false, reason))));
}

void fake_pod_show(struct fake_pod *p)
{
    json_t *status = json_object();

    json_set_text(status, "phase", phase(p));
    if (p->ended && p->state == FAKE_POD_OVER) {
        json_set_text(status, "reason", p->ended);
        json_set_text(status, "message",
                      p->too_long ? "Pod was active on the node longer than the specified deadline"
                                  : "The node was low on resource: memory.");
    }
    json_set_take(status, "conditions", conditions(p, condition("PodScheduled", true, NULL)));
    if (p->state != FAKE_POD_OVER || *p->finished)
        json_set_take(status, "containerStatuses", container_statuses(p));
    fake_pod_write_status(p, status);
}

void fake_pod_mark_disrupted(struct fake_pod *p, const char *reason, const char *phase)
{
    json_t *status = json_object();

    json_set_text(status, "phase", phase);
    json_set_take(status, "conditions", conditions(p, condition("DisruptionTarget", true, reason)));
    send(p, status);
}
