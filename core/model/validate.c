/* SPDX-License-Identifier: Apache-2.0 */
#include "model/validate.h"

#include "base/buf.h"
#include "model/image.h"

#include <ctype.h>
#include <string.h>

static void add(struct texts *errors, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct texts *errors, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    texts_add_take(errors, xvasprintf(format, args));
    va_end(args);
}

static size_t count_characters(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char) *text & 0xC0) != 0x80;
    return n;
}

static void check_at_most(struct texts *errors, const char *message, size_t value, size_t limit)
{
    if (value > limit)
        add(errors, "%s: %zu, limit = %zu", message, value, limit);
}

static void check_length(struct texts *errors, const char *message, const char *text, size_t limit)
{
    if (text)
        check_at_most(errors, message, count_characters(text), limit);
}

/* ---- identity ---- */

static void check_identity(const struct workflow *wf, struct texts *errors)
{
    const char *component = workflow_component(wf), *id = workflow_id(wf);

    if (!*component)
        add(errors, "component id cannot be empty");
    if (strchr(component, '#'))
        add(errors, "component id cannot contain #");
    if (!*id)
        add(errors, "workflow id cannot be empty");
    check_length(errors, "id too long", id, LIMIT_TEXT);
    check_length(errors, "object name too long", wf->id.name, LIMIT_OBJECT_NAME);
}

/* ---- environment ---- */

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

/* Styx takes every name, and then each try of such a workflow fails at Kubernetes (5.2). */
static bool is_env_name(const char *name)
{
    return strspn(name, LETTERS "_.-") > 0 && name[strspn(name, LETTERS "_.-" DIGITS)] == '\0';
}

static void check_env(const struct env *env, size_t limit, struct texts *errors)
{
    size_t size = 0;

    check_at_most(errors, "too many env vars", env->n, LIMIT_ENV_VARS);
    for (size_t i = 0; i < env->n; i++)
        size += count_characters(env->vars[i].name) + count_characters(env->vars[i].value);
    check_at_most(errors, "env too big", size, limit);
    if (env->n > LIMIT_ENV_VARS || size > limit)
        return; /* there is no end to what could be said of each */
    for (size_t i = 0; i < env->n; i++)
        if (!is_env_name(env->vars[i].name))
            add(errors, "invalid env var name: %s", env->vars[i].name);
}

bool validate_trigger_env(const struct env *env, struct error *err)
{
    struct texts errors = {0};

    check_env(env, LIMIT_TRIGGER_ENV, &errors);
    bool valid = errors.n == 0;
    if (!valid)
        error_set(err, ERROR_INVALID, "%s", errors.items[0]);
    texts_done(&errors);
    return valid;
}

/* ---- when ---- */

static void check_schedule(const struct workflow *wf, struct texts *errors)
{
    struct schedule schedule;
    struct offset offset;
    struct error err;

    if (wf->offset && !offset_parse(wf->offset, &offset, &err))
        add(errors, "invalid offset: %s", err.text);
    if (!wf->schedule || !schedule_parse(wf->schedule, &schedule, &err))
        add(errors, "invalid schedule");
}

/* People write 2h; what they mean is told if it can be guessed. */
static void add_bad_timeout(const char *text, struct texts *errors)
{
    static const char *const prefixes[] = {"PT", "P"};

    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        CLEANUP(free) char *guess = xasprintf("%s%s", prefixes[i], text);
        struct error ignored;
        int64_t ms;

        if (!duration_parse(guess, &ms, &ignored))
            continue;
        for (char *c = guess; *c; c++)
            *c = (char) toupper((unsigned char) *c);
        add(errors, "running timeout must be an ISO-8601 duration: write %s for %s", guess, text);
        return;
    }
    add(errors,
        "running timeout must be an ISO-8601 duration such as PT2H (two hours) or PT90M: %s", text);
}

static void check_running_timeout(const char *text, int64_t max_ms, struct texts *errors)
{
    char value[DURATION_TEXT_MAX], limit[DURATION_TEXT_MAX];
    struct error ignored;
    int64_t ms;

    if (!text)
        return;
    if (!duration_parse(text, &ms, &ignored)) {
        add_bad_timeout(text, errors);
        return;
    }
    if (ms < LIMIT_RUNNING_TIMEOUT_MIN_MS)
        add(errors, "running timeout is too small: %s, limit = %s", duration_print(ms, value),
            duration_print(LIMIT_RUNNING_TIMEOUT_MIN_MS, limit));
    if (max_ms > 0 && ms > max_ms)
        add(errors, "running timeout is too big: %s, limit = %s", duration_print(ms, value),
            duration_print(max_ms, limit));
}

/* ---- what ---- */

/* Moves *p over characters of `set`, at least one. */
static bool take(const char **p, const char *set)
{
    size_t n = strspn(*p, set);

    *p += n;
    return n > 0;
}

/*
 * The pattern of 5.2: a name of parts between dots, of which only the first may have a '+'; '@'; a
 * label that may have '-'; labels of letters and digits; a last one of two letters or more.
 */
