/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of definitions, which are in CEL, as functions in C. */
#include "sim/fake_schema_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* The old value is NULL when there was none.  Returns what is wrong, NULL: nothing. */
typedef char *judge_rule(const json_t *old, const json_t *self, const json_t *object);

static bool same(const json_t *a, const json_t *b, const char *key)
{
    const json_t *left = json_object_get(a, key), *right = json_object_get(b, key);

    return (!left && !right) ||
           json_equal((json_t *) (uintptr_t) left, (json_t *) (uintptr_t) right);
}

static char *is_named_after_its_partition(const json_t *old, const json_t *self,
                                          const json_t *object)
{
    const char *workflow = json_text_at(self, "spec.workflow"),
               *parameter = json_text_at(self, "spec.parameter"),
               *name = json_text_at(object, "metadata.name");
    CLEANUP(free) char *want = xasprintf("%s.%s", workflow, parameter);

    for (char *c = want + strlen(workflow); *c; c++)
        *c = (char) (*c == ':' ? '-' : tolower((unsigned char) *c));
    if (old || strcmp(name, want) == 0)
        return NULL;
    return xasprintf("metadata.name must be %s and not %s", want, name);
}

static char *has_room_in_its_name(const json_t *old, const json_t *self, const json_t *object)
{
    size_t len = strlen(json_text_at(object, "metadata.name"));

    (void) self;
    if (old || len <= 232)
        return NULL;
    return xasprintf("metadata.name has %zu characters, limit = 232 (instances append their "
                     "partition to it)",
                     len);
}

static char *keeps(const json_t *old, const json_t *self, const char *key, const char *format,
                   const char *otherwise)
{
    const char *was = json_string_value(json_object_get(old, key));

    if (same(old, self, key))
        return NULL;
    CLEANUP(free) char *text = xasprintf("%s cannot change: it is %s", key, was ? was : otherwise);
    return xasprintf("%s%s", text, format);
}

static char *keeps_workflow(const json_t *old, const json_t *self, const json_t *object)
{
    (void) object;
    return keeps(old, self, "workflow", "", "");
}

static char *keeps_parameter(const json_t *old, const json_t *self, const json_t *object)
{
    (void) object;
    return keeps(old, self, "parameter", "", "");
}

static char *keeps_component(const json_t *old, const json_t *self, const json_t *object)
{
    (void) object;
    return keeps(old, self, "componentId", "; create another Workflow instead", "the namespace");
}

static char *keeps_id(const json_t *old, const json_t *self, const json_t *object)
{
    (void) object;
    return keeps(old, self, "workflowId", "; create another Workflow instead",
                 "the name of the object");
}

/* A number that may not fall, nor go. */
static bool falls(const json_t *old, const json_t *self, const char *path)
{
    return json_at(old, path) &&
           (!json_at(self, path) || json_int_at(self, path, 0) < json_int_at(old, path, 0));
}

static char *halt_does_not_fall(const json_t *old, const json_t *self, const json_t *object)
{
    (void) object;
    return falls(old, self, "haltThrough") ? xasprintf("haltThrough cannot fall: it is %" PRId64,
                                                       json_int_at(old, "haltThrough", 0))
                                           : NULL;
}

static char *retry_does_not_fall(const json_t *old, const json_t *self, const json_t *object)
{
    (void) object;
    return falls(old, self, "retry.counter")
               ? xasprintf("retry.counter cannot fall: it is %" PRId64,
                           json_int_at(old, "retry.counter", 0))
               : NULL;
}

static char *seq_does_not_fall(const json_t *old, const json_t *self, const json_t *object)
{
    (void) object;
    return falls(old, self, "trigger.seq") ? xasprintf("trigger.seq cannot fall: it is %" PRId64,
                                                       json_int_at(old, "trigger.seq", 0))
                                           : NULL;
}

static char *trigger_does_not_change(const json_t *old, const json_t *self, const json_t *object)
{
    int64_t seq = json_int_at(old, "trigger.seq", 0);

    (void) object;
    if (!json_at(old, "trigger") || !json_at(self, "trigger") ||
        json_int_at(self, "trigger.seq", 0) != seq || same(old, self, "trigger"))
        return NULL;
    return xasprintf("trigger %" PRId64 " cannot change: raise trigger.seq to run again", seq);
}

static char *first_trigger_was_by_hand(const json_t *old, const json_t *self, const json_t *object)
{
    (void) object;
    if (json_at(old, "trigger") || !json_at(self, "trigger") ||
        json_int_at(self, "trigger.seq", 0) >= 2)
        return NULL;
    return xstrdup("trigger 1 was the one by hand, without spec.trigger: the next has seq 2");
}

