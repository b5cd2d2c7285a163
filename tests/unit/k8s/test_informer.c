/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/buf.h"
#include "k8s/informer.h"
#include "sim/fake.h"

static const struct k8s_resource things = {"kharon.dev", "v1alpha1", "things", "Thing"};

struct thing {
    int64_t n;
    char *color;
};

static struct loop *loop;
static struct rng rng;
static struct fake *fake;
static struct k8s *k8s;
static struct k8s_informer *informer;
static struct buf told;  /* "+x=1 *x=2 -x=2 " */
static int synced, live; /* live: decoded structs that are not freed */
static bool restored;    /* versions may go back */
static int n_back;       /* the informer has found out */
static int n_joined;

static void *decode(const json_t *object)
{
    struct thing *t = NEW(struct thing);

    t->n = json_int_at(object, "spec.n", 0);
    t->color = xstrdup(json_text_at(object, "spec.color"));
    live++;
    return t;
}

static void free_thing(void *value)
{
    struct thing *t = value;

    free(t->color);
    free(t);
    live--;
}

static char *by_color(const struct k8s_object *object)
{
    return xstrdup(((const struct thing *) object->value)->color);
}

static const struct k8s_kind kind = {&things, NULL, decode, free_thing, {by_color}};
static const struct k8s_kind labelled = {&things, "l=1", decode, free_thing, {by_color}};

static int64_t n_of(const struct k8s_object *object)
{
    return ((const struct thing *) object->value)->n;
}

static void on_change(const struct k8s_object *old, const struct k8s_object *new, void *arg)
{
    const struct k8s_object *o = new ? new : old;

    (void) arg;
    buf_addf(&told, "%c%s=%d ", !old ? '+' : !new ? '-' : '*', o->meta.name, (int) n_of(o));
    if (old && new) {
        CHECK_STR(old->meta.uid, new->meta.uid);
        CHECK(restored || old->meta.resource_version < new->meta.resource_version);
    }
}

static void on_synced(void *arg)
{
    (void) arg;
    synced++;
    buf_adds(&told, "| ");
}

static void on_back(void *arg)
{
    (void) arg;
    CHECK(restored);
    n_back++;
}

static void on_joined(void *arg)
{
    (void) arg;
    n_joined++;
}

static const struct k8s_informer_handler handler = {on_change, on_synced, on_back, on_joined};

static void set_up(void)
{
    loop = loop_new_virtual(1767225600000);
    rng_init(&rng, 1);
    fake = fake_new(loop, test_seed());
    fake_add_kind(fake, &things, true);
    k8s = fake_client(fake, "test");
    synced = 0;
    restored = false;
    n_back = n_joined = 0;
    buf_clear(&told);
}

static void start(const struct k8s_kind *k, const char *const *namespaces)
{
    informer = k8s_informer_new(loop, k8s, &rng, k, namespaces, &handler, NULL);
    k8s_informer_start(informer);
}

static void tear_down(void)
{
    k8s_informer_free(informer);
    k8s_free(k8s);
    fake_free(fake);
    loop_free(loop);
    buf_done(&told);
    CHECK_INT(live, 0);
}

static const json_t *add_in(const char *ns, const char *name, int n)
{
    CLEANUP(free) char *text = xasprintf(
        "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\"},\"spec\":{\"n\":%d}}", name, ns, n);

    return fake_create(fake, &things, text);
}

static const json_t *add(const char *name, int n)
{
    return add_in("a", name, n);
}

static const json_t *change(const char *name, int n)
{
    CLEANUP(free) char *text = xasprintf("{\"spec\":{\"n\":%d}}", n);

    return fake_patch(fake, &things, "a", name, text);
}

static void drop(const char *name)
{
    CHECK(fake_delete(fake, &things, "a", name));
}

/* What was told since the last look. */
#define TOLD(ms, want)                                                                             \
    do {                                                                                           \
        fake_run(fake, (ms));                                                                      \
        CHECK_STR(buf_text(&told), (want));                                                        \
        buf_clear(&told);                                                                          \
    } while (0)

