/* SPDX-License-Identifier: Apache-2.0 */
#include "model/validate.h"

#include "base/buf.h"
#include "base/rng.h"
#include "test.h"

static const struct validate_limits limits = {.max_running_timeout_ms = 48 * HOUR_MS};

/* A workflow without mistakes, to break in one place. */
static struct workflow *valid(void)
{
    struct workflow *wf = workflow_new();

    wf->component_id = xstrdup("billing");
    wf->workflow_id = xstrdup("daily-report");
    wf->schedule = xstrdup("daily");
    wf->template.image = xstrdup("busybox:1.36");
    return wf;
}

static void set(char **member, const char *text)
{
    free(*member);
    *member = xstrdup(text);
}

/* A text of n characters; the caller frees. */
static char *text_of(size_t n)
{
    char *text = xcalloc(n + 1, 1);

    memset(text, 'a', n);
    return text;
}

static void set_length(char **member, size_t n)
{
    free(*member);
    *member = text_of(n);
}

/* Takes wf.  `want` is all errors, "[]" for none. */
static void check_errors(int line, struct workflow *wf, const char *want)
{
    struct texts errors = {0};

    workflow_validate(wf, &limits, &errors);
    CLEANUP(free) char *got = validate_join(&errors);
    texts_done(&errors);
    workflow_free(wf);
    CHECK_STR_AT(line, got, want);
}

#define VALIDATE(wf, want) check_errors(__LINE__, wf, want)

TEST(a_plain_workflow_is_valid)
{
    VALIDATE(valid(), "[]");
}

/* ---- texts of fixed limits ---- */

enum field { COMPONENT, ID, NAME, COMMIT, SERVICE_ACCOUNT, CONDITION, LIMIT };

static char **member_of(struct workflow *wf, enum field field)
{
    switch (field) {
    case COMPONENT:
        return &wf->component_id;
    case ID:
        return &wf->workflow_id;
    case NAME:
        return &wf->id.name;
    case COMMIT:
        return &wf->commit_sha;
    case SERVICE_ACCOUNT:
        return &wf->template.gcp_service_account;
    case CONDITION:
        return &wf->retry_condition;
    case LIMIT:
        texts_add(&wf->limits, "");
        return &wf->limits.items[0];
    }
    abort();
}

#define LENGTH(field, n, want) check_length(__LINE__, field, n, want)

static void check_length(int line, enum field field, size_t n, const char *want)
{
    struct workflow *wf = valid();

    set_length(member_of(wf, field), n);
    check_errors(line, wf, want);
}

/* STYX-CFG-02 */
TEST(lengths_have_limits)
{
    LENGTH(COMPONENT, 5000, "[]");
    LENGTH(ID, 256, "[]");
    LENGTH(ID, 257, "[id too long: 257, limit = 256]");
    LENGTH(NAME, 232, "[]");
    LENGTH(NAME, 233, "[object name too long: 233, limit = 232]");
    LENGTH(COMMIT, 0, "[]");
    LENGTH(COMMIT, 256, "[]");
    LENGTH(COMMIT, 257, "[commitSha too long: 257, limit = 256]");
    LENGTH(CONDITION, 256, "[]");
    LENGTH(CONDITION, 257, "[retry condition too long: 257, limit = 256]");
    LENGTH(LIMIT, 256, "[]");
    LENGTH(LIMIT, 257, "[resource name too long: 257, limit = 256]");
}

/* STYX-CFG-02 */
TEST(service_account_length_has_a_limit)
{
    for (size_t n = 256; n <= 257; n++) {
        struct workflow *wf = valid();
        CLEANUP(free) char *name = text_of(n - strlen("@p.com"));

        free(wf->template.gcp_service_account);
        wf->template.gcp_service_account = xasprintf("%s@p.com", name);
        VALIDATE(wf, n == 256 ? "[]" : "[service account too long: 257, limit = 256]");
    }
}

