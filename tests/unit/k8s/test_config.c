/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "k8s/config.h"

#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void make_dir(void)
{
    snprintf(dir, sizeof(dir), "/tmp/kharon-test-config-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
}

static void remove_dir(void)
{
    CLEANUP(free) char *command = xasprintf("rm -r '%s'", dir);

    CHECK_INT(system(command), 0);
}

static void write_file(const char *name, const char *text)
{
    CLEANUP(free) char *path = xasprintf("%s/%s", dir, name);
    FILE *file = fopen(path, "w");

    CHECK(file != NULL);
    fputs(text, file);
    fclose(file);
}

static bool parse(const char *text, struct k8s_config_options options, struct k8s_config **ret,
                  struct error *err)
{
    return k8s_config_parse(text, strlen(text), dir, &options, ret, err);
}

#define KUBECONFIG(cluster, user)                                                                  \
    "apiVersion: v1\nkind: Config\ncurrent-context: one\n"                                         \
    "contexts:\n- name: other\n  context: {cluster: none}\n- name: one\n  context: {cluster: c, "  \
    "user: u, namespace: n}\n"                                                                     \
    "clusters:\n- name: c\n  cluster: {" cluster "}\nusers:\n- name: u\n  user: {" user "}\n"

#define SERVER "server: 'https://h:6443/'"

TEST(a_kubeconfig_is_read)
{
    CLEANUP(k8s_config_free) struct k8s_config *c = NULL;
    struct error err = {0};

    CHECK_OK(
        parse(KUBECONFIG(SERVER ", certificate-authority-data: Q0E=, tls-server-name: k",
                         "client-certificate-data: Q0VSVA==, client-key-data: S0VZ, token: secret"),
              (struct k8s_config_options) {0}, &c, &err),
        &err);
    CHECK_STR(c->server, "https://h:6443");
    CHECK_STR(c->server_name, "k");
    CHECK_STR(c->ns, "n");
    CHECK_STR(c->ca, "CA");
    CHECK_STR(c->certificate, "CERT");
    CHECK_STR(c->key, "KEY");
    CHECK_STR(c->token, "secret");
    CHECK(!c->insecure);
}

TEST(json_and_blocks_are_yaml_too)
{
    CLEANUP(k8s_config_free) struct k8s_config *a = NULL, *b = NULL;
    struct error err = {0};

    CHECK_OK(parse("{\"current-context\":\"x\",\"contexts\":[{\"name\":\"x\",\"context\":{"
                   "\"cluster\":\"c\"}}],"
                   "\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"https://h\"}}]}",
                   (struct k8s_config_options) {0}, &a, &err),
             &err);
    CHECK_STR(a->server, "https://h");
    CHECK_STR(a->ns, "default");
    CHECK(!a->ca && !a->token && !a->certificate);
    CHECK_OK(parse("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters:\n- "
                   "name: c\n  cluster:\n"
                   "    server: https://h\n    certificate-authority-data: |\n      Q0\n      E=\n",
                   (struct k8s_config_options) {0}, &b, &err),
             &err);
    CHECK_STR(b->ca, "CA");
}

TEST(files_are_relative_to_the_kubeconfig)
{
    CLEANUP(k8s_config_free) struct k8s_config *c = NULL;
    CLEANUP(free) char *token = NULL, *again = NULL;
    struct error err = {0};

    make_dir();
    write_file("ca.pem", "CA\n");
    write_file("cert.pem", "CERT\n");
    write_file("key.pem", "KEY\n");
    write_file("token", " one\n");
    CHECK_OK(
        parse(KUBECONFIG(SERVER ", certificate-authority: ca.pem",
                         "client-certificate: cert.pem, client-key: key.pem, tokenFile: token"),
              (struct k8s_config_options) {0}, &c, &err),
        &err);
    CHECK_STR(c->ca, "CA\n");
    CHECK_STR(c->key, "KEY\n");
    CHECK_OK(k8s_config_token(c, &token, &err), &err);
    CHECK_STR(token, "one");
    write_file("token", "two"); /* Kubernetes renews it */
    CHECK_OK(k8s_config_token(c, &again, &err), &err);
    CHECK_STR(again, "two");
    remove_dir();
}

TEST(another_context_may_be_named)
{
    CLEANUP(k8s_config_free) struct k8s_config *c = NULL;
    struct error err = {0};

    CHECK_ERROR(
        parse(KUBECONFIG(SERVER, ""), (struct k8s_config_options) {.context = "other"}, &c, &err),
        &err, ERROR_INVALID);
    CHECK_STR(err.text, "clusters: there is no \"none\"");
    CHECK_ERROR(
        parse(KUBECONFIG(SERVER, ""), (struct k8s_config_options) {.context = "nope"}, &c, &err),
        &err, ERROR_INVALID);
    CHECK_STR(err.text, "contexts: there is no \"nope\"");
}

static void check_refused(int line, const char *text, const char *want)
{
    struct k8s_config *c = NULL;
    struct error err = {0};

    CHECK_ERROR_AT(line, parse(text, (struct k8s_config_options) {0}, &c, &err), &err,
                   ERROR_INVALID);
    CHECK_STR_AT(line, err.text, want);
    CHECK_AT(line, c == NULL);
}

#define REFUSED(text, want) check_refused(__LINE__, text, want)

TEST(what_is_not_supported_is_refused_by_name)
{
    REFUSED(KUBECONFIG(SERVER, "exec: {command: aws}"), "users: exec is not supported");
    REFUSED(KUBECONFIG(SERVER, "auth-provider: {name: gcp}"),
            "users: auth-provider is not supported");
    REFUSED(KUBECONFIG(SERVER, "username: a"), "users: username is not supported");
    REFUSED(KUBECONFIG(SERVER, "token: t, as: root"), "users: as is not supported");
    REFUSED(KUBECONFIG(SERVER ", proxy-url: 'http://p'", ""),
            "clusters: proxy-url is not supported");
    REFUSED(KUBECONFIG(SERVER ", insecure-skip-tls-verify: true", ""),
            "clusters: insecure-skip-tls-verify is not allowed here");
    REFUSED(KUBECONFIG("server: 'http://h'", ""), "clusters: server http://h is not https");
    REFUSED(KUBECONFIG("server: 'ftp://h'", ""), "clusters: server \"ftp://h\" is no http(s) URL");
    REFUSED(KUBECONFIG("server: 'https:///'", ""),
            "clusters: server \"https:///\" is no http(s) URL");
    REFUSED(KUBECONFIG("server: 'https://a@h'", ""),
            "clusters: server \"https://a@h\" is no http(s) URL");
    REFUSED(KUBECONFIG("server: 'https://h?a'", ""),
            "clusters: server \"https://h?a\" is no http(s) URL");
    REFUSED(KUBECONFIG("", ""), "clusters: server \"\" is no http(s) URL");
}

TEST(mistakes_are_told)
{
    REFUSED("", "current-context is not set");
    REFUSED("[]", "current-context is not set");
    REFUSED("current-context: [", "not YAML: line 2: did not find expected node content");
    REFUSED("a: b", "current-context is not set");
    REFUSED("current-context: x", "contexts: there is no \"x\"");
    REFUSED("current-context: x\ncontexts: [{name: x, context: {user: u}}]",
            "contexts: \"x\" has no cluster");
    REFUSED("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: 7",
            "clusters: there is no \"c\"");
    REFUSED("current-context: x\ncontexts: &c [{name: x, context: {cluster: x}}]\nclusters: *c",
            "clusters: \"x\" has no cluster");
    REFUSED(KUBECONFIG(SERVER ", certificate-authority-data: '%%%%'", ""),
            "certificate-authority-data: not base64");
    REFUSED(KUBECONFIG(SERVER ", certificate-authority-data: Q0E", ""),
            "certificate-authority-data: not base64");
    REFUSED(KUBECONFIG(SERVER, "client-certificate-data: Q0E="),
            "users: client-certificate and client-key belong together");
    REFUSED(KUBECONFIG(SERVER, "token: \"a\\nb\""),
            "kubeconfig: the token has a character that no token has");
}

TEST(a_missing_file_is_told)
{
    struct k8s_config *c = NULL;
    struct error err = {0};

    make_dir();
    CHECK(!parse(KUBECONFIG(SERVER ", certificate-authority: nope.pem", ""),
                 (struct k8s_config_options) {0}, &c, &err));
    CHECK_HAS(err.text, "certificate-authority: ");
    CHECK_HAS(err.text, "nope.pem: No such file or directory");
    remove_dir();
}

TEST(insecure_is_allowed_when_said)
{
    CLEANUP(k8s_config_free) struct k8s_config *c = NULL, *d = NULL;
    struct error err = {0};

    CHECK_OK(parse(KUBECONFIG("server: 'http://h'", ""),
                   (struct k8s_config_options) {.allow_insecure = true}, &c, &err),
             &err);
    CHECK_STR(c->server, "http://h");
    CHECK_OK(parse(KUBECONFIG(SERVER ", insecure-skip-tls-verify: true", ""),
                   (struct k8s_config_options) {.allow_insecure = true}, &d, &err),
             &err);
    CHECK(d->insecure);
}

TEST(in_cluster)
{
    CLEANUP(k8s_config_free) struct k8s_config *c = NULL, *d = NULL, *none = NULL;
    struct error err = {0};

    make_dir();
    CHECK(!k8s_config_in_cluster("10.0.0.1", "443", dir, &none, &err));
    CHECK_HAS(err.text, "service account: ");
    write_file("ca.crt", "CA");
    write_file("token", "t\n");
    write_file("namespace", "kharon\n");
    CHECK_OK(k8s_config_in_cluster("10.0.0.1", "6443", dir, &c, &err), &err);
    CHECK_STR(c->server, "https://10.0.0.1:6443");
    CHECK_STR(c->ns, "kharon");
    CHECK_STR(c->ca, "CA");
    CHECK_OK(k8s_config_in_cluster("fd00::1", "443", dir, &d, &err), &err);
    CHECK_STR(d->server, "https://[fd00::1]:443");
    write_file("token", "");
    CHECK_ERROR(k8s_config_in_cluster("10.0.0.1", "443", dir, &none, &err), &err, ERROR_INVALID);
    remove_dir();
}

TEST(where_it_is_looked_for)
{
    CLEANUP(k8s_config_free) struct k8s_config *c = NULL, *d = NULL, *none = NULL;
    CLEANUP(free) char *list = NULL, *path = NULL, *kube = NULL;
    struct error err = {0};

    make_dir();
    write_file("config", KUBECONFIG(SERVER, "token: t"));
    list = xasprintf("%s/config:/nonexistent", dir);
    path = xasprintf("%s/config", dir);
    setenv("KUBECONFIG", list, 1);
    CHECK_OK(k8s_config_load(&(struct k8s_config_options) {0}, &c, &err), &err);
    CHECK_STR(c->source, path);
    unsetenv("KUBECONFIG");
    unsetenv("KUBERNETES_SERVICE_HOST");
    setenv("HOME", dir, 1);
    CHECK_ERROR(k8s_config_load(&(struct k8s_config_options) {0}, &none, &err), &err,
                ERROR_NOT_FOUND);
    CHECK_HAS(err.text, "no Kubernetes");
    kube = xasprintf("%s/.kube", dir);
    CHECK_INT(mkdir(kube, 0700), 0);
    write_file(".kube/config", KUBECONFIG(SERVER, "token: t"));
    CHECK_OK(k8s_config_load(&(struct k8s_config_options) {0}, &d, &err), &err);
    remove_dir();
}
