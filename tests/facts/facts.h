/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Kharon relies on in Kubernetes, as questions: asked through the seam (k8s/client.h) of the
 * fake, in tests/unit/k8s/test_facts.c, and of a real API server without nodes, in
 * tests/integration/test_facts.c.  Whoever includes this says how to connect:
 *
 *     static void facts_connect(struct loop **ret_loop, struct k8s **ret_k8s);
 *     static void facts_disconnect(void);
 *
 * Nothing here knows which of the two it talks to, so the fake cannot be kinder than the real one
 * in what is asked.  What cannot be asked so, and where it is tried instead:
 *
 *                                                          fake           real
 *     a write takes effect after its 504 (etcd stalls)     test_fake.c    chaos tests
 *     a 404 just before such a write                       test_fake.c    measured once
 *     410 for the next page of a list, and its new token   test_fake.c    takes 5 min
 *     410 in the middle of a watch's life                  test_fake.c    takes 5 min
 *     bookmarks every 60 s                                 test_fake.c    the last one, here
 *     an API server that stops, its watches' last minute   test_fake.c    chaos tests
 *     versions that go back (restore)                      test_fake.c    a future one, here
 *     429, and texts of proxies                            test_fake.c    test_transport.c
 *     what a kubelet does (phases, grace, exit codes)      test_fake.c    e2e
 *     a node that does not answer for minutes              test_fake.c    takes 6 min
 *     eviction, preemption                                 test_fake.c    e2e
 *     RBAC and admission policies                          allows all     e2e
 *
 * Texts are JSON with ' for ", and ` for '.
 */
#ifndef KHARON_FACTS_H
#define KHARON_FACTS_H

#include "test.h"

#include "base/buf.h"
#include "base/loop.h"
#include "k8s/client.h"

#include <unistd.h>

static void facts_connect(struct loop **ret_loop, struct k8s **ret_k8s);
static void facts_disconnect(void);

#define GROUP  "facts.kharon.dev"
#define OTHER  "00000000-0000-4000-8000-000000000000" /* nobody's uid */
#define FUTURE "99999999999"

static const struct k8s_resource facts = {GROUP, "v1", "facts", "Fact"};
static const struct k8s_resource unknowns = {GROUP, "v1", "unknowns", "Unknown"};
static const struct k8s_resource crds = {"apiextensions.k8s.io", "v1", "customresourcedefinitions",
                                         "CustomResourceDefinition"};
static const struct k8s_resource namespaces = {"", "v1", "namespaces", "Namespace"};
static const struct k8s_resource nodes = {"", "v1", "nodes", "Node"};
static const struct k8s_resource maps = {"", "v1", "configmaps", "ConfigMap"};
static const struct k8s_resource pods = {"", "v1", "pods", "Pod"};
static const struct k8s_resource quotas = {"", "v1", "resourcequotas", "ResourceQuota"};
static const struct k8s_resource leases = {"coordination.k8s.io", "v1", "leases", "Lease"};
static const struct k8s_resource events = {"events.k8s.io", "v1", "events", "Event"};

static struct loop *loop;
static struct k8s *k8s;
static char ns[64];

/* ---- asking ---- */

/* A text of JSON; the last few of them stay. */
__attribute__((format(printf, 1, 2))) static const char *J(const char *format, ...)
{
    static char *texts[32];
    static size_t next;
    va_list args;

    next = (next + 1) % ARRAY_SIZE(texts);
    free(texts[next]);
    va_start(args, format);
    texts[next] = xvasprintf(format, args);
    va_end(args);
    for (char *c = texts[next]; *c; c++)
        *c = *c == '\'' ? '"' : *c == '`' ? '\'' : *c;
    return texts[next];
}

struct heard {
    bool replied;
    struct error error;
    int status;
    char reason[64], version[32], token[4096];
    json_t *object; /* owned */
    int64_t retry_after_ms, at;
    struct buf items; /* "+x *x -x @" */
    json_t *last;     /* the last item but bookmarks; owned */
};

static struct heard heard; /* of the last question */

static void forget(struct heard *h)
{
    json_decref(h->object);
    json_decref(h->last);
    buf_done(&h->items);
    *h = (struct heard) {0};
}

static void on_item(enum k8s_event event, const char *text, size_t len, void *arg)
{
    static const char marks[] = {'.', '+', '*', '-', '@'};
    struct heard *h = arg;
    json_t *json = NULL;
    struct error err;

    CHECK_OK(json_parse(text, len, &json, &err), &err);
    const char *name = json_text_at(json, "metadata.name");
    buf_addf(&h->items, "%s%c%s", h->items.len ? " " : "", marks[event], name ? name : "");
    if (event == K8S_BOOKMARK) {
        json_decref(json);
        return;
    }
    json_decref(h->last);
    h->last = json;
}

static void on_reply(const struct k8s_reply *reply, void *arg)
{
    struct heard *h = arg;

    h->replied = true;
    h->error = reply->error;
    h->status = reply->http_status;
    snprintf(h->reason, sizeof(h->reason), "%s", reply->reason);
    snprintf(h->version, sizeof(h->version), "%s", reply->resource_version);
    snprintf(h->token, sizeof(h->token), "%s", reply->continue_token);
    h->object = json_incref((json_t *) (uintptr_t) reply->object);
    h->retry_after_ms = reply->retry_after_ms;
    h->at = loop_now(loop, LOOP_MONOTONIC);
}

static const struct k8s_handler handler = {on_item, on_reply};

static void on_time_up(void *arg)
{
    *(bool *) arg = true;
}

/* Lets time pass until *flag, at most ms. */
static bool wait_for(const bool *flag, int64_t ms)
{
    bool up = false;
    struct loop_timer timer = {.on_time = on_time_up, .arg = &up};

    loop_timer_set(loop, &timer, LOOP_MONOTONIC, loop_now_fresh(loop, LOOP_MONOTONIC) + ms);
    while (!*flag && !up)
        loop_turn(loop, -1);
    loop_timer_cancel(loop, &timer);
    return *flag;
}

static void pass(int64_t ms)
{
    static const bool never = false;

    wait_for(&never, ms);
}

static bool has_no_namespace(const struct k8s_resource *r)
{
    return r == &crds || r == &namespaces || r == &nodes;
}

static void send(struct k8s_request request)
{
    if (!request.resource)
        request.resource = &facts;
    if (!request.ns && !has_no_namespace(request.resource))
        request.ns = ns;
    if (request.timeout_ms == 0)
        request.timeout_ms = 15000;
    forget(&heard);
    k8s_call(k8s, &request, &handler, &heard);
    CHECK(wait_for(&heard.replied, 60000));
}

/* Asks, and checks the answer: its status and reason, and a part of its text; NULL: any. */
static void ask_at(int line, int status, const char *reason, const char *part,
                   struct k8s_request request)
{
    send(request);
    if (heard.status != status || strcmp(heard.reason, reason) != 0)
        test_fail_at(__FILE__, line, "%d %s, want %d %s: %s", heard.status, heard.reason, status,
                     reason, heard.error.text);
    if (part)
        CHECK_HAS_AT(line, heard.error.text, part);
}

#define ASK(status, reason, part, ...)                                                             \
    ask_at(__LINE__, status, reason, part, (struct k8s_request) {__VA_ARGS__})
#define OK(...)            ASK(200, "", NULL, __VA_ARGS__)
#define CREATE(...)        ASK(201, "", NULL, .verb = K8S_CREATE, __VA_ARGS__)
#define GET(...)           OK(.verb = K8S_GET, __VA_ARGS__)
#define PATCH(...)         OK(.verb = K8S_PATCH, __VA_ARGS__)
#define STATUS(...)        OK(.verb = K8S_PATCH, .subresource = "status", __VA_ARGS__)
#define DELETE(...)        OK(.verb = K8S_DELETE, __VA_ARGS__)
#define LIST(...)          OK(.verb = K8S_LIST, __VA_ARGS__)
#define GONE(...)          ASK(404, "NotFound", NULL, .verb = K8S_GET, __VA_ARGS__)
#define INVALID(part, ...) ASK(422, "Invalid", part, __VA_ARGS__)