/* As the CRD does, so that one and the same object is not judged twice differently. */
TEST(lengths_count_characters_not_bytes)
{
    struct workflow *wf = valid();
    struct buf b = BUF_INIT;

    for (int i = 0; i < 256; i++)
        buf_adds(&b, "\xe2\x9b\xb5");
    wf->commit_sha = xstrdup(buf_text(&b));
    VALIDATE(wf, "[]");
    wf = valid();
    buf_adds(&b, "\xe2\x9b\xb5");
    wf->commit_sha = buf_take(&b);
    VALIDATE(wf, "[commitSha too long: 257, limit = 256]");
}

/* STYX-CFG-02 */
TEST(the_pair_is_checked)
{
    struct workflow *wf = valid();

    set(&wf->component_id, "");
    VALIDATE(wf, "[component id cannot be empty]");
    wf = valid();
    set(&wf->component_id, "a#b");
    VALIDATE(wf, "[component id cannot contain #]");
    wf = valid();
    set(&wf->workflow_id, "");
    VALIDATE(wf, "[workflow id cannot be empty]");
    wf = valid();
    set(&wf->workflow_id, "a#b/c");
    VALIDATE(wf, "[]");
}

TEST(the_effective_pair_is_checked)
{
    struct workflow *wf = valid();

    set(&wf->component_id, NULL);
    set(&wf->workflow_id, NULL);
    VALIDATE(wf, "[component id cannot be empty, workflow id cannot be empty]");
    wf = valid();
    set(&wf->component_id, NULL);
    set(&wf->workflow_id, NULL);
    set(&wf->id.ns, "n");
    set(&wf->id.name, "a");
    VALIDATE(wf, "[]");
}

/* ---- lists ---- */

/* STYX-CFG-02 */
TEST(resources_are_at_most_five)
{
    for (size_t n = 5; n <= 6; n++) {
        struct workflow *wf = valid();

        for (size_t i = 0; i < n; i++)
            texts_add(&wf->limits, "r");
        VALIDATE(wf, n == 5 ? "[]" : "[too many resources: 6, limit = 5]");
    }
}

static struct workflow *with_vars(size_t n, size_t total)
{
    struct workflow *wf = valid();
    char name[32];

    for (size_t i = 0; i < n; i++) {
        size_t share = total / n + (i < total % n);
        CLEANUP(free) char *value = text_of(share - 4);

        snprintf(name, sizeof(name), "V%03zu", i);
        env_set(&wf->template.env, name, value);
    }
    return wf;
}

/* STYX-CFG-02 */
TEST(env_has_limits)
{
    VALIDATE(with_vars(128, 1024), "[]");
    VALIDATE(with_vars(129, 1032), "[too many env vars: 129, limit = 128]");
    VALIDATE(with_vars(1, 16384), "[]");
    VALIDATE(with_vars(1, 16385), "[env too big: 16385, limit = 16384]");
    VALIDATE(with_vars(128, 16384), "[]");
    VALIDATE(with_vars(128, 16385), "[env too big: 16385, limit = 16384]");
    VALIDATE(with_vars(200, 20000),
             "[too many env vars: 200, limit = 128, env too big: 20000, limit = 16384]");
}

#define ENV_NAME(name, ok) check_env_name(__LINE__, name, ok)

static void check_env_name(int line, const char *name, bool ok)
{
    struct workflow *wf = valid();
    CLEANUP(free) char *want = xasprintf(ok ? "[]" : "[invalid env var name: %s]", name);

    env_set(&wf->template.env, name, "x");
    check_errors(line, wf, want);
}

TEST(env_names_are_checked)
{
    ENV_NAME("A", true);
    ENV_NAME("_", true);
    ENV_NAME("a.b-C_9", true);
    ENV_NAME("-x", true);
    ENV_NAME(".x", true);
    ENV_NAME("STYX_WORKFLOW_ID", true);
    ENV_NAME("", false);
    ENV_NAME("9A", false);
    ENV_NAME("A B", false);
    ENV_NAME("A=B", false);
    ENV_NAME("\xc3\x84", false);
    ENV_NAME("A\n", false);
}

