/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/config.h"

#include "k8s/kubeconfig.h"

#include "base/buf.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
#define MAX_FILE        (1024 * 1024)

void k8s_config_free(struct k8s_config *c)
{
    if (!c)
        return;
    free(c->source);
    free(c->server);
    free(c->server_name);
    free(c->ns);
    free(c->ca);
    free(c->certificate);
    free(c->key);
    free(c->token);
    free(c->token_file);
    free(c);
}

static bool read_all(FILE *file, const char *path, struct buf *b, struct error *err)
{
    char chunk[4096];
    size_t n;

    while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        if (b->len + n > MAX_FILE)
            return error_set(err, ERROR_TOO_LARGE, "%s: larger than %d bytes", path, MAX_FILE);
        buf_add(b, chunk, n);
    }
    if (ferror(file))
        return error_set(err, ERROR_INVALID, "%s: %s", path, strerror(errno));
    return true;
}

bool k8s_read_file(const char *path, char **ret_text, struct error *err)
{
    struct buf b = BUF_INIT;
    FILE *file = fopen(path, "re");

    if (!file)
        return error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_INVALID, "%s: %s", path,
                         strerror(errno));
    bool ok = read_all(file, path, &b, err);
    fclose(file);
    if (ok && memchr(buf_text(&b), '\0', b.len))
        ok = error_set(err, ERROR_INVALID, "%s: has a NUL byte", path);
    if (!ok) {
        buf_done(&b);
        return false;
    }
    *ret_text = buf_take(&b);
    return true;
}

/* Without spaces and line ends around it, and fit for a header. */
static bool clean_token(char *token, const char *where, struct error *err)
{
    size_t len = strlen(token), start = strspn(token, " \t\r\n");

    while (len > start && isspace((unsigned char) token[len - 1]))
        len--;
    memmove(token, token + start, len - start);
    token[len - start] = '\0';
    if (!*token)
        return error_set(err, ERROR_INVALID, "%s: the token is empty", where);
    for (const char *s = token; *s; s++)
        if (*s <= ' ' || *s > '~')
            return error_set(err, ERROR_INVALID, "%s: the token has a character that no token has",
                             where);
    return true;
}

bool k8s_config_token(const struct k8s_config *c, char **ret_token, struct error *err)
{
    CLEANUP(free) char *token = xstrdup(c->token);
    const char *where = c->token_file ? c->token_file : c->source;

    if (c->token_file) {
        free(TAKE(token));
        if (!k8s_read_file(c->token_file, &token, err))
            return false;
    }
    if (token && !clean_token(token, where, err))
        return false;
    *ret_token = TAKE(token);
    return true;
}

bool k8s_config_in_cluster(const char *host, const char *port, const char *root,
                           struct k8s_config **ret_config, struct error *err)
{
    CLEANUP(k8s_config_free) struct k8s_config *c = NEW(struct k8s_config);
    CLEANUP(free) char *ca = xasprintf("%s/ca.crt", root);
    CLEANUP(free) char *ns = xasprintf("%s/namespace", root);
    CLEANUP(free) char *token = NULL;
    bool ipv6 = strchr(host, ':') != NULL;
    struct error ignored;

    c->source = xstrdup("in-cluster");
    c->server = xasprintf("https://%s%s%s:%s", ipv6 ? "[" : "", host, ipv6 ? "]" : "",
                          port && *port ? port : "443");
    c->token_file = xasprintf("%s/token", root);
    if (!k8s_read_file(ca, &c->ca, err) || !k8s_config_token(c, &token, err))
        return error_prefix(err, "service account");
    if (!k8s_read_file(ns, &c->ns, &ignored) || !clean_token(c->ns, ns, &ignored)) {
        free(c->ns);
        c->ns = xstrdup("default");
    }
    *ret_config = TAKE(c);
    return true;
}

static bool load_file(const char *path, const struct k8s_config_options *options,
                      struct k8s_config **ret_config, struct error *err)
{
    CLEANUP(free) char *text = NULL;
    const char *slash = strrchr(path, '/');
    CLEANUP(free) char *dir = slash ? xstrndup(path, (size_t) (slash - path)) : xstrdup(".");

    if (!k8s_read_file(path, &text, err))
        return false;
    if (!k8s_config_parse(text, strlen(text), dir, options, ret_config, err))
        return error_prefix(err, "%s", path);
    free((*ret_config)->source);
    (*ret_config)->source = xstrdup(path);
    return true;
}

bool k8s_config_load(const struct k8s_config_options *options, struct k8s_config **ret_config,
                     struct error *err)
{
    const char *list = getenv("KUBECONFIG"), *host = getenv("KUBERNETES_SERVICE_HOST"),
               *home = getenv("HOME");

    if (options->path)
        return load_file(options->path, options, ret_config, err);
    if (list && *list) {
        CLEANUP(free) char *first = xstrndup(list, strcspn(list, ":"));

        return load_file(first, options, ret_config, err);
    }
    if (host && *host)
        return k8s_config_in_cluster(host, getenv("KUBERNETES_SERVICE_PORT"), SERVICE_ACCOUNT,
                                     ret_config, err);
    if (home && *home) {
        CLEANUP(free) char *path = xasprintf("%s/.kube/config", home);

        if (access(path, F_OK) == 0)
            return load_file(path, options, ret_config, err);
    }
    return error_set(err, ERROR_NOT_FOUND,
                     "no Kubernetes: neither KUBECONFIG, nor a pod's KUBERNETES_SERVICE_HOST, nor "
                     "~/.kube/config");
}