/* The copy is what the server has. */
static void compare(const json_t *object, void *arg)
{
    const struct k8s_object *o =
        k8s_informer_get(informer, json_text_at(object, "metadata.namespace"),
                         json_text_at(object, "metadata.name"));

    if (!o)
        TEST_FAIL("%s is missing", json_text_at(object, "metadata.name"));
    CHECK_STR(o->meta.uid, json_text_at(object, "metadata.uid"));
    CHECK_INT(n_of(o), json_int_at(object, "spec.n", 0));
    ++*(size_t *) arg;
}

static void check_copy(void)
{
    size_t n = 0;

    fake_foreach(fake, &things, compare, &n);
    CHECK_INT(k8s_informer_count(informer), n);
}

TEST(lists_then_watches)
{
    set_up();
    add("x", 1);
    add("y", 2);
    start(&kind, NULL);
    CHECK(!k8s_informer_synced(informer));
    TOLD(100, "+x=1 +y=2 | ");
    CHECK(k8s_informer_synced(informer));
    change("x", 3);
    add("z", 4);
    drop("y");
    TOLD(100, "*x=3 +z=4 -y=2 ");
    CHECK_INT(n_of(k8s_informer_get_key(informer, "a/x")), 3);
    CHECK(!k8s_informer_get(informer, "a", "y"));
    check_copy();
    tear_down();
}

TEST(lists_in_pages)
{
    char name[16];

    set_up();
    for (int i = 0; i < 1203; i++) {
        snprintf(name, sizeof(name), "x%04d", i);
        add(name, i);
    }
    start(&kind, NULL);
    fake_run(fake, 1000);
    CHECK_INT(fake_count_requests(fake, K8S_LIST, "things"), 3);
    CHECK_INT(synced, 1);
    check_copy();
    tear_down();
}

TEST(a_page_that_has_expired_starts_the_list_over)
{
    char name[16];

    set_up();
    for (int i = 0; i < 600; i++) {
        snprintf(name, sizeof(name), "x%04d", i);
        add(name, i);
    }
    start(&kind, NULL);
    while (fake_count_requests(fake, K8S_LIST, "things") == 0)
        loop_turn(loop, -1);
    fake_expire_history(fake);
    fake_run(fake, 1000);
    CHECK_INT(synced, 1);
    check_copy();
    tear_down();
}

static int n_forbidden;

static int forbid_b(const char *user, const struct k8s_request *request, void *arg)
{
    bool hit = request->ns && strcmp(request->ns, "b") == 0;

    (void) user, (void) arg;
    n_forbidden += hit;
    return hit ? (int) FAKE_FORBID : -1;
}

static int forbid_all(const char *user, const struct k8s_request *request, void *arg)
{
    (void) user, (void) request, (void) arg;
    return (int) FAKE_FORBID;
}

/* Somebody deleted one of the namespaces, and the role in it: the others go on. */
TEST(a_namespace_that_may_not_be_listed_keeps_nobody_waiting)
{
    static const char *const two[] = {"a", "b", NULL};

    set_up();
    add("x", 1);
    fake_set_judge(fake, forbid_b, NULL);
    start(&kind, two);
    fake_run(fake, 30000);
    CHECK(!k8s_informer_synced(informer)); /* a server that has just started forbids, too */
    fake_run(fake, 60000);
    CHECK(k8s_informer_synced(informer));
    CHECK_INT(synced, 1);
    k8s_informer_resync(informer);
    fake_run(fake, 90000);
    CHECK_INT(synced, 2);
    CHECK(k8s_informer_knows(informer, "a") && !k8s_informer_knows(informer, "b"));
    add_in("b", "x", 2);
    fake_set_judge(fake, NULL, NULL);
    fake_run(fake, 31000);
    CHECK(k8s_informer_knows(informer, "b"));
    CHECK_INT(n_joined, 1);
    CHECK_INT(n_of(k8s_informer_get(informer, "b", "x")), 2);
    tear_down();
}

/* If all are forbidden, nothing is known. */
TEST(a_copy_of_nothing_is_no_copy)
{
    static const char *const one[] = {"b", NULL};

    set_up();
    fake_set_judge(fake, forbid_b, NULL);
    start(&kind, one);
    fake_run(fake, 600000);
    CHECK(!k8s_informer_synced(informer));
    tear_down();
}

static const char *const namespaces[] = {"a", "b", NULL};