#define TRIGGER_ENV(n, total, want) check_trigger_env(__LINE__, n, total, want)

static void check_trigger_env(int line, size_t n, size_t total, const char *want)
{
    CLEANUP(workflow_free) struct workflow *wf = with_vars(n, total);
    struct error err = {0};

    CHECK_AT(line, validate_trigger_env(&wf->template.env, &err) == !want);
    CHECK_STR_AT(line, err.text, want ? want : "");
}

TEST(trigger_env_has_limits)
{
    struct env env = {0};
    struct error err;

    TRIGGER_ENV(0, 0, NULL);
    TRIGGER_ENV(1, 8192, NULL);
    TRIGGER_ENV(1, 8193, "env too big: 8193, limit = 8192");
    TRIGGER_ENV(128, 1024, NULL);
    TRIGGER_ENV(129, 1032, "too many env vars: 129, limit = 128");
    env_set(&env, "A B", "x");
    CHECK_ERROR(validate_trigger_env(&env, &err), &err, ERROR_INVALID);
    CHECK_STR(err.text, "invalid env var name: A B");
    env_done(&env);
}

static struct workflow *with_args(size_t n, size_t total)
{
    struct workflow *wf = valid();

    for (size_t i = 0; i < n; i++) {
        CLEANUP(free) char *arg = text_of(total / n + (i < total % n));

        texts_add(&wf->template.args, arg);
    }
    return wf;
}

/* STYX-CFG-02 */
TEST(args_have_limits)
{
    VALIDATE(with_args(2, 98302), "[]");
    VALIDATE(with_args(2, 98303), "[docker args is too large: 98305, limit = 98304]");
    VALIDATE(with_args(1, 98303), "[]");
    VALIDATE(with_args(1, 98304), "[docker args is too large: 98305, limit = 98304]");
    VALIDATE(with_args(98304, 0), "[]");
    VALIDATE(with_args(98305, 0), "[docker args is too large: 98305, limit = 98304]");
    VALIDATE(with_args(10, 999990), "[docker args is too large: 1000000, limit = 98304]");
    VALIDATE(with_args(10, 999991), "[docker args is too large: 1000001, limit = 1000000]");
}

/* ---- texts with a grammar ---- */

#define SCHEDULE(schedule, offset, want) check_schedule(__LINE__, schedule, offset, want)

static void check_schedule(int line, const char *schedule, const char *offset, const char *want)
{
    struct workflow *wf = valid();

    set(&wf->schedule, schedule);
    set(&wf->offset, offset);
    check_errors(line, wf, want);
}

/* STYX-CFG-02 */
TEST(schedules_are_checked)
{
    SCHEDULE("@hourly", NULL, "[]");
    SCHEDULE("*/5 * * * MON", "-PT30M", "[]");
    SCHEDULE("0 0 30 2 *", NULL, "[]"); /* valid, though it never comes (6.2) */
    SCHEDULE("midnight", NULL, "[invalid schedule]");
    SCHEDULE("* * * *", NULL, "[invalid schedule]");
    SCHEDULE("", NULL, "[invalid schedule]");
    SCHEDULE(NULL, NULL, "[invalid schedule]");
}

/* STYX-CFG-02 */
TEST(offsets_are_checked)
{
    struct offset offset;
    struct error err;
    struct texts errors = {0};
    CLEANUP(workflow_free) struct workflow *wf = valid();

    SCHEDULE("daily", "P1DT2H", "[]");
    set(&wf->offset, "1D");
    workflow_validate(wf, &limits, &errors);
    CHECK_ERROR(offset_parse("1D", &offset, &err), &err, ERROR_INVALID);
    CLEANUP(free) char *want = xasprintf("invalid offset: %s", err.text);
    CHECK_INT(errors.n, 1);
    CHECK_STR(errors.items[0], want);
    texts_done(&errors);
}

