/* SPDX-License-Identifier: Apache-2.0 */
#include "model/styxjson.h"

#include "model/field.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define SECONDS_MAX 315576000000.0 /* 10,000 years */

/* ---- scalars ---- */

/* NULL: it is no text, or a NUL character would cut it. */
static const char *plain_text(const json_t *value)
{
    const char *text = json_string_value(value);

    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

/* A text, number or boolean as text; NULL if it is none of them.  The caller frees. */
static char *scalar_text(const json_t *value)
{
    if (json_is_string(value))
        return xstrdup(plain_text(value));
    return json_is_number(value) || json_is_boolean(value) ? json_print(value) : NULL;
}

static bool bad(const char *path, const char *what, struct error *err)
{
    return error_set(err, ERROR_INVALID, "%s: must be %s", path, what);
}

bool styx_read_text(const json_t *body, const char *path, char **ret, struct error *err)
{
    const json_t *value = json_at(body, path);

    if (!value)
        return true;
    char *text = scalar_text(value);
    if (!text)
        return bad(path, "a text without NUL characters", err);
    free(*ret);
    *ret = text;
    return true;
}

bool styx_is_given(const json_t *body, const char *path)
{
    const json_t *value = json_at(body, path);

    return value && !(json_is_string(value) && json_string_length(value) == 0);
}

static bool integer_of_text(const char *text, int64_t *ret)
{
    char *end;

    errno = 0;
    int64_t n = strtoll(text, &end, 10);
    if (errno || end == text || end[strspn(end, " \t\r\n")] != '\0')
        return false;
    *ret = n;
    return true;
}

static bool integer_of(const json_t *value, int64_t *ret)
{
    if (json_is_string(value))
        return plain_text(value) && integer_of_text(plain_text(value), ret);
    if (json_is_real(value)) {
        double real = json_real_value(value);

        if (real <= -0x1p63 || real >= 0x1p63)
            return false;
        *ret = (int64_t) real;
        return true;
    }
    *ret = json_integer_value(value);
    return json_is_integer(value);
}

bool styx_read_int(const json_t *body, const char *path, int64_t low, int64_t high, int64_t *ret,
                   struct error *err)
{
    const json_t *value = json_at(body, path);
    int64_t n = 0;

    if (!styx_is_given(body, path))
        return true;
    if (!integer_of(value, &n))
        return bad(path, "an integer", err);
    if (n < low || n > high)
        return error_set(err, ERROR_INVALID,
                         "%s: %" PRId64 " is not within %" PRId64 " and %" PRId64, path, n, low,
                         high);
    *ret = n;
    return true;
}

bool styx_read_bool(const json_t *body, const char *path, bool *ret, struct error *err)
{
    const json_t *value = json_at(body, path);
    const char *text = plain_text(value);

    if (!styx_is_given(body, path))
        return true;
    if (json_is_boolean(value))
        *ret = json_is_true(value);
    else if (json_is_integer(value))
        *ret = json_integer_value(value) != 0;
    else if (text && strcasecmp(text, "true") == 0)
        *ret = true;
    else if (text && strcasecmp(text, "false") == 0)
        *ret = false;
    else
        return bad(path, "true or false", err);
    return true;
}

/* ---- lists and maps ---- */

static bool add_text(struct texts *t, const json_t *value)
{
    if (json_is_null(value))
        return true;
    char *text = scalar_text(value);
    if (text)
        texts_add_take(t, text);
    return text != NULL;
}

bool styx_read_texts(const json_t *body, const char *path, struct texts *ret, struct error *err)
{
    const json_t *value = json_at(body, path), *item;
    struct texts read = {0};
    bool good = true;
    size_t i;

    if (!value)
        return true;
    if (json_is_array(value)) {
        json_array_foreach (value, i, item)
            good = good && add_text(&read, item);
    } else {
        good = add_text(&read, value);
    }
    if (!good) {
        texts_done(&read);
        return bad(path, "a list of texts", err);
    }
    texts_done(ret);
    *ret = read;
    return true;
}

/* Keys of an object are different, so variables are appended without a search: a body may have
 * hundreds of thousands of them, and is told so by the rules afterwards. */
static bool add_variable(struct env *env, const char *name, const json_t *value)
{
    if (json_is_null(value))
        return true;
    char *text = scalar_text(value);
    if (!text)
        return false;
    env_append_take(env, name, text);
    return true;
}

bool styx_read_env(const json_t *body, const char *path, struct env *ret, struct error *err)
{
    json_t *map = json_at(body, path), *value;
    struct env read = {0};
    const char *name;

    if (!map)
        return true;
    if (!json_is_object(map))
        return bad(path, "an object", err);
    json_object_foreach (map, name, value) {
        if (!add_variable(&read, name, value)) {
            env_done(&read);
            return error_set(err, ERROR_INVALID, "%s.%s: must be a text", path, name);
        }
    }
    env_done(ret);
    *ret = read;
    return true;
}

/* ---- times ---- */

static bool millis_of(const json_t *value, double max_seconds, int64_t *ret)
{
    double seconds = json_number_value(value);

    if (seconds < -max_seconds || seconds > max_seconds)
        return false;
    if (json_is_integer(value))
        *ret = json_integer_value(value) * SECOND_MS;
    else
        *ret = (int64_t) (seconds * 1000.0 + (seconds < 0 ? -0.5 : 0.5));
    return true;
}

static bool parse_instant(const json_t *value, instant *ret, struct error *err)
{
    int64_t t;

    if (plain_text(value))
        return instant_parse(plain_text(value), ret, err);
    if (!json_is_number(value) || !millis_of(value, SECONDS_MAX, &t) || t < INSTANT_MIN ||
        t > INSTANT_MAX)
        return error_set(err, ERROR_INVALID, "must be an instant such as 2026-01-01T00:00:00Z");
    *ret = t;
    return true;
}

bool styx_read_instant(const json_t *body, const char *path, instant *ret, struct error *err)
{
    const json_t *value = json_at(body, path);

    if (!styx_is_given(body, path))
        return true;
    return parse_instant(value, ret, err) || error_prefix(err, "%s", path);
}

static bool parse_duration(const json_t *value, int64_t *ret_ms, struct error *err)
{
    if (plain_text(value))
        return duration_parse(plain_text(value), ret_ms, err);
    if (!json_is_number(value) || !millis_of(value, SECONDS_MAX, ret_ms))
        return error_set(err, ERROR_INVALID, "must be a duration such as PT2H, or seconds");
    return true;
}

bool styx_read_duration(const json_t *body, const char *path, int64_t *ret_ms, struct error *err)
{
    const json_t *value = json_at(body, path);

    if (!styx_is_given(body, path))
        return true;
    return parse_duration(value, ret_ms, err) || error_prefix(err, "%s", path);
}

/* ---- a workflow ---- */

static bool read_timeout(const json_t *body, char **ret, struct error *err)
{
    char text[DURATION_TEXT_MAX];
    struct error ignored;
    int64_t ms = INT64_MIN;

    if (!styx_read_duration(body, "running_timeout", &ms, &ignored))
        return styx_read_text(body, "running_timeout", ret, err);
    if (ms != INT64_MIN)
        *ret = xstrdup(duration_print(ms, text));
    return true;
}

/* Duplicates collapse.  An object serves as the set, since a body may name very many. */
static bool read_resources(const json_t *body, struct texts *ret, struct error *err)
{
    CLEANUP(json_decref) json_t *seen = json_object();
    struct texts all = {0};

    if (!styx_read_texts(body, "resources", &all, err))
        return false;
    for (size_t i = 0; i < all.n; i++) {
        if (!json_object_get(seen, all.items[i]))
            texts_add(ret, all.items[i]);
        json_set_bool(seen, all.items[i], true);
    }
    texts_done(&all);
    return true;
}

static bool read_args(const json_t *body, struct template *t, struct error *err)
{
    if (!styx_read_texts(body, "docker_args", &t->args, err))
        return false;
    t->empty_args = json_at(body, "docker_args") && t->args.n == 0;
    return true;
}

static bool read_deployment_source(const json_t *body, struct workflow *wf, struct error *err)
{
    json_t *source = NULL;

    if (!json_read_object(body, "deployment_source", &source, err) ||
        !styx_read_text(source, "source", &wf->deployment_source, err) ||
        !styx_read_text(source, "repository", &wf->deployment_repository, err))
        return false;
    if (source && !wf->deployment_source)
        return error_set(err, ERROR_INVALID, "deployment_source.source: missing");
    return true;
}

static bool read_configuration(const json_t *body, struct workflow *wf, struct error *err)
{
    struct template *t = &wf->template;

    return styx_read_text(body, "id", &wf->workflow_id, err) &&
           styx_read_text(body, "schedule", &wf->schedule, err) &&
           styx_read_text(body, "offset", &wf->offset, err) &&
           styx_read_text(body, "commit_sha", &wf->commit_sha, err) &&
           styx_read_text(body, "docker_image", &t->image, err) && read_args(body, t, err) &&
           styx_read_bool(body, "docker_termination_logging", &t->termination_logging, err) &&
           styx_read_text(body, "service_account", &t->gcp_service_account, err) &&
           read_resources(body, &wf->limits, err) && styx_read_env(body, "env", &t->env, err) &&
           read_timeout(body, &t->running_timeout, err) &&
           styx_read_text(body, "retry_condition", &wf->retry_condition, err) &&
           field_object(body, "flyte_exec_conf", &wf->flyte, err) &&
           read_deployment_source(body, wf, err) &&
           styx_read_instant(body, "deployment_time", &wf->deployment_time, err);
}

static bool read_workflow(const json_t *body, struct workflow *wf, struct error *err)
{
    if (!json_is_object(body))
        return error_set(err, ERROR_INVALID, "must be an object");
    if (!read_configuration(body, wf, err))
        return false;
    if (!wf->workflow_id)
        return error_set(err, ERROR_INVALID, "id: missing");
    if (!wf->schedule)
        return error_set(err, ERROR_INVALID, "schedule: missing");
    return true;
}

bool styx_workflow_decode(const json_t *body, const char *component, struct workflow **ret_workflow,
                          struct error *err)
{
    CLEANUP(workflow_free) struct workflow *wf = workflow_new();

    wf->component_id = xstrdup(component);
    if (!read_workflow(body, wf, err))
        return error_set(err, ERROR_INVALID, "Invalid payload. %s", err->text);
    *ret_workflow = TAKE(wf);
    return true;
}