/* With so much in the other one that its list ends after the answer that this one is forbidden. */
static void start_without_b(void)
{
    char name[16];

    set_up();
    for (int i = 0; i < 1203; i++) {
        snprintf(name, sizeof(name), "x%04d", i);
        add(name, i);
    }
    fake_set_judge(fake, forbid_b, NULL);
    start(&kind, namespaces);
    fake_run(fake, 90000);
    CHECK_INT(synced, 1);
}

/* Whoever is to lead lists everything again, and has no half minute. */
TEST(what_was_left_out_keeps_nobody_waiting_again)
{
    start_without_b();
    add_in("b", "y", 2);
    for (int i = 0; i < 5; i++) {
        k8s_informer_resync(informer);
        CHECK(!k8s_informer_synced(informer));
        fake_run(fake, 1000);
        CHECK(k8s_informer_synced(informer));
        CHECK_INT(synced, 2 + i);
    }
    CHECK(!k8s_informer_knows(informer, "b"));
    CHECK_INT(n_joined, 0);
    fake_set_judge(fake, NULL, NULL);
    k8s_informer_resync(informer);
    fake_run(fake, 1000);
    CHECK(k8s_informer_knows(informer, "b"));
    CHECK_INT(n_joined, 1);
    CHECK_INT(synced, 7);
    check_copy();
    tear_down();
}

/* That one is left out is no list of the others. */
TEST(a_copy_without_all_is_no_copy)
{
    start_without_b();
    fake_set_judge(fake, forbid_all, NULL);
    k8s_informer_resync(informer);
    fake_run(fake, 600000);
    CHECK(!k8s_informer_synced(informer));
    CHECK(k8s_informer_knows(informer, "a"));
    fake_set_judge(fake, forbid_b, NULL);
    fake_run(fake, 3000);
    CHECK(k8s_informer_synced(informer));
    tear_down();
}

static void start_and_lose_b(void)
{
    set_up();
    add_in("a", "x", 1);
    add_in("b", "x", 2);
    start(&kind, namespaces);
    fake_run(fake, 1000);
    CHECK_INT(synced, 1);
    fake_set_judge(fake, forbid_b, NULL);
    fake_end_watches(fake, true);
    n_forbidden = 0;
}

/* A role that was deleted is not asked for by every stream every second. */
TEST(a_watch_that_is_forbidden_is_asked_for_now_and_then)
{
    start_and_lose_b();
    fake_run(fake, 50000);
    CHECK(n_forbidden >= 50); /* a server that has just started forbids, too */
    fake_run(fake, 20000);
    n_forbidden = 0;
    fake_run(fake, 600000);
    CHECK(n_forbidden >= 20 && n_forbidden <= 40);
    add_in("b", "y", 3);
    fake_set_judge(fake, NULL, NULL);
    fake_run(fake, 31000);
    check_copy();
    n_forbidden = 0; /* and the next time it is a start again */
    fake_set_judge(fake, forbid_b, NULL);
    fake_end_watches(fake, true);
    fake_run(fake, 50000);
    CHECK(n_forbidden >= 50);
    tear_down();
}

TEST(a_watch_that_is_forbidden_keeps_nobody_waiting)
{
    start_and_lose_b();
    fake_run(fake, 90000);
    k8s_informer_resync(informer);
    fake_run(fake, 3000);
    CHECK_INT(synced, 2);
    CHECK(!k8s_informer_knows(informer, "b"));
    tear_down();
}

/* It was let in, and is forbidden now: that is not for long yet. */
TEST(a_watch_that_was_forbidden_before_is_no_reason)
{
    start_and_lose_b();
    fake_run(fake, 10000);
    fake_set_judge(fake, NULL, NULL);
    fake_run(fake, 55000);
    fake_set_judge(fake, forbid_b, NULL);
    k8s_informer_resync(informer);
    fake_run(fake, 30000);
    CHECK(!k8s_informer_synced(informer));
    fake_set_judge(fake, NULL, NULL);
    fake_run(fake, 3000);
    CHECK(k8s_informer_synced(informer));
    CHECK_INT(n_joined, 0);
    tear_down();
}