static const char *at(const char *path)
{
    return json_text_at(heard.object, path);
}

static const char *copy(const char *text)
{
    return J("%s", text ? text : "");
}

static uint64_t number(const char *version)
{
    uint64_t n = 0;

    if (!k8s_version_parse(version, &n))
        TEST_FAIL("no version: %s", version);
    return n;
}

/* The object of a name is gone within so long. */
static void goes(int line, const struct k8s_resource *resource, const char *name, int64_t ms)
{
    int64_t until = loop_now_fresh(loop, LOOP_MONOTONIC) + ms;

    do {
        send((struct k8s_request) {.verb = K8S_GET, .resource = resource, .name = name});
        if (heard.status == 404)
            return;
        pass(200);
    } while (loop_now_fresh(loop, LOOP_MONOTONIC) < until);
    test_fail_at(__FILE__, line, "%s is still there", name);
}

#define GOES(resource, name, ms) goes(__LINE__, resource, name, ms)

/* A member of the object has that text within so long. */
static void becomes(int line, const struct k8s_resource *resource, const char *name,
                    const char *path, const char *want, int64_t ms)
{
    int64_t until = loop_now_fresh(loop, LOOP_MONOTONIC) + ms;
    const char *is = NULL;

    do {
        send((struct k8s_request) {.verb = K8S_GET, .resource = resource, .name = name});
        is = at(path);
        if (is && strcmp(is, want) == 0)
            return;
        pass(200);
    } while (loop_now_fresh(loop, LOOP_MONOTONIC) < until);
    CHECK_STR_AT(line, is, want);
}

#define BECOMES(...) becomes(__LINE__, __VA_ARGS__)

/* ---- a kind of our own ---- */

static const char definition[] =
    "{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition',"
    "'metadata':{'name':'facts." GROUP "'},'spec':{'group':'" GROUP "','scope':'Namespaced',"
    "'names':{'plural':'facts','singular':'fact','kind':'Fact'},'versions':[{'name':'v1',"
    "'served':true,'storage':true,'subresources':{'status':{}},'selectableFields':["
    "{'jsonPath':'.spec.mode'},{'jsonPath':'.spec.on'},{'jsonPath':'.spec.n'},"
    "{'jsonPath':'.status.state'}],'schema':{'openAPIV3Schema':{'type':'object',"
    "'required':['spec'],'x-kubernetes-validations':["
    "{'rule':'oldSelf.hasValue() || self.metadata.name == self.spec.workflow + `.` + "
    "self.spec.parameter.lowerAscii().replace(`:`, `-`)','optionalOldSelf':true,"
    "'messageExpression':'`metadata.name must be ` + self.spec.workflow + `.` + "
    "self.spec.parameter.lowerAscii().replace(`:`, `-`) + ` and not ` + self.metadata.name',"
    "'message':'metadata.name must be WORKFLOW.PARAMETER, in lower case with `-` for `:`',"
    "'fieldPath':'.metadata.name'}],'properties':{"
    "'metadata':{'type':'object','properties':{'name':{'type':'string'}}},"
    "'spec':{'type':'object','required':['workflow','parameter'],'x-kubernetes-validations':["
    "{'rule':'self.workflow == oldSelf.workflow','messageExpression':"
    "'`workflow cannot change: it is ` + oldSelf.workflow','message':'workflow cannot change',"
    "'fieldPath':'.workflow'},"
    "{'rule':'!has(oldSelf.haltThrough) || (has(self.haltThrough) && self.haltThrough >= "
    "oldSelf.haltThrough)','messageExpression':"
    "'`haltThrough cannot fall: it is %d`.format([oldSelf.haltThrough])',"
    "'message':'haltThrough cannot fall','fieldPath':'.haltThrough'},"
    "{'rule':'!has(oldSelf.trigger) || (has(self.trigger) && self.trigger.seq >= "
    "oldSelf.trigger.seq)','messageExpression':"
    "'`trigger.seq cannot fall: it is %d`.format([oldSelf.trigger.seq])',"
    "'message':'trigger.seq cannot fall','fieldPath':'.trigger'}],'properties':{"
    "'workflow':{'type':'string','minLength':1,'maxLength':20},"
    "'parameter':{'type':'string','minLength':1,'maxLength':64},"
    "'haltThrough':{'type':'integer','format':'int64','minimum':0},"
    "'trigger':{'type':'object','required':['seq'],'properties':{'seq':{'type':'integer',"
    "'minimum':1,'maximum':10},'id':{'type':'string','maxLength':20}}},"
    "'mode':{'type':'string','enum':['fast','slow'],'maxLength':10},'on':{'type':'boolean'},"
    "'n':{'type':'integer'},'preset':{'type':'string','default':'x','maxLength':10},"
    "'template':{'type':'object','properties':{'image':{'type':'string'},"
    "'args':{'type':'array','maxItems':3,'x-kubernetes-list-type':'atomic',"
    "'items':{'type':'string'}},'env':{'type':'array','maxItems':10,"
    "'x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['name'],'items':"
    "{'type':'object','required':['name'],'properties':{'name':{'type':'string',"
    "'pattern':'^[A-Z]+$'},'value':{'type':'string'}}}}}},"
    "'text':{'type':'string'}}},'status':{'type':'object','properties':{"
    "'state':{'type':'string'},'at':{'type':'string','format':'date-time'},"
    "'conditions':{'type':'array','x-kubernetes-list-type':'map',"
    "'x-kubernetes-list-map-keys':['type'],'items':{'type':'object','required':['type'],"
    "'properties':{'type':{'type':'string'}}}}}}}}}}]}}";

/* A fact w.NAME; more: further members of its spec, each with a comma before it. */
static const char *fact(const char *name, const char *more)
{
    return J("{'apiVersion':'" GROUP "/v1','kind':'Fact','metadata':{'name':'w.%s'},"
             "'spec':{'workflow':'w','parameter':'%s'%s}}",
             name, name, more);
}

static void make(const char *name, const char *more)
{
    CREATE(.body = fact(name, more));
}

static void drop(const char *name)
{
    send((struct k8s_request) {.verb = K8S_DELETE, .name = name});
}

TEST(definitions_are_served)
{
    facts_connect(&loop, &k8s);
    snprintf(ns, sizeof(ns), "kharon-facts-%d", (int) getpid());
    CREATE(.resource = &namespaces, .body = J("{'metadata':{'name':'%s'}}", ns));
    send((struct k8s_request) {.verb = K8S_CREATE, .resource = &crds, .body = J("%s", definition)});
    CHECK(heard.status == 201 || heard.status == 409);
    for (int i = 0; i < 100 && heard.status != 200; i++) {
        send((struct k8s_request) {.verb = K8S_LIST});
        pass(100);
    }
    LIST();
}

/* ---- reading ---- */

TEST(kinds_of_404)
{
    ASK(404, "NotFound", "facts." GROUP " \"w.no\" not found", .verb = K8S_GET, .name = "w.no");
    CHECK_INT(heard.error.code, ERROR_NOT_FOUND);
    CHECK_STR(at("details.name"), "w.no");
    CHECK_STR(at("details.kind"), "facts");
    CHECK_STR(at("details.group"), GROUP);
    ASK(404, "NotFound", NULL, .verb = K8S_GET, .name = "w.no", .ns = "no-such-namespace");
    ASK(404, "NotFound", NULL, .verb = K8S_PATCH, .name = "w.no", .body = "{}");
    ASK(404, "NotFound", NULL, .verb = K8S_PATCH, .name = "w.no",
        .body = J("{'metadata':{'resourceVersion':'1'}}"));
    ASK(404, "NotFound", NULL, .verb = K8S_DELETE, .name = "w.no");
    /* A kind that is not served: no proof of anything. */
    ASK(404, "", "404 page not found", .verb = K8S_GET, .resource = &unknowns, .name = "w.no");
    CHECK_INT(heard.error.code, ERROR_INTERNAL);
    ASK(404, "", NULL, .verb = K8S_LIST, .resource = &unknowns);
    /* Nor is one about the namespace. */
    ASK(404, "NotFound", "namespaces \"no-such-namespace\" not found", .verb = K8S_CREATE,
        .ns = "no-such-namespace", .resource = &maps, .body = J("{'metadata':{'name':'x'}}"));
    CHECK_STR(at("details.kind"), "namespaces");
    CHECK_INT(heard.error.code, ERROR_INTERNAL);
}

