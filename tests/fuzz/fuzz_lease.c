/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of the leader's election (k8s/lease.h), whatever somebody else left in the Lease:
 *
 *  - nobody takes it before its holder's time is over, and it is taken then, or at once if it has
 *    no holder;
 *  - what is written into it is what Kubernetes takes: our identity and numbers of 32 bits;
 *  - what the holder before us recorded is found as it was.
 *
 * The input is JSON: {"annotations": …, "spec": …} of the Lease.  It is stored as it is, also where
 * an API server would refuse it.
 */
#include "k8s/lease.h"

#include "fuzz_json.h"
#include "sim/fake.h"

#define DURATION_MS 5000
#define WAIT_MAX_S  20 /* leases that last longer are only seen not to be taken */
#define RECORD      "kharon.dev/written"

static const struct k8s_resource leases = {"coordination.k8s.io", "v1", "leases", "Lease"};

static bool acquired;

static void on_acquired(void *arg)
{
    (void) arg;
    acquired = true;
}

static void on_other(void *arg)
{
    (void) arg;
}

static const struct lease_handler handler = {on_acquired, on_other, on_other};

static bool is_acquired(void *arg)
{
    (void) arg;
    return acquired;
}

static void check_number(const json_t *object, const char *path, int64_t low)
{
    const json_t *number = json_at(object, path);

    FUZZ_CHECK(json_is_integer(number) && json_integer_value(number) >= low &&
               json_integer_value(number) <= INT32_MAX);
}

static void check_taken(struct fake *fake, struct lease *lease, const char *record)
{
    const json_t *object = fake_get(fake, &leases, "k", "op");
    const char *holder = json_text_at(object, "spec.holderIdentity");

    FUZZ_CHECK(lease_held(lease) && lease_remaining_ms(lease) > 0);
    FUZZ_CHECK(holder && strcmp(holder, "us") == 0);
    check_number(object, "spec.leaseTransitions", 0);
    check_number(object, "spec.leaseDurationSeconds", 1);
    FUZZ_CHECK(strcmp(lease_found_record(lease), record) == 0);
}

/* How long a candidate has to see it unchanged: as it says, between a second and an hour. */
static int64_t seconds_left(const json_t *spec)
{
    const char *holder = json_text_at(spec, "holderIdentity");
    int64_t seconds = json_int_at(spec, "leaseDurationSeconds", DURATION_MS / 1000);

    if (!holder || !*holder || strcmp(holder, "us") == 0)
        return 0;
    return seconds < 1 ? 1 : seconds > 3600 ? 3600 : seconds;
}

/* Only who released the lease has left a record: nobody else had said all when it was written. */
static const char *record_left(const json_t *left)
{
    const char *record =
        json_string_value(json_object_get(json_object_get(left, "annotations"), RECORD));
    const char *holder = json_text_at(left, "spec.holderIdentity");

    return record && (!holder || !*holder) ? record : "";
}

static void check(struct fake *fake, struct lease *lease, const json_t *left)
{
    int64_t seconds = seconds_left(json_object_get(left, "spec"));
    const char *record = record_left(left);

    lease_start(lease);
    if (seconds > 0) {
        fake_run(fake, (seconds > WAIT_MAX_S ? WAIT_MAX_S : seconds) * 1000 - 1);
        FUZZ_CHECK(!acquired && !lease_held(lease) && lease_remaining_ms(lease) <= 0);
    }
    if (seconds > WAIT_MAX_S)
        return;
    FUZZ_CHECK(fake_run_until(fake, 2 * DURATION_MS, is_acquired, NULL));
    check_taken(fake, lease, record);
}

static char *lease_text(const json_t *left)
{
    CLEANUP(json_decref) json_t *object =
        json_pack("{s:{s:s, s:s}}", "metadata", "namespace", "k", "name", "op");

    json_object_set(json_object_get(object, "metadata"), "annotations",
                    json_object_get(left, "annotations"));
    json_object_set(object, "spec", json_object_get(left, "spec"));
    return json_print(object);
}

static void run(const json_t *left)
{
    CLEANUP(free) char *text = lease_text(left);
    struct lease_config config = {
        .ns = "k", .name = "op", .identity = "us", .duration_ms = DURATION_MS, .delta_ms = 2000};
    struct loop *loop = loop_new_virtual(INT64_C(1768046400000));
    struct fake *fake = fake_new(loop, 1);
    struct k8s *client = fake_client(fake, "us");
    struct rng rng;

    rng_init(&rng, 1);
    acquired = false;
    fake_create_unjudged(fake, &leases, text);
    struct lease *lease = lease_new(loop, client, &rng, &config, &handler, NULL);
    check(fake, lease, left);
    lease_free(lease);
    k8s_free(client);
    fake_free(fake);
    loop_free(loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    json_t *left = fuzz_object(data, len);

    if (left)
        run(left);
    json_decref(left);
    return 0;
}