#define TIMEOUT(text, want) check_timeout(__LINE__, text, want)

static void check_timeout(int line, const char *text, const char *want)
{
    struct workflow *wf = valid();

    set(&wf->template.running_timeout, text);
    check_errors(line, wf, want);
}

/* STYX-CFG-02 */
TEST(running_timeout_has_limits)
{
    TIMEOUT("PT1M", "[]");
    TIMEOUT("PT59S", "[running timeout is too small: PT59S, limit = PT1M]");
    TIMEOUT("PT59.999S", "[running timeout is too small: PT59.999S, limit = PT1M]");
    TIMEOUT("PT0S", "[running timeout is too small: PT0S, limit = PT1M]");
    TIMEOUT("-PT2H", "[running timeout is too small: PT-2H, limit = PT1M]");
    TIMEOUT("PT48H", "[]");
    TIMEOUT("P2D", "[]");
    TIMEOUT("PT48H0.001S", "[running timeout is too big: PT48H0.001S, limit = PT48H]");
    TIMEOUT("P3D", "[running timeout is too big: PT72H, limit = PT48H]");
}

TEST(running_timeout_says_what_to_write)
{
#define WRITE "[running timeout must be an ISO-8601 duration: write "
#define SUCH  "[running timeout must be an ISO-8601 duration such as PT2H (two hours) or PT90M: "
    TIMEOUT("2h", WRITE "PT2H for 2h]");
    TIMEOUT("1h30m", WRITE "PT1H30M for 1h30m]");
    TIMEOUT("2d", WRITE "P2D for 2d]");
    TIMEOUT("t2h", WRITE "PT2H for t2h]");
    TIMEOUT("two hours", SUCH "two hours]");
    TIMEOUT("7200", SUCH "7200]");
    TIMEOUT("P1M", SUCH "P1M]");
    TIMEOUT("", SUCH "]");
}

TEST(without_a_maximum_any_timeout_will_do)
{
    CLEANUP(workflow_free) struct workflow *wf = valid();
    struct texts errors = {0};

    set(&wf->template.running_timeout, "P300D");
    workflow_validate(wf, &(struct validate_limits) {0}, &errors);
    CHECK_INT(errors.n, 0);
}

#define ACCOUNT(text, ok) check_account(__LINE__, text, ok)

static void check_account(int line, const char *text, bool ok)
{
    struct workflow *wf = valid();
    CLEANUP(free) char *want =
        xasprintf(ok ? "[]" : "[service account is not a valid email address: %s]", text);

    set(&wf->template.gcp_service_account, text);
    check_errors(line, wf, want);
}

/* STYX-CFG-04 */
TEST(service_accounts_look_like_mail_addresses)
{
    ACCOUNT("a@my-proj.iam.gserviceaccount.com", true);
    ACCOUNT("A_b-c+d.e_f-g.h@X9-.y.Zz", true);
    ACCOUNT("a@-.aa", true);
    ACCOUNT("a@b.c.de", true);
    ACCOUNT("9@9.9.aa", true);
    ACCOUNT("a@x.my-proj.com", false); /* '-' only in the first label */
    ACCOUNT("a.b+c@p.com", false);     /* '+' only before the first dot */
    ACCOUNT("a@p", false);
    ACCOUNT("a@p.c", false);
    ACCOUNT("a@p.c0", false);
    ACCOUNT("a@p.com.9a", false);
    ACCOUNT("a@p..com", false);
    ACCOUNT("a@.com", false);
    ACCOUNT("a@p.com.", false);
    ACCOUNT("@p.com", false);
    ACCOUNT(".a@p.com", false);
    ACCOUNT("a.@p.com", false);
    ACCOUNT("a..b@p.com", false);
    ACCOUNT("a@b@p.com", false);
    ACCOUNT("a", false);
    ACCOUNT("", false);
    ACCOUNT("a@p.com ", false);
    ACCOUNT("a@p.com\n", false);
    ACCOUNT(" a@p.com", false);
    ACCOUNT("a@p\xc3\xa4.com", false);
}