TEST(lists_are_one_version)
{
    for (int i = 0; i < 5; i++)
        make(J("l%d", i), "");
    LIST(.limit = 2);
    CHECK_STR(buf_text(&heard.items), ".w.l0 .w.l1");
    CHECK_INT(json_int_at(heard.object, "metadata.remainingItemCount", 0), 3);
    const char *token = copy(heard.token), *version = copy(heard.version);
    drop("w.l2");
    make("l1a", "");
    LIST(.limit = 2, .continue_token = token);
    CHECK_STR(buf_text(&heard.items), ".w.l2 .w.l3");
    CHECK_STR(heard.version, version);
    token = copy(heard.token);
    LIST(.limit = 2, .continue_token = token);
    CHECK_STR(buf_text(&heard.items), ".w.l4");
    CHECK_STR(heard.token, "");
    LIST();
    CHECK_STR(buf_text(&heard.items), ".w.l0 .w.l1 .w.l1a .w.l3 .w.l4");
    CHECK(number(heard.version) > number(version));
    CHECK(number(heard.version) >= number(json_text_at(heard.last, "metadata.resourceVersion")));
    ASK(400, "BadRequest", "continue", .verb = K8S_LIST, .limit = 2, .continue_token = "nonsense");
    for (int i = 0; i < 5; i++)
        drop(J("w.l%d", i));
    drop("w.l1a");
}

TEST(selectors)
{
    static const struct {
        int line;
        const char *field, *want;
    } rows[] = {
        {__LINE__, "spec.mode=fast", ".w.s1"},
        {__LINE__, "spec.mode=", ".w.s3"}, /* absent is the empty text */
        {__LINE__, "spec.mode!=fast", ".w.s2 .w.s3"},
        {__LINE__, "spec.on=true", ".w.s1"},
        {__LINE__, "spec.on=false", ".w.s2"},
        {__LINE__, "spec.on=", ".w.s3"},
        {__LINE__, "spec.on!=true", ".w.s2 .w.s3"},
        {__LINE__, "spec.n=7", ".w.s1"},
        {__LINE__, "spec.n==0,spec.on=false", ".w.s2"},
        {__LINE__, "metadata.name=w.s2", ".w.s2"},
        {__LINE__, "status.state=", ".w.s1 .w.s2 .w.s3"},
    };

    make("s1", ",'mode':'fast','on':true,'n':7");
    make("s2", ",'mode':'slow','on':false,'n':0");
    make("s3", "");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ask_at(rows[i].line, 200, "", NULL,
               (struct k8s_request) {.verb = K8S_LIST, .field_selector = rows[i].field});
        CHECK_STR_AT(rows[i].line, buf_text(&heard.items), rows[i].want);
    }
    ASK(400, "BadRequest", "field label not supported: spec.text", .verb = K8S_LIST,
        .field_selector = "spec.text=a");
    for (int i = 1; i <= 3; i++)
        drop(J("w.s%d", i));
}

TEST(a_version_of_the_future_is_waited_for_in_vain)
{
    int64_t start = loop_now_fresh(loop, LOOP_MONOTONIC);

    ASK(504, "Timeout", "Too large resource version: " FUTURE ", current: ", .verb = K8S_LIST,
        .resource_version = FUTURE);
    CHECK(heard.at - start > 2500 && heard.at - start < 10000);
    CHECK_INT(heard.error.code, ERROR_UNKNOWN);
    CHECK_INT(heard.retry_after_ms, 1000);
    const json_t *cause = json_array_get(json_at(heard.object, "details.causes"), 0);
    CHECK_STR(json_text_at(cause, "reason"), "ResourceVersionTooLarge");
    ASK(504, "Timeout", "Too large resource version", .verb = K8S_GET, .name = "w.no",
        .resource_version = FUTURE);
}

/* ---- creating ---- */

TEST(creates)
{
    make("c", ",'n':1,'zzz':1,'template':{'image':'a','zzz':2}");
    CHECK_STR(at("metadata.name"), "w.c");
    CHECK_STR(at("metadata.namespace"), ns);
    CHECK_INT(strlen(at("metadata.uid")), 36);
    CHECK(at("metadata.creationTimestamp"));
    CHECK_INT(json_int_at(heard.object, "metadata.generation", 0), 1);
    CHECK_STR(at("metadata.resourceVersion"), heard.version);
    CHECK(!json_at(heard.object, "spec.zzz")); /* dropped in silence */
    CHECK(!json_at(heard.object, "spec.template.zzz"));
    CHECK_STR(at("spec.preset"), "x");
    ASK(409, "AlreadyExists", "facts." GROUP " \"w.c\" already exists", .verb = K8S_CREATE,
        .body = fact("c", ""));
    CHECK_INT(heard.error.code, ERROR_EXISTS);
    CHECK_STR(at("details.kind"), "facts");
    CHECK_STR(at("details.name"), "w.c");
    drop("w.c");
    CREATE(.body = J("{'apiVersion':'" GROUP "/v1','kind':'Fact','metadata':{'name':'w.c'},'spec':"
                     "{'workflow':'w','parameter':'C','mode':null},'status':{'state':'on'}}"));
    CHECK(!json_at(heard.object, "status"));
    drop("w.c");
    ASK(400, "BadRequest", NULL, .verb = K8S_CREATE, .body = "{\"metadata\":");
    ASK(500, "", "resourceVersion should not be set on objects to be created", .verb = K8S_CREATE,
        .body = J("{'apiVersion':'" GROUP "/v1','kind':'Fact','metadata':{'name':'w.c',"
                  "'resourceVersion':'1'},'spec':{'workflow':'w','parameter':'c'}}"));
    ASK(400, "BadRequest", "the namespace of the provided object does not match",
        .verb = K8S_CREATE,
        .body = J("{'apiVersion':'" GROUP "/v1','kind':'Fact','metadata':{'name':'w.c',"
                  "'namespace':'default'},'spec':{'workflow':'w','parameter':'c'}}"));
}

