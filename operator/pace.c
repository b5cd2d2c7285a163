/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/pace.h"

#include "base/log.h"
#include "operator/operator.h"

static void turn_periods(struct pace *p, int64_t period)
{
    if (period == p->period)
        return;
    p->last = p->now;
    if (period != p->period + 1)
        p->last.answered = p->last.overdue = 0;
    p->now.answered = p->now.overdue = 0;
    p->period = period;
}

static void tell(struct operator *op, int64_t now)
{
    const struct pace *p = &op->pace;
    CLEANUP(free) char *note = p->slow ? xasprintf("requests get no answer within %lld ms",
                                                   (long long) op->settings->delta_ms)
                                       : xasprintf("requests are answered again, after %lld s",
                                                   (long long) ((now - p->slow_since) / SECOND_MS));

    if (p->slow)
        log_warning("the control plane is slow", KV("delta_ms", op->settings->delta_ms));
    else
        log_info("the control plane keeps up again");
    operator_tell(op, p->slow, p->slow ? "ControlPlaneSlow" : "ControlPlaneAnswers", "Wait", note);
}

/* Slow until a whole period has passed without a request that was not answered in time. */
static bool judge(const struct pace *p)
{
    int overdue = p->now.overdue + p->last.overdue, answered = p->now.answered + p->last.answered;

    if (p->slow)
        return overdue > 0;
    return overdue >= PACE_OVERDUE && overdue >= answered;
}

void pace_begin(struct operator *op)
{
    op->pace.slow = false;
}

void pace_note(struct operator *op, const struct k8s_ended *ended)
{
    int64_t now = loop_now(op->loop, LOOP_BOOT);
    struct pace *p = &op->pace;
    enum error_code code = ended->reply ? ended->reply->error.code : ERROR_NONE;

    if (!ended->reply || ended->verb == K8S_WATCH || ended->verb == K8S_LIST)
        return;
    turn_periods(p, now / PACE_PERIOD_MS);
    if (code == ERROR_UNKNOWN) {
        p->now.overdue++;
        p->n_overdue++;
    } else if (ended->lane != K8S_LANE_LEASE) { /* whose renewals alone say little */
        p->now.answered++;
    }
    bool slow = judge(p);
    if (slow == p->slow)
        return;
    p->slow = slow;
    if (slow)
        p->slow_since = now;
    if (op->leading)
        tell(op, now);
}
