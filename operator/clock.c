/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/clock.h"

#include "base/log.h"
#include "operator/operator.h"

struct bounds {
    int64_t low, high; /* of the server's clock less ours */
};

static struct bounds difference(const struct operator *op)
{
    const struct clock_guard *c = &op->clock;
    int64_t server = c->server_ms + loop_now(op->loop, LOOP_BOOT) - c->boot_ms;
    int64_t low = server - loop_now(op->loop, LOOP_OF_DAY);

    return (struct bounds) {low, low + c->wide_ms};
}

int64_t clock_skew_ms(const struct operator *op)
{
    struct bounds d = difference(op);

    if (!op->clock.known)
        return 0;
    return d.low > 0 ? d.low : d.high < 0 ? d.high : 0;
}

static void tell(struct operator *op, bool wrong)
{
    int64_t skew = clock_skew_ms(op);
    CLEANUP(free) char *note =
        wrong
            ? xasprintf("the clock of %s and the API server's differ by %.1f s: nothing is "
                        "triggered and nothing times out until they agree",
                        op->settings->identity, (double) skew / 1000)
            : xasprintf("the clock of %s and the API server's agree again", op->settings->identity);

    operator_tell(op, wrong, wrong ? "ClockSkew" : "ClockAgrees", "Trigger", note);
    if (wrong)
        log_error("the clock is wrong", KV("server_less_ours_ms", skew));
    else
        log_info("the clock is right again");
}

bool clock_wrong(struct operator *op)
{
    struct clock_guard *c = &op->clock;
    struct bounds d = difference(op);
    bool wrong = c->wrong;

    if (!c->known)
        return false;
    if (d.low > CLOCK_WRONG_MS || d.high < -CLOCK_WRONG_MS)
        wrong = true;
    else if (d.low > -CLOCK_RIGHT_MS && d.high < CLOCK_RIGHT_MS)
        wrong = false;
    if (wrong != c->wrong) {
        c->wrong = wrong;
        if (op->leading) {
            tell(op, wrong);
            loop_task_queue(op->loop, &op->look_task);
        }
    }
    return wrong;
}

int64_t clock_now(struct operator *op)
{
    int64_t now = loop_now(op->loop, LOOP_OF_DAY);

    if (!clock_wrong(op))
        return now;
    struct bounds d = difference(op);
    return now + (d.low + d.high) / 2;
}

void clock_begin(struct operator *op)
{
    op->clock.wrong = false;
    clock_wrong(op);
}

void clock_note(struct operator *op, const struct k8s_ended *ended)
{
    int64_t server = ended->reply ? ended->reply->server_time_ms : 0;

    if (server == 0 || ended->verb == K8S_WATCH || ended->took_ms > CLOCK_LONGEST_TRIP)
        return;
    op->clock.known = true;
    op->clock.server_ms = server;
    op->clock.wide_ms = 999 + ended->took_ms;
    op->clock.boot_ms = loop_now(op->loop, LOOP_BOOT);
    clock_wrong(op);
}