/* STYX-CFG-02; the rules of images have their own tests, STYX-CFG-03 */
TEST(images_are_checked)
{
    struct workflow *wf = valid();

    set(&wf->template.image, NULL);
    VALIDATE(wf, "[]");
    wf = valid();
    set(&wf->template.image, "busybox:");
    VALIDATE(wf, "[invalid image: Tag cannot be empty]");
}

#define FLYTE(conf, want) check_flyte(__LINE__, conf, want)

static void check_flyte(int line, const char *conf, const char *want)
{
    struct workflow *wf = valid();

    set(&wf->template.image, NULL);
    set(&wf->flyte, conf);
    check_errors(line, wf, want);
}

#define LAUNCH_PLAN "\"resource_type\":\"LAUNCH_PLAN\""

/* STYX-FLY-01 */
TEST(flyte_references_are_checked)
{
    FLYTE("{\"reference_id\":{" LAUNCH_PLAN ",\"project\":\"p\",\"domain\":\"d\",\"name\":\"n\","
          "\"version\":\"v\"}}",
          "[]");
    FLYTE(
        "{\"reference_id\":{\"resource_type\":\"TASK\",\"project\":\"p\",\"domain\":\"d\","
        "\"name\":\"n\",\"version\":\"v\"}}",
        "[only launch plans (\"LAUNCH_PLAN\") are supported as resource type, but received: TASK]");
    FLYTE("{\"reference_id\":{" LAUNCH_PLAN ",\"project\":\"\",\"domain\":5}}",
          "[domain cannot be empty, project cannot be empty, name cannot be empty,"
          " version cannot be empty]");
    FLYTE("{}",
          "[only launch plans (\"LAUNCH_PLAN\") are supported as resource type, but received: null,"
          " domain cannot be empty, project cannot be empty, name cannot be empty,"
          " version cannot be empty]");
}

/* STYX-CFG-06 */
TEST(flyte_and_container_exclude_each_other)
{
#define WHOLE                                                                                      \
    "{\"reference_id\":{" LAUNCH_PLAN ",\"project\":\"p\",\"domain\":\"d\",\"name\":\"n\","        \
    "\"version\":\"v\"}}"
    struct workflow *wf = valid();

    set(&wf->flyte, WHOLE);
    VALIDATE(wf, "[configuration cannot specify both docker and flyte parameters]");
    wf = valid();
    set(&wf->template.image, NULL);
    set(&wf->flyte, WHOLE);
    texts_add(&wf->template.args, "x");
    VALIDATE(wf, "[configuration cannot specify both docker and flyte parameters]");
}

/* STYX-CFG-02 */
TEST(all_errors_are_collected)
{
    struct workflow *wf = valid();

    set(&wf->component_id, "#");
    set(&wf->schedule, "x");
    set(&wf->template.running_timeout, "PT1S");
    set(&wf->template.gcp_service_account, "x");
    VALIDATE(wf, "[component id cannot contain #, invalid schedule,"
                 " running timeout is too small: PT1S, limit = PT1M,"
                 " service account is not a valid email address: x]");
}

static void check_refused(int line, const struct workflow *wf,
                          void (*ask)(const struct workflow *, struct texts *), const char *want)
{
    struct texts errors = {0};

    ask(wf, &errors);
    CLEANUP(free) char *got = validate_join(&errors);
    texts_done(&errors);
    CHECK_STR_AT(line, got, want);
}

#define NOT_YET(wf, ask, want) check_refused(__LINE__, wf, ask, want)

