/* SPDX-License-Identifier: Apache-2.0 */
/* The fake answers as a real API server does: see facts/facts.h. */
#include "facts/facts.h"

#include "sim/fake.h"
#include "sim/fake_kubelet.h"

static struct fake *fake;
static struct fake_kubelet *kubelet;

/* There is no node that takes pods. */
static void on_plan(const json_t *object, struct fake_plan *plan, void *arg)
{
    (void) object;
    (void) arg;
    plan->schedule_ms = FAKE_NEVER;
}

static void facts_connect(struct loop **ret_loop, struct k8s **ret_k8s)
{
    static const struct fake_kubelet_handler kubelet_handler = {.plan = on_plan};

    *ret_loop = loop_new_virtual(1767225600000);
    fake = fake_new(*ret_loop, test_seed());
    kubelet = fake_kubelet_new(fake, *ret_loop, &kubelet_handler, NULL);
    *ret_k8s = fake_client(fake, "facts");
}

static void facts_disconnect(void)
{
    k8s_free(k8s);
    fake_kubelet_free(kubelet);
    fake_free(fake);
    loop_free(loop);
}