static char *is_docker_or_flyte(const json_t *old, const json_t *self, const json_t *object)
{
    (void) old;
    (void) object;
    if (!json_at(self, "flyteExecConf") ||
        (!json_at(self, "template.image") && !json_at(self, "template.args")))
        return NULL;
    return xstrdup("configuration cannot specify both docker and flyte parameters");
}

/* By the rule's message.  Those without a function say how a text has to look: they are not judged,
 * since Kharon has to bear objects from before there was such a rule, and tests store them. */
static const struct rule {
    const char *message;
    judge_rule *judge;
} rules[] = {
    {"metadata.name must be WORKFLOW.PARAMETER, in lower case with '-' for ':'",
     is_named_after_its_partition},
    {"workflow cannot change", keeps_workflow},
    {"parameter cannot change", keeps_parameter},
    {"haltThrough cannot fall", halt_does_not_fall},
    {"retry.counter cannot fall", retry_does_not_fall},
    {"trigger.seq cannot fall", seq_does_not_fall},
    {"a trigger cannot change: raise trigger.seq to run again", trigger_does_not_change},
    {"trigger 1 was the one by hand, without spec.trigger: the next has seq 2",
     first_trigger_was_by_hand},
    {"parameter is no partition, such as 2026, 2026-01, 2026-01-31 or 2026-01-31T05", NULL},
    {"metadata.name must have at most 232 characters", has_room_in_its_name},
    {"componentId cannot change; create another Workflow instead", keeps_component},
    {"workflowId cannot change; create another Workflow instead", keeps_id},
    {"configuration cannot specify both docker and flyte parameters", is_docker_or_flyte},
    {"env too big: names and values together may have 8192 characters", NULL},
    {"env too big: names and values together may have 16384 characters", NULL},
    {"docker args is too large: together they may have 98304 characters", NULL},
    {"running timeout must be an ISO-8601 duration: write PT2H for two hours", NULL},
    {"service account is not a valid email address", NULL},
    {"volumeMounts names a volume that is not in volumes", NULL},
    {"labels of kharon.dev/ and STYX_ are set by Kharon itself", NULL},
    {"annotations of kharon.dev/ and styx- are set by Kharon itself", NULL},
    {"a volume must have exactly one of the listed kinds", NULL},
    {"component id cannot contain #", NULL},
    {"invalid schedule", NULL},
    {"invalid offset: write an ISO-8601 period such as PT2H, P1D or P1M", NULL},
};

static json_int_t find_rule(const char *message)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (message && strcmp(rules[i].message, message) == 0)
            return (json_int_t) i;
    fprintf(stderr, "fake: the definitions have a rule that tests/sim/fake_rules.c lacks: %s\n",
            message ? message : "one without a message");
    abort();
}

void fake_rules_prepare(json_t *node)
{
    const char *key;
    json_t *rule, *child;
    size_t i;

    json_array_foreach (json_object_get(node, "x-kubernetes-validations"), i, rule)
        json_object_set_new(rule, "fake", json_integer(find_rule(json_text_at(rule, "message"))));
    json_object_foreach (json_object_get(node, "properties"), key, child)
        fake_rules_prepare(child);
    if (json_is_object(child = json_object_get(node, "items")))
        fake_rules_prepare(child);
    if (json_is_object(child = json_object_get(node, "additionalProperties")))
        fake_rules_prepare(child);
}

/* A rule about a change does not apply to what is new. */
static bool applies(const json_t *rule, const json_t *old)
{
    return old || json_is_true(json_object_get(rule, "optionalOldSelf")) ||
           !strstr(json_text_at(rule, "rule"), "oldSelf");
}

void fake_rules_ask(const json_t *node, const json_t *old, const json_t *value, const char *path,
                    const json_t *object, struct fake_faults *faults)
{
    const json_t *asked = json_object_get(node, "x-kubernetes-validations");
    size_t i;
    json_t *rule;

    json_array_foreach (asked, i, rule) {
        judge_rule *judge = rules[json_integer_value(json_object_get(rule, "fake"))].judge;

        if (!judge || !applies(rule, old))
            continue;
        CLEANUP(free) char *wrong = judge(old, value, object);
        const char *field = json_text_at(rule, "fieldPath");
        if (wrong)
            fake_fault_add(faults, "%s%s: Invalid value: %s", path,
                           field ? field + (*path ? 0 : 1) : "", wrong);
    }
}