TEST(only_the_namespaces_that_were_asked_for)
{
    static const char *const two[] = {"a", "b", NULL};

    set_up();
    add_in("a", "x", 1);
    add_in("b", "x", 2);
    add_in("c", "x", 3);
    start(&kind, two);
    fake_run(fake, 1000);
    CHECK_INT(k8s_informer_count(informer), 2);
    CHECK_INT(synced, 1);
    CHECK_INT(n_of(k8s_informer_get(informer, "b", "x")), 2);
    k8s_informer_observe(informer, add_in("c", "y", 4));
    CHECK(!k8s_informer_get(informer, "c", "y"));
    fake_expire_history(fake); /* a re-list of one namespace leaves the other alone */
    fake_end_watches(fake, true);
    fake_run(fake, 1000);
    CHECK_INT(k8s_informer_count(informer), 2);
    tear_down();
}

TEST(goes_on_where_a_watch_ended)
{
    set_up();
    add("x", 1);
    start(&kind, NULL);
    TOLD(100, "+x=1 | ");
    for (int i = 0; i < 4; i++) {
        fake_end_watches(fake, i % 2 == 0);
        change("x", 10 + i);
        fake_run(fake, 3000);
    }
    TOLD(0, "*x=10 *x=11 *x=12 *x=13 ");
    CHECK_INT(fake_count_requests(fake, K8S_LIST, "things"), 1);
    CHECK_INT(k8s_informer_stats(informer).watch_ends, 4);
    tear_down();
}

TEST(lists_again_when_its_version_is_gone)
{
    set_up();
    add("x", 1);
    add("y", 1);
    add("z", 1);
    start(&kind, NULL);
    TOLD(100, "+x=1 +y=1 +z=1 | ");
    fake_end_watches(fake, true);
    change("x", 2);
    drop("y");
    drop("z");
    add("z", 5); /* another one of the same name */
    fake_expire_history(fake);
    TOLD(3000, "*x=2 -z=1 +z=5 -y=1 ");
    CHECK_INT(synced, 1);
    check_copy();
    tear_down();
}

TEST(a_410_on_every_watch_does_not_become_a_storm)
{
    set_up();
    start(&kind, NULL);
    fake_set_rate(fake, FAKE_EXPIRE, 1000);
    fake_run(fake, 60000);
    CHECK(fake_count_requests(fake, K8S_LIST, "things") < 20);
    CHECK_INT(k8s_informer_stats(informer).error->code, ERROR_NONE);
    fake_set_rate(fake, FAKE_EXPIRE, 0);
    add("x", 1);
    fake_run(fake, 60000);
    check_copy();
    tear_down();
}

TEST(what_was_written_is_seen_at_once)
{
    const json_t *object;

    set_up();
    start(&kind, NULL);
    TOLD(100, "| ");
    k8s_informer_observe(informer, object = add("x", 1));
    TOLD(0, "+x=1 ");
    k8s_informer_observe(informer, object);
    TOLD(100, ""); /* its echo says nothing new */
    CLEANUP(json_decref) json_t *old = json_incref((json_t *) (uintptr_t) object);
    k8s_informer_observe(informer, change("x", 2));
    k8s_informer_observe(informer, old);
    TOLD(100, "*x=2 ");
    tear_down();
}

TEST(a_late_reply_does_not_revive_what_was_deleted)
{
    set_up();
    add("x", 1);
    start(&kind, NULL);
    TOLD(100, "+x=1 | ");
    CLEANUP(json_decref) json_t *late = json_incref((json_t *) (uintptr_t) change("x", 2));
    drop("x");
    TOLD(100, "*x=2 -x=2 ");
    k8s_informer_observe(informer, late);
    TOLD(100000, "");
    tear_down();
}

TEST(proven_gone_is_gone_even_if_the_watch_lags)
{
    set_up();
    const json_t *x = add("x", 1);
    CLEANUP(free) char *uid = xstrdup(json_text_at(x, "metadata.uid"));
    start(&kind, NULL);
    TOLD(100, "+x=1 | ");
    change("x", 2);
    drop("x");
    k8s_informer_observe_gone(informer, "a", "x", "another uid");
    TOLD(0, "");
    k8s_informer_observe_gone(informer, "a", "x", uid);
    CHECK_STR(buf_text(&told), "-x=1 ");
    buf_clear(&told);
    TOLD(100, ""); /* the older MODIFIED does not bring it back */
    add("x", 3);
    TOLD(100, "+x=3 ");
    tear_down();
}

