/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "apiserver/owner.h"

#define ENTRY(manager, operation, fields)                                                          \
    "{\"manager\":\"" manager "\",\"operation\":\"" operation                                      \
    "\",\"apiVersion\":\"kharon.dev/v1alpha1\","                                                   \
    "\"time\":\"2026-01-01T00:00:00Z\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":" fields "}"

#define OBJECT(entries) "{\"metadata\":{\"resourceVersion\":\"7\",\"managedFields\":[" entries "]}}"

#define BOTH     "{\"f:spec\":{\"f:schedule\":{},\"f:suspend\":{}}}"
#define SCHEDULE "{\"f:spec\":{\"f:schedule\":{}}}"
#define SUSPEND  "{\"f:spec\":{\"f:suspend\":{}}}"

static json_t *parse(int line, const char *text)
{
    struct error err;
    json_t *json;

    CHECK_OK_AT(line, json_parse(text, strlen(text), &json, &err), &err);
    return json;
}

/* Compared as values: the order of members means nothing. */
static void check_hand_over(int line, const char *object_text, const char *want)
{
    CLEANUP(json_decref) json_t *object = parse(line, object_text);
    CLEANUP(json_decref) json_t *before = json_deep_copy(object);
    CLEANUP(free) char *got = owner_hand_over(object);

    CHECK_AT(line, json_equal(object, before));
    if (!want) {
        CHECK_STR_AT(line, got, NULL);
        return;
    }
    CHECK_AT(line, got);
    CLEANUP(json_decref) json_t *patch = parse(line, got), *wanted = parse(line, want);
    if (!json_equal(patch, wanted))
        test_str(__FILE__, line, "the patch", got, want);
}

#define HAND_OVER(object, want) check_hand_over(__LINE__, object, want)

TEST(suspend_is_handed_over)
{
    HAND_OVER(OBJECT(ENTRY("kharon-api", "Apply", BOTH)),
              OBJECT(ENTRY("kharon-api", "Apply", SCHEDULE) "," ENTRY("kharon-api-state", "Apply",
                                                                      SUSPEND)));
    HAND_OVER(
        OBJECT(ENTRY("kharon-api-state", "Apply", SUSPEND) "," ENTRY("kharon-api", "Apply", BOTH)),
        OBJECT(ENTRY("kharon-api-state", "Apply", SUSPEND) "," ENTRY("kharon-api", "Apply",
                                                                     SCHEDULE)));
    HAND_OVER(
        OBJECT(ENTRY("kharon-api-state", "Update",
                     "{\"f:spec\":{\"f:setNext\":{}}}") "," ENTRY("kharon-api", "Apply", BOTH)),
        OBJECT(ENTRY("kharon-api-state", "Update", "{\"f:spec\":{\"f:setNext\":{}}}") "," ENTRY(
            "kharon-api", "Apply", SCHEDULE) "," ENTRY("kharon-api-state", "Apply", SUSPEND)));
}

TEST(what_is_in_order_is_left_alone)
{
    HAND_OVER("{\"metadata\":{\"resourceVersion\":\"7\"}}", NULL);
    HAND_OVER("{}", NULL);
    HAND_OVER(OBJECT(""), NULL);
    HAND_OVER(OBJECT(ENTRY("kharon-api", "Apply", SCHEDULE)), NULL);
    HAND_OVER(OBJECT(ENTRY("kharon-api", "Update", BOTH)), NULL);
    HAND_OVER(OBJECT(ENTRY("helm", "Apply", BOTH)), NULL);
    HAND_OVER(OBJECT("7,null,{\"manager\":7}"), NULL);
    HAND_OVER(OBJECT("{\"manager\":\"kharon-api\",\"operation\":\"Apply\",\"fieldsV1\":7}"), NULL);
}

static void check_foreign(int line, const char *object_text, const char *want)
{
    CLEANUP(json_decref) json_t *object = parse(line, object_text);
    CLEANUP(free) char *got = owner_foreign_text(object, "suspend");

    CHECK_STR_AT(line, got, want);
}

#define FOREIGN(object, want) check_foreign(__LINE__, object, want)

TEST(others_that_manage_a_field_are_named)
{
    FOREIGN(OBJECT(ENTRY("helm", "Apply", BOTH)), "spec.suspend is managed by \"helm\"");
    FOREIGN(OBJECT(ENTRY("kubectl-edit", "Update", SUSPEND) "," ENTRY("helm", "Apply", BOTH)),
            "spec.suspend is managed by \"kubectl-edit\", spec.suspend is managed by \"helm\"");
    FOREIGN(OBJECT(ENTRY("helm", "Apply", SCHEDULE)), NULL);
    FOREIGN(
        OBJECT(ENTRY("kharon-api", "Apply", BOTH) "," ENTRY("kharon-api-state", "Update", SUSPEND)),
        NULL);
    FOREIGN(OBJECT("{\"manager\":\"operator\",\"operation\":\"Update\",\"subresource\":\"status\","
                   "\"fieldsV1\":" SUSPEND "}"),
            NULL);
    FOREIGN(OBJECT("7,null,{\"fieldsV1\":" SUSPEND "},{\"manager\":\"a\",\"fieldsV1\":7}"), NULL);
    FOREIGN("{}", NULL);
}

#define STATUS(causes) "{\"kind\":\"Status\",\"details\":{\"causes\":[" causes "]}}"
#define CAUSE(message, field)                                                                      \
    "{\"reason\":\"FieldManagerConflict\",\"message\":\"" message "\",\"field\":\"" field "\"}"

TEST(conflicts_name_the_manager)
{
    static const struct {
        int line;
        const char *status, *text;
        bool only_with_state;
    } rows[] = {
        {__LINE__, STATUS(CAUSE("conflict with \\\"helm\\\"", ".spec.schedule")),
         "spec.schedule is managed by \"helm\"", false},
        {__LINE__,
         STATUS(
             CAUSE("conflict with \\\"kubectl-edit\\\" using kharon.dev/v1alpha1",
                   ".spec.template.image") "," CAUSE("conflict with \\\"a b\\\"", ".spec.offset")),
         "spec.template.image is managed by \"kubectl-edit\", spec.offset is managed by \"a b\"",
         false},
        {__LINE__, STATUS(CAUSE("conflict with \\\"kharon-api-state\\\"", ".spec.suspend")),
         "spec.suspend is managed by \"kharon-api-state\"", true},
        {__LINE__,
         STATUS(CAUSE("conflict with \\\"kharon-api-state\\\"",
                      ".spec.suspend") "," CAUSE("conflict with \\\"helm\\\"", ".spec.offset")),
         "spec.suspend is managed by \"kharon-api-state\", spec.offset is managed by \"helm\"",
         false},
        {__LINE__, STATUS("{\"reason\":\"Other\",\"message\":\"\\\"helm\\\"\",\"field\":\".x\"}"),
         NULL, false},
        {__LINE__, STATUS(CAUSE("no quotation marks", ".x")), NULL, false},
        {__LINE__, STATUS(CAUSE("only one \\\"", ".x")), NULL, false},
        {__LINE__, "{\"kind\":\"Status\"}", NULL, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(json_decref) json_t *status = parse(rows[i].line, rows[i].status);
        CLEANUP(free) char *text = owner_conflict_text(status);

        CHECK_STR_AT(rows[i].line, text, rows[i].text);
        CHECK_INT_AT(rows[i].line, owner_conflict_only_with(status, OWNER_STATE),
                     rows[i].only_with_state);
    }
    CHECK_STR(owner_conflict_text(NULL), NULL);
}
