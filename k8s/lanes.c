/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/lanes.h"

#include <assert.h>

void lanes_init(struct lanes *l, int max_in_flight)
{
    assert(max_in_flight > 0);
    *l = (struct lanes) {.max = max_in_flight, .window = max_in_flight};
    for (int i = 0; i < K8S_N_LANES; i++)
        list_init(&l->waiting[i]);
}

void lanes_add(struct lanes *l, enum k8s_lane lane, struct list *link)
{
    list_push_back(&l->waiting[lane], link);
    l->n_waiting[lane]++;
}

void lanes_remove(struct lanes *l, enum k8s_lane lane, struct list *link)
{
    list_remove(link);
    l->n_waiting[lane]--;
}

static bool has_room(const struct lanes *l, int lane)
{
    return lane == K8S_LANE_LEASE || l->in_flight < (int) l->window;
}

struct list *lanes_next(struct lanes *l, int64_t now)
{
    for (int lane = 0; lane < K8S_N_LANES; lane++) {
        if (list_empty(&l->waiting[lane]) || !has_room(l, lane) || l->closed_until[lane] > now)
            continue;
        struct list *link = l->waiting[lane].next;

        lanes_remove(l, (enum k8s_lane) lane, link);
        if (lane != K8S_LANE_LEASE)
            l->in_flight++;
        return link;
    }
    return NULL;
}

int64_t lanes_opens_at(const struct lanes *l, int64_t now)
{
    int64_t at = -1;

    for (int lane = 0; lane < K8S_N_LANES; lane++)
        if (!list_empty(&l->waiting[lane]) && l->closed_until[lane] > now &&
            (at < 0 || l->closed_until[lane] < at))
            at = l->closed_until[lane];
    return at;
}

void lanes_done(struct lanes *l, enum k8s_lane lane, bool answered, bool throttled,
                int64_t retry_after_ms, int64_t now)
{
    if (lane == K8S_LANE_LEASE)
        return;
    bool full = l->in_flight >= (int) l->window;

    l->in_flight--;
    if (throttled) {
        l->window = l->window / 2 > 1 ? l->window / 2 : 1;
        if (l->closed_until[lane] < now + retry_after_ms)
            l->closed_until[lane] = now + retry_after_ms;
    } else if (answered && full && l->window < l->max) {
        l->window += 1 / l->window;
        if (l->window > l->max)
            l->window = l->max;
    }
}

size_t lanes_waiting(const struct lanes *l)
{
    size_t n = 0;

    for (int lane = 0; lane < K8S_N_LANES; lane++)
        n += l->n_waiting[lane];
    return n;
}