TEST(another_uid_is_another_object)
{
    set_up();
    add("x", 1);
    start(&kind, NULL);
    TOLD(100, "+x=1 | ");
    drop("x");
    k8s_informer_observe(informer, add("x", 2));
    CHECK_STR(buf_text(&told), "-x=1 +x=2 "); /* before the watch says anything */
    buf_clear(&told);
    TOLD(100, ""); /* DELETED of the old one leaves the new one alone */
    check_copy();
    tear_down();
}

TEST(an_object_keeps_its_address_and_its_place)
{
    struct k8s_object *o;

    set_up();
    add("x", 1);
    add("y", 1);
    start(&kind, NULL);
    fake_run(fake, 100);
    struct k8s_object *x = k8s_informer_get(informer, "a", "x");
    change("x", 2);
    fake_run(fake, 100);
    CHECK(k8s_informer_get(informer, "a", "x") == x);
    buf_clear(&told);
    k8s_informer_foreach (o, informer)
        buf_addf(&told, "%s ", o->meta.name);
    TOLD(0, "x y ");
    tear_down();
}

/* The names under one colour, the last one indexed first. */
static void check_color(int line, const char *color, const char *want)
{
    struct buf names = BUF_INIT;

    for (struct k8s_object *o = k8s_informer_first(informer, 0, color); o;
         o = k8s_informer_next(o, 0))
        buf_addf(&names, "%s ", o->meta.name);
    CHECK_STR_AT(line, buf_text(&names), want);
    buf_done(&names);
}

#define COLOR(color, want) check_color(__LINE__, color, want)

TEST(indexes_follow_changes)
{
    set_up();
    start(&kind, NULL);
    add("x", 1);
    add("y", 1);
    add("z", 1);
    fake_patch(fake, &things, "a", "x", "{\"spec\":{\"color\":\"red\"}}");
    fake_patch(fake, &things, "a", "y", "{\"spec\":{\"color\":\"red\"}}");
    fake_run(fake, 100);
    COLOR("red", "y x ");
    COLOR("blue", "");
    fake_patch(fake, &things, "a", "x", "{\"spec\":{\"color\":\"blue\"}}");
    fake_patch(fake, &things, "a", "y", "{\"spec\":{\"n\":7}}");
    fake_run(fake, 100);
    COLOR("red", "y ");
    COLOR("blue", "x ");
    fake_patch(fake, &things, "a", "x", "{\"spec\":{\"color\":null}}");
    drop("y");
    fake_run(fake, 100);
    COLOR("red", "");
    COLOR("blue", "");
    tear_down();
}

TEST(a_selector_chooses)
{
    set_up();
    add("x", 1);
    start(&labelled, NULL);
    TOLD(100, "| ");
    fake_patch(fake, &things, "a", "x", "{\"metadata\":{\"labels\":{\"l\":\"1\"}}}");
    TOLD(100, "+x=1 ");
    fake_patch(fake, &things, "a", "x", "{\"metadata\":{\"labels\":{\"l\":\"2\"}}}");
    TOLD(100, "-x=1 ");
    k8s_informer_observe(informer, change("x", 3)); /* not one of ours */
    TOLD(100, "");
    tear_down();
}

TEST(resync_lists_what_is_there_now)
{
    set_up();
    add("x", 1);
    start(&kind, NULL);
    TOLD(100, "+x=1 | ");
    fake_partition(k8s, true); /* a copy that has not heard the news */
    change("x", 2);
    fake_partition(k8s, false);
    k8s_informer_resync(informer);
    CHECK(!k8s_informer_synced(informer));
    TOLD(100, "*x=2 | ");
    k8s_informer_resync(informer);
    k8s_informer_resync(informer);
    TOLD(100, "| ");
    tear_down();
}

