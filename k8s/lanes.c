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

void lanes_add(struct lanes *l, enum k8s_lane lane, struct lanes_place *place, int64_t now)
{
    place->since = now;
    list_push_back(&l->waiting[lane], &place->link);
    l->n_waiting[lane]++;
}

void lanes_remove(struct lanes *l, enum k8s_lane lane, struct lanes_place *place)
{
    list_remove(&place->link);
    l->n_waiting[lane]--;
}

static bool has_room(const struct lanes *l, int lane)
{
    if (lane == K8S_LANE_LEASE)
        return true;
    return l->in_flight < (int) l->window &&
           (lane != K8S_LANE_READ || l->reads < ((int) l->window + 1) / 2);
}

static bool may_go(const struct lanes *l, int lane, int64_t now)
{
    return !list_empty(&l->waiting[lane]) && has_room(l, lane) && l->closed_until[lane] <= now;
}

static struct lanes_place *first_of(const struct lanes *l, int lane)
{
    return list_entry(l->waiting[lane].next, struct lanes_place, link);
}

/* -1: none may go. */
static int most_important(const struct lanes *l, int64_t now)
{
    for (int lane = 0; lane < K8S_N_LANES; lane++)
        if (may_go(l, lane, now))
            return lane;
    return -1;
}

/* Whose request has waited for too long behind this lane's; its turn comes after the last such
 * lane's, since an order among them would starve the last ones again.  -1: none. */
static int late_behind(const struct lanes *l, int before, int64_t now)
{
    for (int i = 1; i <= K8S_N_LANES; i++) {
        int lane = (l->last_late + i) % K8S_N_LANES;

        if (lane > before && may_go(l, lane, now) &&
            now - first_of(l, lane)->since >= LANES_PATIENCE_MS)
            return lane;
    }
    return -1;
}

static int choose(struct lanes *l, int64_t now)
{
    int lane = most_important(l, now);
    int late = lane > K8S_LANE_LEASE && !l->gave_way ? late_behind(l, lane, now) : -1;

    if (lane > K8S_LANE_LEASE)
        l->gave_way = late >= 0;
    if (late >= 0)
        l->last_late = late;
    return late >= 0 ? late : lane;
}

struct lanes_place *lanes_next(struct lanes *l, int64_t now)
{
    int lane = choose(l, now);

    if (lane < 0)
        return NULL;
    struct lanes_place *place = first_of(l, lane);
    lanes_remove(l, (enum k8s_lane) lane, place);
    if (lane != K8S_LANE_LEASE)
        l->in_flight++;
    l->reads += lane == K8S_LANE_READ;
    return place;
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
