/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/lanes.h"

#include <assert.h>

void lanes_init(struct lanes *l, int max_in_flight, int64_t slow_ms)
{
    assert(max_in_flight > 0);
    *l = (struct lanes) {.max = max_in_flight,
                         .window = max_in_flight,
                         .slow_ms = slow_ms,
                         .narrowed_at = INT64_MIN};
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
    if (lane == K8S_LANE_LEASE)
        return true;
    return l->in_flight < (int) l->window &&
           (lane != K8S_LANE_READ || l->reads < ((int) l->window + 1) / 2);
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
        l->reads += lane == K8S_LANE_READ;
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

/* Once for each round: what was under way together fails together. */
static void narrow(struct lanes *l, const struct lanes_end *end, int64_t now)
{
    int least = l->max < LANES_MIN_WINDOW ? l->max : LANES_MIN_WINDOW;

    if (now - end->took_ms < l->narrowed_at)
        return;
    l->narrowed_at = now;
    l->window = l->window / 2 > least ? l->window / 2 : least;
}

static void widen(struct lanes *l)
{
    if (l->window < l->max)
        l->window += 1 / l->window;
    if (l->window > l->max)
        l->window = l->max;
}

void lanes_done(struct lanes *l, enum k8s_lane lane, const struct lanes_end *end, int64_t now)
{
    bool full = l->in_flight >= (int) l->window;
    bool slow = l->slow_ms > 0 && end->took_ms >= l->slow_ms;

    if (lane == K8S_LANE_LEASE)
        return;
    l->in_flight--;
    l->reads -= lane == K8S_LANE_READ;
    if (end->throttled && l->closed_until[lane] < now + end->retry_after_ms)
        l->closed_until[lane] = now + end->retry_after_ms;
    if (end->throttled || end->overdue || (end->answered && slow))
        narrow(l, end, now);
    else if (end->answered && full && (l->slow_ms == 0 || end->took_ms < l->slow_ms / 2))
        widen(l);
}

size_t lanes_waiting(const struct lanes *l)
{
    size_t n = 0;

    for (int lane = 0; lane < K8S_N_LANES; lane++)
        n += l->n_waiting[lane];
    return n;
}