static bool is_service_account(const char *text)
{
    const char *p = text, *last = NULL;

    if (!take(&p, LETTERS DIGITS "_+-"))
        return false;
    while (*p == '.')
        if (p++, !take(&p, LETTERS DIGITS "_-"))
            return false;
    if (*p++ != '@' || !take(&p, LETTERS DIGITS "-"))
        return false;
    while (*p == '.') {
        last = ++p;
        if (!take(&p, LETTERS DIGITS))
            return false;
    }
    return last && *p == '\0' && p - last >= 2 && last[strspn(last, LETTERS)] == '\0';
}

static void check_service_account(const char *text, struct texts *errors)
{
    if (text && !is_service_account(text))
        add(errors, "service account is not a valid email address: %s", text);
}

/* Styx's rule counts arguments and characters; ours bytes, and says so with another limit. */
static void check_args(const struct texts *args, struct texts *errors)
{
    size_t characters = args->n, bytes = args->n;

    for (size_t i = 0; i < args->n; i++) {
        characters += count_characters(args->items[i]);
        bytes += strlen(args->items[i]);
    }
    if (characters > LIMIT_ARGS)
        check_at_most(errors, "docker args is too large", characters, LIMIT_ARGS);
    else
        check_at_most(errors, "docker args is too large", bytes, LIMIT_ARGS_BYTES);
}

static void check_image(const char *image, struct texts *errors)
{
    struct error err;

    if (image && !image_check(image, &err))
        add(errors, "invalid image: %s", err.text);
}

static void check_flyte(const struct workflow *wf, struct texts *errors)
{
    static const char *const fields[] = {"domain", "project", "name", "version"};
    CLEANUP(json_decref) json_t *conf = NULL;
    struct error ignored;

    if (!wf->flyte || !json_parse(wf->flyte, strlen(wf->flyte), &conf, &ignored))
        return;
    if (wf->template.image || wf->template.args.n)
        add(errors, "configuration cannot specify both docker and flyte parameters");
    const char *type = json_text_at(conf, "reference_id.resource_type");
    if (!type || strcmp(type, "LAUNCH_PLAN") != 0)
        add(errors,
            "only launch plans (\"LAUNCH_PLAN\") are supported as resource type, but received: %s",
            type ? type : "null");
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        const char *text = json_text_at(json_at(conf, "reference_id"), fields[i]);

        if (!text || !*text)
            add(errors, "%s cannot be empty", fields[i]);
    }
}

static void check_limits(const struct texts *limits, struct texts *errors)
{
    check_at_most(errors, "too many resources", limits->n, LIMIT_LIMITS);
    for (size_t i = 0; i < limits->n && i <= LIMIT_LIMITS; i++)
        check_length(errors, "resource name too long", limits->items[i], LIMIT_TEXT);
}

/* In the order of the specification's table. */
void workflow_validate(const struct workflow *wf, const struct validate_limits *limits,
                       struct texts *errors)
{
    const struct template *t = &wf->template;

    check_identity(wf, errors);
    check_length(errors, "commitSha too long", wf->commit_sha, LIMIT_TEXT);
    check_length(errors, "service account too long", t->gcp_service_account, LIMIT_TEXT);
    check_limits(&wf->limits, errors);
    check_env(&t->env, LIMIT_ENV, errors);
    check_length(errors, "retry condition too long", wf->retry_condition, LIMIT_TEXT);
    check_schedule(wf, errors);
    check_running_timeout(t->running_timeout, limits->max_running_timeout_ms, errors);
    check_service_account(t->gcp_service_account, errors);
    check_args(&t->args, errors);
    check_image(t->image, errors);
    check_flyte(wf, errors);
}

enum naming { AS_IN_OBJECT, AS_IN_API };

static void add_not_supported(const struct workflow *wf, enum naming naming, struct texts *errors)
{
    const struct {
        const char *names[2];
        bool used;
    } fields[] = {
        {{"gcpServiceAccount", "service_account"}, wf->template.gcp_service_account != NULL},
        {{"limits", "resources"}, wf->limits.n > 0},
        {{"retryCondition", "retry_condition"}, wf->retry_condition != NULL},
        {{"flyteExecConf", "flyte_exec_conf"}, wf->flyte != NULL},
        {{"historyLimit", "historyLimit"},
         wf->keep_successful != KEEP_SUCCESSFUL_DEFAULT || wf->keep_failed != KEEP_FAILED_DEFAULT},
    };

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (fields[i].used)
            add(errors, "%s: not supported yet", fields[i].names[naming]);
}

void workflow_not_supported(const struct workflow *wf, struct texts *errors)
{
    add_not_supported(wf, AS_IN_OBJECT, errors);
}

void workflow_not_supported_by_api(const struct workflow *wf, struct texts *errors)
{
    add_not_supported(wf, AS_IN_API, errors);
}

char *validate_join(const struct texts *errors)
{
    struct buf b = BUF_INIT;

    buf_addc(&b, '[');
    for (size_t i = 0; i < errors->n; i++) {
        buf_adds(&b, i ? ", " : "");
        buf_adds(&b, errors->items[i]);
    }
    buf_addc(&b, ']');
    return buf_take(&b);
}