TEST(what_a_schema_refuses)
{
    static const struct {
        int line;
        const char *more, *part;
    } rows[] = {
        {__LINE__, ",'n':'a'",
         "spec.n: Invalid value: \"string\": spec.n in body must be of type "
         "integer: \"string\""},
        {__LINE__, ",'n':1.5", "spec.n in body must be of type integer"},
        {__LINE__, ",'on':'yes'", "spec.on in body must be of type boolean"},
        {__LINE__, ",'template':[]", "spec.template in body must be of type object"},
        {__LINE__, ",'trigger':{}", "spec.trigger.seq: Required value"},
        {__LINE__, ",'trigger':{'seq':0}",
         "spec.trigger.seq in body should be greater than or equal to 1"},
        {__LINE__, ",'trigger':{'seq':11}",
         "spec.trigger.seq in body should be less than or equal to 10"},
        {__LINE__, ",'mode':'other'",
         "spec.mode: Unsupported value: \"other\": supported values: \"fast\", \"slow\""},
        {__LINE__, ",'trigger':{'seq':1,'id':'012345678901234567890'}",
         "spec.trigger.id: Too long: may not be more than 20 bytes"},
        {__LINE__, ",'template':{'args':['a','b','c','d']}",
         "spec.template.args: Too many: 4: must have at most 3 items"},
        {__LINE__, ",'template':{'env':[{'name':'a'}]}",
         "spec.template.env[0].name in body should match '^[A-Z]+$'"},
        {__LINE__, ",'template':{'env':[{'name':'A'},{'name':'A','value':'b'}]}",
         "spec.template.env[1]: Duplicate value: {\"name\":\"A\"}"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ask_at(rows[i].line, 422, "Invalid", rows[i].part,
               (struct k8s_request) {.verb = K8S_CREATE, .body = fact("v", rows[i].more)});
    CHECK_HAS(heard.error.text, "Fact." GROUP " \"w.v\" is invalid: ");
    CHECK_INT(heard.error.code, ERROR_INVALID);
    CHECK_STR(at("details.kind"), "Fact");
    INVALID("spec: Required value", .verb = K8S_CREATE,
            .body = J("{'apiVersion':'" GROUP "/v1','kind':'Fact','metadata':{'name':'w.v'}}"));
    INVALID("metadata.name: Invalid value: \"W V\": a lowercase RFC 1123 subdomain must consist of",
            .verb = K8S_CREATE,
            .body = J("{'apiVersion':'" GROUP "/v1','kind':'Fact','metadata':{'name':'W V'},"
                      "'spec':{'workflow':'W V','parameter':'v'}}"));
    INVALID("metadata.name: Required value: name or generateName is required", .verb = K8S_CREATE,
            .body = J("{'apiVersion':'" GROUP "/v1','kind':'Fact','metadata':{},"
                      "'spec':{'workflow':'w','parameter':'v'}}"));
}

TEST(what_rules_refuse)
{
    INVALID("Fact." GROUP
            " \"w.y\" is invalid: metadata.name: Invalid value: metadata.name must be "
            "w.z and not w.y",
            .verb = K8S_CREATE,
            .body = J("{'apiVersion':'" GROUP "/v1','kind':'Fact','metadata':{'name':'w.y'},"
                      "'spec':{'workflow':'w','parameter':'z'}}"));
    make("r", ",'haltThrough':3,'trigger':{'seq':2}");
    INVALID("spec.workflow: Invalid value: workflow cannot change: it is w", .verb = K8S_PATCH,
            .name = "w.r", .body = J("{'spec':{'workflow':'v'}}"));
    INVALID("spec.haltThrough: Invalid value: haltThrough cannot fall: it is 3", .verb = K8S_PATCH,
            .name = "w.r", .body = J("{'spec':{'haltThrough':2}}"));
    INVALID("haltThrough cannot fall: it is 3", .verb = K8S_PATCH, .name = "w.r",
            .body = J("{'spec':{'haltThrough':null}}"));
    INVALID("spec.trigger: Invalid value: trigger.seq cannot fall: it is 2", .verb = K8S_PATCH,
            .name = "w.r", .body = J("{'spec':{'trigger':{'seq':1}}}"));
    INVALID("trigger.seq cannot fall: it is 2", .verb = K8S_PATCH, .name = "w.r",
            .body = J("{'spec':{'trigger':null}}"));
    PATCH(.name = "w.r", .body = J("{'spec':{'haltThrough':4,'trigger':{'seq':3}}}"));
    PATCH(.name = "w.r", .body = J("{'metadata':{'labels':{'a':'b'}}}"));
    STATUS(.name = "w.r", .body = J("{'status':{'state':'on'}}"));
    INVALID("status.state: Invalid value: \"integer\"", .verb = K8S_PATCH, .name = "w.r",
            .subresource = "status", .body = J("{'status':{'state':1}}"));
    INVALID("status.at", .verb = K8S_PATCH, .name = "w.r", .subresource = "status",
            .body = J("{'status':{'at':'soon'}}"));
    drop("w.r");
}

TEST(what_is_too_large)
{
    CLEANUP(free) char *text = xcalloc(1, 3600000);

    memset(text, 'a', 3500000);
    /* Why is said, unless the connection ends first. */
    send((struct k8s_request) {.verb = K8S_CREATE, .body = fact("big", J(",'text':'%s'", text))});
    CHECK_INT(heard.status, 413);
    CHECK_INT(heard.error.code, ERROR_TOO_LARGE);
    text[2000000] = '\0';
    ASK(500, "", "etcdserver: request is too large", .verb = K8S_CREATE,
        .body = fact("big", J(",'text':'%s'", text)));
    CHECK_INT(heard.error.code, ERROR_TOO_LARGE);
}

/* ---- changing ---- */

TEST(generations_and_versions)
{
    make("g", ",'n':1");
    uint64_t version = number(heard.version);

    PATCH(.name = "w.g", .body = J("{'spec':{'n':2},'status':{'state':'no'}}"));
    CHECK_INT(json_int_at(heard.object, "metadata.generation", 0), 2);
    CHECK(!json_at(heard.object, "status"));
    CHECK(number(heard.version) > version);
    version = number(heard.version);
    PATCH(.name = "w.g", .body = J("{'spec':{'n':2}}")); /* nothing changes */
    CHECK_INT(number(heard.version), version);
    PATCH(.name = "w.g", .body = J("{'metadata':{'labels':{'a':'b'},'generation':9}}"));
    CHECK_INT(json_int_at(heard.object, "metadata.generation", 0), 2);
    STATUS(.name = "w.g", .body = J("{'status':{'state':'on'},'spec':{'n':3},'metadata':"
                                    "{'labels':{'a':'c'},'uid':'" OTHER "'}}"));
    CHECK_STR(at("status.state"), "on");
    CHECK_INT(json_int_at(heard.object, "spec.n", 0), 2);
    CHECK_STR(at("metadata.labels.a"), "b");
    CHECK_INT(json_int_at(heard.object, "metadata.generation", 0), 2);
    version = number(heard.version);
    STATUS(.name = "w.g", .body = J("{'status':{'state':'on'}}"));
    CHECK_INT(number(heard.version), version);
    PATCH(.name = "w.g", .body = J("{'spec':{'n':null,'preset':null,'zzz':1}}"));
    CHECK(!json_at(heard.object, "spec.n"));
    CHECK(!json_at(heard.object, "spec.zzz"));
    CHECK_STR(at("spec.preset"), "x"); /* a default comes back */
    version = number(heard.version);
    PATCH(.name = "w.g", .body = J("{'spec':{'preset':null}}")); /* and if that is all: nothing */
    CHECK_INT(number(heard.version), version);
    drop("w.g");
}

TEST(preconditions_of_patches)
{
    static const char text[] = "Operation cannot be fulfilled on facts." GROUP
                               " \"w.p\": the object has been modified; please apply your changes "
                               "to the latest version and try again";

    make("p", ",'n':1");
    const char *old = copy(heard.version);
    const char *stale = J("{'metadata':{'resourceVersion':'%s'},'spec':{'n':2}}", old);
    PATCH(.name = "w.p", .body = stale);
    ASK(409, "Conflict", text, .verb = K8S_PATCH, .name = "w.p", .body = stale);
    CHECK_INT(heard.error.code, ERROR_CONFLICT); /* though nothing would change */
    CHECK_STR(at("details.kind"), "facts");
    CHECK_STR(at("details.name"), "w.p");
    CHECK(!json_at(heard.object, "details.causes"));
    ASK(409, "Conflict", text, .verb = K8S_PATCH, .subresource = "status", .name = "w.p",
        .body = J("{'metadata':{'resourceVersion':'%s'},'status':{'state':'on'}}", old));
    INVALID("metadata.uid: Invalid value: \"" OTHER "\": field is immutable", .verb = K8S_PATCH,
            .name = "w.p", .body = J("{'metadata':{'uid':'" OTHER "'},'spec':{'n':3}}"));
    INVALID("metadata.resourceVersion: Invalid value", .verb = K8S_PATCH, .name = "w.p",
            .body = J("{'metadata':{'resourceVersion':''},'spec':{'n':3}}"));
    ASK(500, "", NULL, .verb = K8S_PATCH, .name = "w.p",
        .body = J("{'metadata':{'resourceVersion':'abc'},'spec':{'n':3}}"));
    drop("w.p");
}

/* ---- deleting ---- */

static const char *options(const char *uid, const char *version)
{
    CLEANUP(free) char *text = k8s_delete_options(uid, version, -1);

    return copy(text);
}

TEST(preconditions_of_deletes)
{
    make("d", "");
    const char *uid = copy(at("metadata.uid")), *version = copy(heard.version);

    ASK(409, "Conflict",
        J("the UID in the precondition (" OTHER ") does not match the UID in record (%s). The "
          "object might have been deleted and then recreated",
          uid),
        .verb = K8S_DELETE, .name = "w.d", .body = options(OTHER, NULL));
    CHECK_STR(at("details.kind"), "Fact");
    CHECK_HAS(heard.error.text, "Operation cannot be fulfilled on Fact." GROUP " \"w.d\": ");
    ASK(409, "Conflict",
        J("the ResourceVersion in the precondition (1) does not match the ResourceVersion in "
          "record "
          "(%s). The object might have been modified",
          version),
        .verb = K8S_DELETE, .name = "w.d", .body = options(uid, "1"));
    DELETE(.name = "w.d", .body = options(uid, version));
    CHECK_STR(at("kind"), "Status");
    CHECK_STR(at("status"), "Success");
    CHECK_STR(at("details.uid"), uid);
    CHECK_STR(at("details.kind"), "facts");
    CHECK_STR(heard.version, ""); /* the version of a delete is not told */
    GONE(.name = "w.d");
}

TEST(finalizers)
{
    CREATE(.body = J("{'apiVersion':'" GROUP "/v1','kind':'Fact','metadata':{'name':'w.f',"
                     "'finalizers':['kharon.dev/a']},'spec':{'workflow':'w','parameter':'f'}}"));
    DELETE(.name = "w.f");
    CHECK_STR(at("kind"), "Fact"); /* the object: it is still there */
    CHECK(at("metadata.deletionTimestamp"));
    CHECK_INT(json_int_at(heard.object, "metadata.deletionGracePeriodSeconds", -1), 0);
    CHECK_INT(json_int_at(heard.object, "metadata.generation", 0), 2);
    const char *version = copy(heard.version);
    DELETE(.name = "w.f"); /* again */
    CHECK_STR(heard.version, version);
    ASK(409, "AlreadyExists", "object is being deleted: facts." GROUP " \"w.f\" already exists",
        .verb = K8S_CREATE, .body = fact("f", ""));
    CHECK_INT(heard.error.code, ERROR_EXISTS);
    INVALID("metadata.finalizers: Forbidden: no new finalizers can be added if the object is being "
            "deleted",
            .verb = K8S_PATCH, .name = "w.f",
            .body = J("{'metadata':{'finalizers':['kharon.dev/a','kharon.dev/b']}}"));
    PATCH(.name = "w.f", .body = J("{'spec':{'n':5}}")); /* other changes work */
    STATUS(.name = "w.f", .body = J("{'status':{'state':'on'}}"));
    PATCH(.name = "w.f", .body = J("{'metadata':{'finalizers':null}}"));
    GONE(.name = "w.f");
}

/* ---- watches ---- */

static struct heard watched;

static struct k8s_call *watch(struct k8s_request request)
{
    request.verb = K8S_WATCH;
    if (!request.resource)
        request.resource = &facts;
    request.ns = ns;
    forget(&watched);
    return k8s_call(k8s, &request, &handler, &watched);
}

static void hears_at(int line, const char *want)
{
    for (int i = 0; i < 100 && strcmp(buf_text(&watched.items), want) != 0; i++)
        pass(100);
    CHECK_STR_AT(line, buf_text(&watched.items), want);
}

#define HEARS(want) hears_at(__LINE__, want)

static const char *newest(void)
{
    LIST(.limit = 1);
    return copy(heard.version);
}

TEST(a_watch_tells_what_happened_since)
{
    const char *from = newest();
    struct k8s_call *call = watch((struct k8s_request) {.resource_version = from});

    CREATE(.body = J("{'apiVersion':'" GROUP "/v1','kind':'Fact','metadata':{'name':'w.a',"
                     "'finalizers':['kharon.dev/a']},'spec':{'workflow':'w','parameter':'a'}}"));
    STATUS(.name = "w.a", .body = J("{'status':{'state':'on'}}"));
    HEARS("+w.a *w.a");
    CHECK_STR(json_text_at(watched.last, "metadata.resourceVersion"), heard.version);
    DELETE(.name = "w.a");
    HEARS("+w.a *w.a *w.a");
    const char *marked = copy(json_text_at(watched.last, "metadata.resourceVersion"));
    CHECK(json_at(watched.last, "metadata.deletionTimestamp"));
    PATCH(.name = "w.a", .body = J("{'metadata':{'finalizers':null}}"));
    HEARS("+w.a *w.a *w.a -w.a");
    /* DELETED still shows the finalizer, with a version of its own. */
    CHECK_INT(json_array_size(json_at(watched.last, "metadata.finalizers")), 1);
    CHECK(number(json_text_at(watched.last, "metadata.resourceVersion")) > number(marked));
    k8s_cancel(call);
    call = watch((struct k8s_request) {.resource_version = marked});
    HEARS("-w.a"); /* gone on with */
    k8s_cancel(call);
    forget(&watched);
}

TEST(a_selected_watch_shows_leaving_as_deleted)
{
    make("b", "");
    const char *uid = copy(at("metadata.uid"));
    struct k8s_call *call =
        watch((struct k8s_request) {.resource_version = heard.version, .label_selector = "l=1"});

    PATCH(.name = "w.b", .body = J("{'metadata':{'labels':{'l':'1'}},'spec':{'n':1}}"));
    HEARS("+w.b");
    PATCH(.name = "w.b", .body = J("{'metadata':{'labels':{'l':'2'}},'spec':{'n':2}}"));
    HEARS("+w.b -w.b");
    /* As it was before, with the new version; and it is there. */
    CHECK_STR(json_text_at(watched.last, "metadata.labels.l"), "1");
    CHECK_INT(json_int_at(watched.last, "spec.n", 0), 1);
    CHECK_STR(json_text_at(watched.last, "metadata.resourceVersion"), heard.version);
    GET(.name = "w.b");
    CHECK_STR(at("metadata.uid"), uid);
    k8s_cancel(call);
    call = watch((struct k8s_request) {.resource_version = heard.version,
                                       .field_selector = "status.state=on"});
    STATUS(.name = "w.b", .body = J("{'status':{'state':'on'}}"));
    STATUS(.name = "w.b", .body = J("{'status':{'state':'off'}}"));
    HEARS("+w.b -w.b");
    CHECK_STR(json_text_at(watched.last, "status.state"), "on");
    k8s_cancel(call);
    forget(&watched);
    drop("w.b");
}

TEST(the_same_name_again_is_deleted_and_added)
{
    make("n", "");
    const char *uid = copy(at("metadata.uid"));
    struct k8s_call *call = watch((struct k8s_request) {.resource_version = heard.version});

    drop("w.n");
    make("n", "");
    CHECK(strcmp(at("metadata.uid"), uid) != 0);
    HEARS("-w.n +w.n");
    k8s_cancel(call);
    forget(&watched);
    drop("w.n");
}

TEST(how_watches_end)
{
    bool marked = false;

    /* In time: without an error, and as a rule with a bookmark before, if there is anything to be
     * told.  It is due 2 s before the end, and a real server may be too late with it. */
    for (int i = 0; i < 4 && !marked; i++) {
        watch((struct k8s_request) {.resource_version = newest(), .timeout_ms = 12000});
        make("u", "");
        CHECK(wait_for(&watched.replied, 30000));
        CHECK_INT(watched.error.code, ERROR_NONE);
        CHECK_HAS(buf_text(&watched.items), "+w.u");
        marked = strstr(buf_text(&watched.items), "+w.u @") != NULL;
        drop("w.u");
    }
    CHECK(marked);
    /* From before history begins. */
    watch((struct k8s_request) {.resource_version = "1", .timeout_ms = 5000});
    CHECK(wait_for(&watched.replied, 10000));
    CHECK_INT(watched.status, 410);
    CHECK_INT(watched.error.code, ERROR_EXPIRED);
    CHECK_HAS(watched.error.text, "too old resource version: 1 (");
    CHECK_STR(watched.reason, "Expired");
    /* From the future: silence. */
    watch((struct k8s_request) {.resource_version = FUTURE, .timeout_ms = 3000});
    make("u", "");
    CHECK(!wait_for(&watched.replied, 2500));
    CHECK_STR(buf_text(&watched.items), "");
    CHECK(wait_for(&watched.replied, 10000));
    CHECK_INT(watched.error.code, ERROR_NONE);
    CHECK(!strchr(buf_text(&watched.items), '+'));
    forget(&watched);
    drop("w.u");
}

/* ---- server-side apply ---- */

#define APPLY(status, reason, part, who, text)                                                     \
    ASK(status, reason, part, .verb = K8S_APPLY, .name = "w.o", .field_manager = who,              \
        .body = J("{'apiVersion':'" GROUP                                                          \
                  "/v1','kind':'Fact','metadata':{'name':'w.o'},'spec':{" text "}}"))
#define BASE "'workflow':'w','parameter':'o'"

TEST(apply_creates_and_changes)
{
    APPLY(201, "", NULL, "one", BASE ",'n':1,'mode':'fast'");
    const char *version = copy(heard.version);
    APPLY(200, "", NULL, "one", BASE ",'n':1,'mode':'fast'");
    CHECK_STR(heard.version, version);
    APPLY(200, "", NULL, "one", BASE ",'n':2,'mode':'fast'");
    CHECK_INT(json_int_at(heard.object, "metadata.generation", 0), 2);
    APPLY(200, "", NULL, "one", BASE ",'n':2"); /* what is not said any more goes */
    CHECK(!json_at(heard.object, "spec.mode"));
    drop("w.o");
}

TEST(apply_conflicts_name_the_other)
{
    APPLY(201, "", NULL, "one", BASE ",'n':1,'template':{'image':'a'}");
    APPLY(409, "Conflict", "Apply failed with 1 conflict: conflict with \"one\": .spec.n", "two",
          "'n':2");
    CHECK_INT(heard.error.code, ERROR_CONFLICT);
    const json_t *cause = json_array_get(json_at(heard.object, "details.causes"), 0);
    CHECK_STR(json_text_at(cause, "reason"), "FieldManagerConflict");
    CHECK_STR(json_text_at(cause, "message"), "conflict with \"one\"");
    CHECK_STR(json_text_at(cause, "field"), ".spec.n");
    CHECK(!json_at(heard.object, "details.name"));
    APPLY(
        409, "Conflict",
        "Apply failed with 2 conflicts: conflicts with \"one\":\n- .spec.n\n- .spec.template.image",
        "two", "'n':2,'template':{'image':'b'}");
    CHECK_INT(json_array_size(json_at(heard.object, "details.causes")), 2);
    /* The same value: both own it, and it stays when one lets go. */
    APPLY(200, "", NULL, "two", "'n':1");
    APPLY(200, "", NULL, "one", BASE ",'template':{'image':'a'}");
    CHECK_INT(json_int_at(heard.object, "spec.n", 0), 1);
    APPLY(200, "", NULL, "two", "'on':true");
    CHECK(!json_at(heard.object, "spec.n"));
    drop("w.o");
}

TEST(apply_conflicts_with_those_who_update)
{
    APPLY(201, "", NULL, "one", BASE ",'n':1");
    PATCH(.name = "w.o", .field_manager = "editor", .body = J("{'spec':{'n':5,'mode':'fast'}}"));
    APPLY(409, "Conflict",
          "Apply failed with 1 conflict: conflict with \"editor\" using " GROUP "/v1: .spec.n",
          "one", BASE ",'n':1");
    APPLY(200, "", NULL, "one", BASE ",'n':5");
    APPLY(200, "", NULL, "one", BASE); /* the editor's stays */
    CHECK_INT(json_int_at(heard.object, "spec.n", 0), 5);
    drop("w.o");
    /* Who creates owns the defaults as well; who applies does not. */
    CREATE(.body = fact("o", ""), .field_manager = "maker");
    APPLY(409, "Conflict", "conflict with \"maker\" using " GROUP "/v1: .spec.preset", "one",
          "'preset':'y'");
    drop("w.o");
    APPLY(201, "", NULL, "maker", BASE);
    CHECK_STR(at("spec.preset"), "x");
    APPLY(200, "", NULL, "one", "'preset':'y'");
    drop("w.o");
}

TEST(apply_owns_items_of_map_lists)
{
    APPLY(201, "", NULL, "one", BASE ",'template':{'env':[{'name':'A','value':'1'}]}");
    APPLY(200, "", NULL, "two", "'template':{'env':[{'name':'B','value':'2'}]}");
    CHECK_INT(json_array_size(json_at(heard.object, "spec.template.env")), 2);
    APPLY(409, "Conflict", "conflict with \"one\": .spec.template.env[name=\"A\"].value", "two",
          "'template':{'env':[{'name':'A','value':'2'}]}");
    APPLY(200, "", NULL, "two", "'template':{'image':'a'}");
    CHECK_INT(json_array_size(json_at(heard.object, "spec.template.env")), 1);
    APPLY(200, "", NULL, "one", BASE);
    CHECK(!json_at(heard.object, "spec.template.env"));
    CHECK_STR(at("spec.template.image"), "a");
    APPLY(200, "", NULL, "two", "'on':true");
    CHECK(!json_at(heard.object, "spec.template.image"));
    /* An atomic list is one field. */
    APPLY(200, "", NULL, "one", BASE ",'template':{'args':['a','b']}");
    APPLY(409, "Conflict", "conflict with \"one\": .spec.template.args", "two",
          "'template':{'args':['a']}");
    drop("w.o");
}

TEST(what_apply_refuses)
{
    INVALID("fieldManager: Required value: is required for apply patch", .verb = K8S_APPLY,
            .name = "w.o", .body = fact("o", ""));
    ASK(400, "BadRequest", "invalid object type", .verb = K8S_APPLY, .name = "w.o",
        .field_manager = "one", .body = J("{'metadata':{'name':'w.o'},'spec':{}}"));
    APPLY(500, "", "field not declared in schema", "one", BASE ",'zzz':1");
    CHECK_HAS(heard.error.text, ".spec.zzz");
    CHECK_INT(heard.error.code, ERROR_INVALID);
    APPLY(422, "Invalid", "spec.workflow: Required value", "one", "'on':true");
    ASK(400, "BadRequest", "metadata.managedFields must be nil", .verb = K8S_APPLY, .name = "w.o",
        .field_manager = "one",
        .body = J("{'apiVersion':'" GROUP "/v1','kind':'Fact','metadata':{'name':'w.o',"
                  "'managedFields':[{}]},'spec':{" BASE "}}"));
    ASK(404, "NotFound", NULL, .verb = K8S_APPLY, .name = "w.o", .subresource = "status",
        .field_manager = "one",
        .body = J("{'apiVersion':'" GROUP "/v1','kind':'Fact','metadata':{'name':'w.o'},"
                  "'status':{'state':'on'}}"));
}

#define APPLY_WITH(status, reason, part, meta, spec)                                               \
    ASK(status, reason, part, .verb = K8S_APPLY, .name = "w.o", .field_manager = "one",            \
        .body = J("{'apiVersion':'" GROUP "/v1','kind':'Fact','metadata':{'name':'w.o',%s},"       \
                  "'spec':{" spec "}}",                                                            \
                  meta))

TEST(preconditions_of_applies)
{
    APPLY_WITH(409, "Conflict",
               "uid mismatch: the provided object specified uid " OTHER
               ", and no existing object was found",
               "'uid':'" OTHER "','resourceVersion':'1'", BASE);
    /* The version alone protects from nothing. */
    APPLY_WITH(201, "", NULL, "'resourceVersion':'1'", BASE);
    const char *stale = copy(heard.version), *uid = copy(at("metadata.uid"));
    APPLY_WITH(200, "", NULL, J("'resourceVersion':'%s','uid':'%s'", stale, uid), BASE ",'n':1");
    APPLY_WITH(409, "Conflict",
               "Operation cannot be fulfilled on facts." GROUP " \"w.o\": the object has been "
               "modified; please apply your changes to the latest version and try again",
               J("'resourceVersion':'%s'", stale), BASE ",'n':2");
    CHECK(!json_at(heard.object, "details.causes"));
    APPLY_WITH(422, "Invalid", "field is immutable", "'uid':'" OTHER "'", BASE ",'n':2");
    drop("w.o");
}

static json_t *entry_of(const char *manager)
{
    size_t i;
    json_t *entry;

    json_array_foreach (json_at(heard.object, "metadata.managedFields"), i, entry)
        if (strcmp(json_text_at(entry, "manager"), manager) == 0)
            return entry;
    return NULL;
}

static bool owns(const char *manager, const char *key)
{
    return json_object_get(json_at(entry_of(manager), "fieldsV1.f:spec"), key) != NULL;
}

TEST(ownership_is_an_object_like_any_other)
{
    APPLY(201, "", NULL, "one", BASE ",'n':1");
    CHECK_STR(json_text_at(entry_of("one"), "operation"), "Apply");
    CHECK(owns("one", "f:n"));
    CHECK(!owns("one", "f:preset"));
    /* Handed over by a patch of the entries. */
    CLEANUP(json_decref) json_t *entries =
        json_deep_copy(json_at(heard.object, "metadata.managedFields"));
    json_t *first = json_array_get(entries, 0);
    json_object_del(json_at(first, "fieldsV1.f:spec"), "f:n");
    json_t *second = json_deep_copy(first);
    json_object_set_new(second, "manager", json_string("two"));
    json_object_set_new(second, "fieldsV1", json_pack("{s:{s:{}}}", "f:spec", "f:n"));
    json_array_append_new(entries, second);
    CLEANUP(json_decref) json_t *patch = json_pack("{s:{s:s, s:O}}", "metadata", "resourceVersion",
                                                   heard.version, "managedFields", entries);
    CLEANUP(free) char *text = json_print(patch);
    PATCH(.name = "w.o", .field_manager = "other", .body = text);
    CHECK(owns("two", "f:n"));
    CHECK(!owns("one", "f:n"));
    APPLY(200, "", NULL, "two", "'n':2");
    APPLY(200, "", NULL, "one", BASE);
    CHECK_INT(json_int_at(heard.object, "spec.n", 0), 2);
    /* Emptied, nobody keeps count any more; the first apply finds somebody before it. */
    PATCH(.name = "w.o", .body = J("{'metadata':{'managedFields':[{}]}}"));
    CHECK_INT(json_array_size(json_at(heard.object, "metadata.managedFields")), 0);
    PATCH(.name = "w.o", .body = J("{'spec':{'n':3}}"));
    CHECK_INT(json_array_size(json_at(heard.object, "metadata.managedFields")), 0);
    APPLY(409, "Conflict", "conflict with \"before-first-apply\" using " GROUP "/v1: .spec.n",
          "one", "'n':4");
    drop("w.o");
}

/* ---- owners ---- */

static const char *owned_map(const char *name, const char *uid, bool blocks)
{
    return J("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'%s','ownerReferences':[{"
             "'apiVersion':'" GROUP "/v1','kind':'Fact','name':'w.q','uid':'%s',"
             "'blockOwnerDeletion':%s}]}}",
             name, uid, blocks ? "true" : "false");
}

/* An owner w.q, and what it owns: a map of that name. */
static void make_owner(const char *map, bool blocks)
{
    make("q", "");
    const char *uid = copy(at("metadata.uid"));

    CREATE(.resource = &maps, .body = owned_map(map, uid, blocks));
}

/* Kubernetes looks for new kinds, as owners, every 30 s. */
#define COLLECTED_MS 120000

TEST(what_is_owned_goes_with_its_owner)
{
    make_owner("background", false);
    DELETE(.name = "w.q");
    GOES(&maps, "background", COLLECTED_MS);

    CREATE(.resource = &maps, .body = owned_map("nobody", OTHER, false)); /* no 4xx */
    GOES(&maps, "nobody", COLLECTED_MS);

    make_owner("foreground", false);
    DELETE(.name = "w.q", .body = J("{'propagationPolicy':'Foreground'}"));
    CHECK_STR(at("kind"), "Fact");
    CHECK(at("metadata.deletionTimestamp"));
    GOES(&facts, "w.q", COLLECTED_MS);
    GOES(&maps, "foreground", COLLECTED_MS);

    make_owner("orphan", false);
    DELETE(.name = "w.q", .body = J("{'propagationPolicy':'Orphan'}"));
    GOES(&facts, "w.q", COLLECTED_MS);
    GET(.resource = &maps, .name = "orphan");
    CHECK(!json_at(heard.object, "metadata.ownerReferences"));
    DELETE(.resource = &maps, .name = "orphan");
}

TEST(an_owner_waits_for_what_blocks_it)
{
    make_owner("blocks", true);
    PATCH(.resource = &maps, .name = "blocks",
          .body = J("{'metadata':{'finalizers':['kharon.dev/a']}}"));
    DELETE(.name = "w.q", .body = J("{'propagationPolicy':'Foreground'}"));
    BECOMES(&maps, "blocks", "kind", "ConfigMap", 1000);
    for (int i = 0; i < 100 && !at("metadata.deletionTimestamp"); i++) {
        pass(100);
        GET(.resource = &maps, .name = "blocks");
    }
    CHECK(at("metadata.deletionTimestamp"));
    GET(.name = "w.q");
    PATCH(.resource = &maps, .name = "blocks", .body = J("{'metadata':{'finalizers':null}}"));
    GOES(&facts, "w.q", COLLECTED_MS);
}

/* ---- pods, without a kubelet ---- */

/* more: further members of the spec, each with a comma before it. */
static const char *pod(const char *name, const char *meta, const char *more)
{
    return J("{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s'%s},'spec':{"
             "'restartPolicy':'Never','automountServiceAccountToken':false,"
             "'containers':[{'name':'main','image':'busybox:1'}]%s}}",
             name, meta, more);
}

#define FINALIZER ",'finalizers':['kharon.dev/outcome']"

static void take_finalizer(const char *name)
{
    PATCH(.resource = &pods, .name = name, .body = J("{'metadata':{'finalizers':null}}"));
}

/* The reason of a condition. */
static const char *condition(const json_t *object, const char *type)
{
    size_t i;
    json_t *one;

    json_array_foreach (json_at(object, "status.conditions"), i, one)
        if (strcmp(json_text_at(one, "type"), type) == 0)
            return json_text_at(one, "reason");
    return NULL;
}

/* The account is made by a controller, some time after the namespace. */
static void make_pod(const char *name, const char *meta, const char *more)
{
    for (int i = 0; i < 100; i++) {
        send((struct k8s_request) {
            .verb = K8S_CREATE, .resource = &pods, .body = pod(name, meta, more)});
        if (heard.status != 403)
            break;
        pass(100);
    }
    if (heard.status != 201)
        TEST_FAIL("%s: %s", name, heard.error.text);
}

TEST(a_pod_that_is_not_bound)
{
    make_pod("u", FINALIZER, "");
    CHECK_STR(at("status.phase"), "Pending");
    for (int i = 0; i < 100 && !condition(heard.object, "PodScheduled"); i++) {
        pass(100);
        GET(.resource = &pods, .name = "u");
    }
    CHECK_STR(condition(heard.object, "PodScheduled"), "Unschedulable");
    DELETE(.resource = &pods, .name = "u");
    CHECK_STR(at("kind"), "Pod"); /* not a Status */
    CHECK_INT(json_int_at(heard.object, "metadata.deletionGracePeriodSeconds", -1), 0);
    CHECK_STR(at("status.phase"), "Pending");
    BECOMES(&pods, "u", "status.phase", "Failed", 60000);
    take_finalizer("u");
    GONE(.resource = &pods, .name = "u");
    make_pod("u", "", "");
    DELETE(.resource = &pods, .name = "u"); /* without a finalizer it goes at once */
    CHECK_STR(at("kind"), "Pod");
    GONE(.resource = &pods, .name = "u");
}

TEST(a_gated_pod_says_so)
{
    make_pod("g", "", ",'schedulingGates':[{'name':'kharon.dev/gate'}]");
    for (int i = 0; i < 100 && !condition(heard.object, "PodScheduled"); i++) {
        pass(100);
        GET(.resource = &pods, .name = "g");
    }
    CHECK_STR(condition(heard.object, "PodScheduled"), "SchedulingGated");
    DELETE(.resource = &pods, .name = "g");
}

TEST(what_pods_meet_at_creation)
{
    ASK(403, "Forbidden",
        J("pods \"p\" is forbidden: error looking up service account %s/nope: serviceaccount "
          "\"nope\" not found",
          ns),
        .verb = K8S_CREATE, .resource = &pods,
        .body = pod("p", "", ",'serviceAccountName':'nope'"));
    CHECK_INT(heard.error.code, ERROR_FORBIDDEN);
    ASK(403, "Forbidden", "pods \"p\" is forbidden: no PriorityClass with name nope was found",
        .verb = K8S_CREATE, .resource = &pods, .body = pod("p", "", ",'priorityClassName':'nope'"));
    CREATE(.resource = &quotas,
           .body = J("{'apiVersion':'v1','kind':'ResourceQuota','metadata':{'name':'q'},"
                     "'spec':{'hard':{'pods':'0'}}}"));
    for (int i = 0; i < 100; i++) { /* until it counts, and what was there is gone */
        send(
            (struct k8s_request) {.verb = K8S_CREATE, .resource = &pods, .body = pod("p", "", "")});
        if (heard.status == 403 && strstr(heard.error.text, "used: pods=0"))
            break;
        send((struct k8s_request) {.verb = K8S_DELETE, .resource = &pods, .name = "p"});
        pass(100);
    }
    CHECK_HAS(heard.error.text, "pods \"p\" is forbidden: exceeded quota: q, requested: pods=1, "
                                "used: pods=0, limited: pods=0");
    DELETE(.resource = &quotas, .name = "q");
}

/* A node that nobody runs, with a pod on it that has a finalizer, and one that has none. */
static void make_node(const char *node)
{
    const char *spec = J(",'nodeName':'%s'", node);

    CREATE(.resource = &nodes,
           .body = J("{'apiVersion':'v1','kind':'Node','metadata':{'name':'%s'}}", node));
    make_pod("kept", FINALIZER, spec);
    make_pod("free", "", spec);
}

static int64_t grace_left(void)
{
    return json_int_at(heard.object, "metadata.deletionGracePeriodSeconds", -1);
}

static void check_given_up(int line, const char *reason)
{
    becomes(line, &pods, "kept", "status.phase", "Failed", 90000);
    CHECK_STR_AT(line, condition(heard.object, "DisruptionTarget"), reason);
    for (int i = 0; i < 100 && grace_left() != 0; i++) { /* it comes next, whatever was before */
        pass(100);
        GET(.resource = &pods, .name = "kept");
    }
    CHECK_INT_AT(line, grace_left(), 0);
    goes(line, &pods, "free", 30000);
    take_finalizer("kept");
    goes(line, &pods, "kept", 5000);
}

TEST(pods_of_a_node_that_is_out_of_service)
{
    make_node("facts-a");
    DELETE(.resource = &pods, .name = "kept");
    CHECK_INT(grace_left(), 30);
    DELETE(.resource = &pods, .name = "free"); /* nobody stops it: it stays */
    pass(2000);
    GET(.resource = &pods, .name = "free");
    CHECK_STR(at("status.phase"), "Pending");
    PATCH(.resource = &nodes, .name = "facts-a",
          .body = J("{'spec':{'taints':[{'key':'node.kubernetes.io/out-of-service',"
                    "'effect':'NoExecute'}]}}"));
    check_given_up(__LINE__, "DeletionByTaintManager");
    DELETE(.resource = &nodes, .name = "facts-a");
}

TEST(pods_of_a_node_that_was_removed)
{
    make_node("facts-b");
    DELETE(.resource = &nodes, .name = "facts-b");
    pass(5000); /* not at once */
    GET(.resource = &pods, .name = "free");
    check_given_up(__LINE__, "DeletionByPodGC");
}

/* ---- leases, events ---- */

TEST(what_leases_refuse)
{
    CREATE(.resource = &leases,
           .body =
               J("{'apiVersion':'coordination.k8s.io/v1','kind':'Lease','metadata':{'name':'l'},"
                 "'spec':{'holderIdentity':'a','leaseDurationSeconds':15,"
                 "'renewTime':'2026-01-01T00:00:00.000000Z'}}"));
    INVALID(NULL, .verb = K8S_PATCH, .resource = &leases, .name = "l",
            .body = J("{'spec':{'leaseDurationSeconds':0}}"));
    INVALID(NULL, .verb = K8S_PATCH, .resource = &leases, .name = "l",
            .body = J("{'spec':{'renewTime':'2026-01-01T00:00:00.000Z'}}"));
    PATCH(.resource = &leases, .name = "l",
          .body = J("{'spec':{'holderIdentity':'','leaseDurationSeconds':1,"
                    "'renewTime':'2026-01-01T00:00:01.123456Z'}}"));
    DELETE(.resource = &leases, .name = "l");
}

static const char *event(const char *name, const char *more)
{
    return J("{'apiVersion':'events.k8s.io/v1','kind':'Event','metadata':{'name':'%s'},"
             "'eventTime':'2026-01-01T00:00:00.000000Z','type':'Normal',"
             "'reportingController':'kharon.dev/operator','regarding':{'kind':'Fact',"
             "'name':'w.e','namespace':'%s'}%s}",
             name, ns, more);
}

TEST(what_events_refuse)
{
    CLEANUP(free) char *note = xcalloc(1, 1026);

    memset(note, 'a', 1025);
#define ALL ",'reason':'R','action':'A','reportingInstance':'i'"
    CREATE(.resource = &events, .body = event("e.1", ALL));
    INVALID("can have at most 1024 characters", .verb = K8S_CREATE, .resource = &events,
            .body = event("e.2", J(ALL ",'note':'%s'", note)));
    INVALID("reason", .verb = K8S_CREATE, .resource = &events,
            .body = event("e.2", ",'action':'A','reportingInstance':'i'"));
    INVALID("action", .verb = K8S_CREATE, .resource = &events,
            .body = event("e.2", ",'reason':'R','reportingInstance':'i'"));
    DELETE(.resource = &events, .name = "e.1");
}

/* ---- the end ---- */

/* The last test. */
TEST(a_namespace_that_ends)
{
    CREATE(.resource = &maps,
           .body = J("{'metadata':{'name':'kept','finalizers':['kharon.dev/a']}}"));
    DELETE(.resource = &namespaces, .name = ns);
    ASK(403, "Forbidden",
        J("configmaps \"late\" is forbidden: unable to create new content in namespace %s because "
          "it is being terminated",
          ns),
        .verb = K8S_CREATE, .resource = &maps, .body = J("{'metadata':{'name':'late'}}"));
    const json_t *cause = json_array_get(json_at(heard.object, "details.causes"), 0);
    CHECK_STR(json_text_at(cause, "reason"), "NamespaceTerminating");
    PATCH(.resource = &maps, .name = "kept", .body = J("{'metadata':{'finalizers':null}}"));
    GOES(&namespaces, ns, 60000);
    DELETE(.resource = &crds, .name = "facts." GROUP);
    forget(&heard);
    facts_disconnect();
}

#endif