TEST(failures_back_off_and_are_told)
{
    set_up();
    fake_fail_next(fake, FAKE_REFUSE, 6, K8S_LIST, "things");
    add("x", 1);
    start(&kind, NULL);
    fake_run(fake, 50);
    CHECK_INT(k8s_informer_stats(informer).error->code, ERROR_UNAVAILABLE);
    CHECK_INT(synced, 0);
    fake_run(fake, 10000);
    CHECK_INT(synced, 1);
    CHECK_INT(k8s_informer_stats(informer).error->code, ERROR_NONE);
    tear_down();
}

/* However long it was away, and whether it is lists or watches that fail. */
TEST(a_server_that_is_back_is_found_soon)
{
    set_up();
    start(&kind, NULL);
    fake_run(fake, 100);
    for (int i = 0; i < 5; i++) {
        fake_stop_server(fake, 180000);
        fake_run(fake, 180000);
        char name[] = {(char) ('a' + i), '\0'};
        add(name, 1);
        fake_run(fake, 10000); /* it needs some to start */
        check_copy();
    }
    tear_down();
}

static bool is_synced(void *arg)
{
    (void) arg;
    return synced > 0;
}

/* A server that has just started has no events of before for a watch.  How often it was asked while
 * it was away says nothing about how dear that list is. */
TEST(a_list_after_an_outage_does_not_wait)
{
    set_up();
    start(&kind, NULL);
    fake_run(fake, 100);
    for (int i = 0; i < 5; i++) {
        char name[] = {(char) ('a' + i), '\0'};

        add(name, 1);
        fake_fail_next(fake, FAKE_REFUSE, 8, K8S_WATCH, "things");
        fake_end_watches(fake, false);
        fake_run(fake, 12000); /* it has been refused for as often, and may wait for 4 s more */
        fake_expire_history(fake);
        fake_run(fake, 5000);
        check_copy();
    }
    tear_down();
}

/* Whatever its watch ended of, it had lived: the next 410 is another story. */
TEST(a_410_now_and_then_does_not_wait)
{
    set_up();
    start(&kind, NULL);
    for (int i = 0; i < 12; i++) {
        char name[] = {(char) ('a' + i), '\0'};

        fake_run(fake, 5000);
        add(name, 1);
        fake_expire_history(fake);
        fake_end_watches(fake, false);
        fake_run(fake, 1000);
        check_copy();
    }
    tear_down();
}

/* How long to stay away it says itself. */
TEST(a_server_that_says_when_is_asked_then)
{
    set_up();
    add("x", 1);
    fake_fail_next(fake, FAKE_THROTTLE, 10, K8S_LIST, "things");
    start(&kind, NULL);
    CHECK(fake_run_until(fake, 16000, is_synced, NULL));
    CHECK(loop_now(loop, LOOP_MONOTONIC) >= 10000);
    tear_down();
}

/* A server that goes away again and again would never be listed otherwise. */
TEST(a_list_goes_on_with_the_page_that_failed)
{
    static const enum fake_fault faults[] = {FAKE_REFUSE, FAKE_NO_RIGHT, FAKE_THROTTLE,
                                             FAKE_HANG_UP};
    char name[16];

    set_up();
    for (int i = 0; i < 1203; i++) {
        snprintf(name, sizeof(name), "x%04d", i);
        add(name, i);
    }
    start(&kind, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        synced = 0;
        k8s_informer_resync(informer);
        uint64_t before = fake_count_requests(fake, K8S_LIST, "things");
        while (fake_count_requests(fake, K8S_LIST, "things") == before)
            loop_turn(loop, -1);
        change("x0000", 5000 + (int) i); /* after the first page */
        fake_fail_next(fake, faults[i], 1, K8S_LIST, "things");
        CHECK(fake_run_until(fake, 5000, is_synced, NULL));
        CHECK(fake_count_requests(fake, K8S_LIST, "things") <= before + 4);
        fake_run(fake, 1000);
        check_copy();
    }
    tear_down();
}

/* Nobody keeps a version of a list for ever, and a page that cannot be read may be none. */
TEST(a_page_that_fails_for_long_starts_the_list_over)
{
    char name[16];

    set_up();
    for (int i = 0; i < 600; i++) {
        snprintf(name, sizeof(name), "x%04d", i);
        add(name, i);
    }
    start(&kind, NULL);
    while (fake_count_requests(fake, K8S_LIST, "things") == 0)
        loop_turn(loop, -1);
    add("y", 1);
    fake_stop_server(fake, 120000);
    fake_run(fake, 120000);
    CHECK(!k8s_informer_synced(informer));
    CHECK(fake_run_until(fake, 10000, is_synced, NULL));
    check_copy(); /* no watch has told yet */
    tear_down();
}