/* STYX-FLY-01: each user is told the name that the user wrote. */
TEST(what_is_not_there_yet_is_refused)
{
    CLEANUP(workflow_free) struct workflow *wf = valid();

    NOT_YET(wf, workflow_not_supported, "[]");
    NOT_YET(wf, workflow_not_supported_by_api, "[]");
    set(&wf->template.gcp_service_account, "etl@proj.iam.gserviceaccount.com");
    texts_add(&wf->limits, "r");
    set(&wf->retry_condition, "#tries < 3");
    set(&wf->flyte, "{}");
    wf->keep_failed++;
    NOT_YET(wf, workflow_not_supported,
            "[gcpServiceAccount: not supported yet, limits: not supported yet,"
            " retryCondition: not supported yet,"
            " flyteExecConf: not supported yet, historyLimit: not supported yet]");
    NOT_YET(wf, workflow_not_supported_by_api,
            "[service_account: not supported yet, resources: not supported yet,"
            " retry_condition: not supported yet,"
            " flyte_exec_conf: not supported yet, historyLimit: not supported yet]");
}

/* ---- names ---- */

#define INSTANCE(workflow, parameter, want) check_instance(__LINE__, workflow, parameter, want)

static void check_instance(int line, const char *workflow, const char *parameter, const char *want)
{
    CLEANUP(free) char *got = instance_name(workflow, parameter);

    CHECK_STR_AT(line, got, want);
}

TEST(instances_are_named_after_workflow_and_parameter)
{
    INSTANCE("daily-report", "2026-01-01", "daily-report.2026-01-01");
    INSTANCE("a.b", "2026-01-01T05", "a.b.2026-01-01t05");
    INSTANCE("c", "2026-01-01T05:30:00Z", "c.2026-01-01t05-30-00z");
}

#define OBJECT(component, id, want) check_object(__LINE__, component, id, want)

static void check_object(int line, const char *component, const char *id, const char *want)
{
    CLEANUP(free) char *got = workflow_object_name(component, id);

    CHECK_STR_AT(line, got, want);
}

TEST(objects_are_named_after_the_pair_where_it_is_a_name)
{
    OBJECT("billing", "daily-report", "billing.daily-report");
    OBJECT("billing", "a.b", "billing.a.b");
    OBJECT("0", "1", "0.1");
}

TEST(other_pairs_get_a_slug_and_a_hash)
{
    OBJECT("billing", "Daily_Report", "billing-daily-report-a42a86cfee9a179d98a5");
    OBJECT("a.b", "c", "a-b-c-fccd3fe9acecf393bd84");
    OBJECT("", "", "334359b90efed75da5f0");
}

static bool is_valid_name(const char *name)
{
    size_t len = strlen(name);
    const char *ends = "abcdefghijklmnopqrstuvwxyz0123456789";

    return len >= 1 && len <= LIMIT_OBJECT_NAME &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len && strchr(ends, name[0]) &&
           strchr(ends, name[len - 1]) && !strstr(name, "..") && !strstr(name, ".-") &&
           !strstr(name, "-.");
}

/* Small texts of few characters, so that pairs that are nearly the same are met. */
static void random_text(struct rng *rng, char *text, size_t max)
{
    static const char characters[] = "aab.-_A/ \xc3";
    size_t n = rng_below(rng, max);

    for (size_t i = 0; i < n; i++)
        text[i] = characters[rng_below(rng, sizeof(characters) - 1)];
    text[n] = '\0';
}

TEST(different_pairs_have_different_valid_names)
{
    struct rng rng;
    char texts[4][300];

    rng_init(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        size_t max = i % 100 == 0 ? 300 : 5;

        for (size_t k = 0; k < 4; k++)
            random_text(&rng, texts[k], max);
        CLEANUP(free) char *one = workflow_object_name(texts[0], texts[1]);
        CLEANUP(free) char *other = workflow_object_name(texts[2], texts[3]);
        bool same = strcmp(texts[0], texts[2]) == 0 && strcmp(texts[1], texts[3]) == 0;

        if (!is_valid_name(one))
            TEST_FAIL("%s and %s make %s", texts[0], texts[1], one);
        CHECK_INT(strcmp(one, other) == 0, same);
    }
}