TEST(an_idle_copy_stays_in_contact)
{
    set_up();
    add("x", 1);
    start(&kind, NULL);
    fake_run(fake, 3600 * 1000);
    struct k8s_informer_stats stats = k8s_informer_stats(informer);
    CHECK(loop_now(loop, LOOP_MONOTONIC) - stats.last_contact_ms <= 60000);
    CHECK_INT(stats.lists, 1);
    CHECK_INT(stats.reached_version, stats.newest_version);
    CHECK_INT(stats.events, 0);
    CHECK(fake_count_requests(fake, K8S_WATCH, "things") < 20);
    tear_down();
}

TEST(items_that_make_no_sense_are_counted)
{
    static const char *const bad[] = {"{}", "{\"metadata\":{\"name\":\"x\"}}",
                                      "{\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"7a\"}}"};

    set_up();
    start(&kind, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CLEANUP(json_decref) json_t *json = json_loads(bad[i], 0, NULL);

        k8s_informer_observe(informer, json);
    }
    CHECK_INT(k8s_informer_stats(informer).decode_errors, 3);
    tear_down();
}

/* A watch from a version that the restored server has not reached is silent; a list finds out. */
TEST(a_restored_etcd_is_believed)
{
    set_up();
    add("x", 1);
    for (int i = 0; i < 300; i++)
        add("y", i), drop("y");
    add("z", 1);
    restored = true;
    start(&kind, NULL);
    TOLD(100, "+x=1 +z=1 | ");
    drop("z");
    fake_restore(fake); /* the watch has not told of z */
    change("x", 2);
    add("w", 3);
    fake_run(fake, 600000);
    check_copy();
    buf_clear(&told);
    change("x", 4);
    TOLD(100, "*x=4 ");
    tear_down();
}

/* When nobody listens for so long that versions have grown beyond those of before, only a copy that
 * is newer than what the list shows can tell. */
TEST(a_restored_etcd_that_has_grown_is_believed)
{
    set_up();
    for (int i = 0; i < 20; i++)
        add("y", i), drop("y");
    add("x", 1);
    restored = true;
    start(&kind, NULL);
    TOLD(100, "+x=1 | ");
    fake_freeze(k8s, true);
    fake_restore(fake);
    change("x", 2);
    for (int i = 0; i < 300; i++)
        add("y", i), drop("y");
    k8s_informer_resync(informer);
    fake_freeze(k8s, false);
    fake_run(fake, 1000);
    check_copy();
    CHECK_INT(n_back, 1);
    tear_down();
}

/* The versions of before are soon reached again, and passed, before the watch goes on: it tells
 * nothing of what they stand for now.  Whoever acts on the copy finds out. */
static void restore_unnoticed(void)
{
    set_up();
    add("x", 1);
    for (int i = 0; i < 20; i++)
        add("y", i), drop("y");
    add("z", 1);
    change("x", 2);
    restored = true;
    start(&kind, NULL);
    TOLD(100, "+x=2 +z=1 | ");
    fake_freeze(k8s, true);
    fake_end_watches(fake, false);
    fake_restore(fake);
    change("x", 3);
    drop("z");
    for (int i = 0; i < 100; i++)
        add("y", i), drop("y");
    fake_freeze(k8s, false);
    fake_run(fake, 40000);
    CHECK_INT(((struct thing *) k8s_informer_get(informer, "a", "x")->value)->n, 2);
}

TEST(a_copy_that_is_refused_is_read_again)
{
    static const char *const keys[] = {"a/x", "a/z"};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        restore_unnoticed();
        k8s_informer_refused(informer, keys[i]);
        fake_run(fake, 1000);
        check_copy();
        tear_down();
    }
}

TEST(a_live_answer_that_is_older_than_the_copy_is_believed)
{
    restore_unnoticed();
    k8s_informer_observe(informer, fake_get(fake, &things, "a", "x"));
    fake_run(fake, 1000);
    check_copy();
    tear_down();
}

/* The versions of before are far away: what is made meanwhile seems to be older than the copy. */
TEST(a_live_answer_that_the_copy_should_have_is_believed)
{
    set_up();
    add("x", 1);
    for (int i = 0; i < 300; i++)
        add("y", i), drop("y");
    add("z", 1);
    restored = true;
    start(&kind, NULL);
    fake_run(fake, 40000);
    fake_restore(fake);
    fake_run(fake, 1000);
    k8s_informer_observe(informer, add("w", 3));
    fake_run(fake, 1000);
    check_copy();
    CHECK_INT(n_back, 1);
    tear_down();
}

static uint64_t n_lists(void)
{
    return fake_count_requests(fake, K8S_LIST, "things");
}

/* It was deleted while the answer was on its way, as pods are when their finalizer is taken off. */
TEST(a_live_answer_to_what_has_left_since_is_no_reason_to_list)
{
    static const int64_t later[] = {0, 100, 29000};

    for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
        set_up();
        add("x", 1);
        start(&kind, NULL);
        fake_run(fake, 40000);
        CLEANUP(json_decref) json_t *late = json_incref((json_t *) (uintptr_t) change("x", 2));
        if (i == 0)
            k8s_informer_observe_gone(informer, "a", "x", json_text_at(late, "metadata.uid"));
        drop("x");
        fake_run(fake, 100 + later[i]);
        k8s_informer_observe(informer, late);
        fake_run(fake, 1000);
        CHECK_INT(n_lists(), 1);
        fake_run(fake, 31000); /* no answer is on its way for so long: it is there again */
        k8s_informer_observe(informer, late);
        fake_run(fake, 1000);
        CHECK_INT(n_lists(), 2);
        tear_down();
    }
}

TEST(what_is_not_ours_is_no_reason_to_list)
{
    set_up();
    add("x", 1);
    fake_patch(fake, &things, "a", "x", "{\"metadata\":{\"labels\":{\"l\":\"2\"}}}");
    start(&labelled, NULL);
    fake_run(fake, 40000);
    k8s_informer_observe(informer, fake_get(fake, &things, "a", "x"));
    fake_run(fake, 1000);
    CHECK_INT(n_lists(), 1);
    tear_down();
}

/* The watch is about to tell of it: nothing is asked for. */
TEST(a_young_copy_that_is_refused_is_not_read)
{
    set_up();
    add("x", 1);
    start(&kind, NULL);
    fake_run(fake, 29000);
    uint64_t before = fake_count_requests(fake, K8S_GET, "things");
    change("x", 2);
    fake_run(fake, 100);
    k8s_informer_refused(informer, "a/x");
    fake_run(fake, 1000);
    CHECK_INT(fake_count_requests(fake, K8S_GET, "things"), before);
    tear_down();
}

/* Whatever goes wrong, the copy ends up as the server is, and was told so. */
TEST(chaos)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

    set_up();
    start(&kind, NULL);
    for (int i = 0; i < FAKE_N_FAULTS; i++)
        fake_set_rate(fake, (enum fake_fault) i, 30);
    for (int i = 0; i < 3000; i++) {
        const char *name = names[rng_below(&rng, 8)];
        const json_t *there = fake_get(fake, &things, "a", name);
        CLEANUP(free) char *uid = xstrdup(json_text_at(there, "metadata.uid"));
        int what = (int) rng_below(&rng, 12);

        if (!there)
            there = add(name, i);
        else if (what < 7)
            there = change(name, i);
        else
            drop(name);
        if (what < 2)
            k8s_informer_observe(informer, there);
        else if (what == 7 && uid)
            k8s_informer_observe_gone(informer, "a", name, uid);
        else if (what == 10 && rng_below(&rng, 5) == 0)
            fake_end_watches(fake, rng_below(&rng, 2));
        else if (what == 11 && rng_below(&rng, 10) == 0)
            fake_expire_history(fake);
        fake_run(fake, rng_between(&rng, 0, 30));
    }
    for (int i = 0; i < FAKE_N_FAULTS; i++)
        fake_set_rate(fake, (enum fake_fault) i, 0);
    fake_run(fake, 600000);
    check_copy();
    tear_down();
}
