/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/kubeconfig.h"

#include <openssl/evp.h>
#include <string.h>
#include <yaml.h>

struct reader {
    yaml_document_t document;
    const char *dir;
    struct error *err;
};

static const char *text_of(const yaml_node_t *node)
{
    return node && node->type == YAML_SCALAR_NODE ? (const char *) node->data.scalar.value : NULL;
}

/* A member of a mapping; NULL if there is none, or if it is null. */
static yaml_node_t *member(struct reader *r, const yaml_node_t *node, const char *name)
{
    if (!node || node->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
         p < node->data.mapping.pairs.top; p++) {
        const char *key = text_of(yaml_document_get_node(&r->document, p->key));
        yaml_node_t *value = yaml_document_get_node(&r->document, p->value);
        const char *text = text_of(value);

        if (key && strcmp(key, name) == 0)
            return text && (!*text || strcmp(text, "null") == 0 || strcmp(text, "~") == 0) ? NULL
                                                                                           : value;
    }
    return NULL;
}

static const char *text_member(struct reader *r, const yaml_node_t *node, const char *name)
{
    return text_of(member(r, node, name));
}

/* The named entry of "clusters", "contexts" or "users": its member `what`. */
static yaml_node_t *entry(struct reader *r, const char *list, const char *what, const char *name)
{
    const yaml_node_t *all = member(r, yaml_document_get_root_node(&r->document), list);

    if (all && all->type == YAML_SEQUENCE_NODE) {
        for (const yaml_node_item_t *i = all->data.sequence.items.start;
             i < all->data.sequence.items.top; i++) {
            const yaml_node_t *one = yaml_document_get_node(&r->document, *i);
            const char *its_name = text_member(r, one, "name");

            if (!its_name || strcmp(its_name, name) != 0)
                continue;
            yaml_node_t *value = member(r, one, what);
            if (!value)
                error_set(r->err, ERROR_INVALID, "%s: \"%s\" has no %s", list, name, what);
            return value;
        }
    }
    error_set(r->err, ERROR_INVALID, "%s: there is no \"%s\"", list, name);
    return NULL;
}

/* Refuses what would change whom we talk to, or as whom, if it were ignored. */
static bool refuse(struct reader *r, const yaml_node_t *node, const char *where,
                   const char *const *names)
{
    for (; *names; names++)
        if (member(r, node, *names))
            return error_set(r->err, ERROR_INVALID, "%s: %s is not supported", where, *names);
    return true;
}

/* Line breaks, as YAML blocks have them, do not count. */
static bool decode_base64(struct reader *r, const char *name, const char *text, char **ret)
{
    CLEANUP(free) char *dense = xcalloc(1, strlen(text) + 1);
    size_t len = 0;

    for (; *text; text++)
        if (!strchr(" \t\r\n", *text))
            dense[len++] = *text;
    CLEANUP(free) char *out = xcalloc(1, len / 4 * 3 + 1);
    if (len == 0 || len % 4 != 0 ||
        EVP_DecodeBlock((unsigned char *) out, (const unsigned char *) dense, (int) len) < 0)
        return error_set(r->err, ERROR_INVALID, "%s: not base64", name);
    *ret = TAKE(out); /* the padding has become NULs, which end the text */
    return true;
}

/* `name` is a file, `name`-data its contents. */
static bool read_data(struct reader *r, const yaml_node_t *node, const char *name, char **ret)
{
    CLEANUP(free) char *data_name = xasprintf("%s-data", name);
    const char *data = text_member(r, node, data_name), *path = text_member(r, node, name);

    if (data)
        return decode_base64(r, data_name, data, ret);
    if (!path)
        return true;
    CLEANUP(free) char *full = *path == '/' ? xstrdup(path) : xasprintf("%s/%s", r->dir, path);
    return k8s_read_file(full, ret, r->err) || error_prefix(r->err, "%s", name);
}

/* A host, with or without a port and a path; no user, no query. */
static bool is_authority(const char *text)
{
    for (const char *s = text; *s; s++)
        if (*s <= ' ' || *s > '~' || strchr("@?#\"\\", *s))
            return false;
    return *text && *text != '/' && *text != ':';
}

static bool read_server(struct reader *r, const yaml_node_t *cluster, bool allow_insecure,
                        struct k8s_config *c)
{
    const char *server = text_member(r, cluster, "server");
    bool https = server && strncmp(server, "https://", 8) == 0,
         http = server && strncmp(server, "http://", 7) == 0;

    if ((!https && !http) || !is_authority(server + (https ? 8 : 7)))
        return error_set(r->err, ERROR_INVALID, "clusters: server \"%s\" is no http(s) URL",
                         server ? server : "");
    if (!https && !allow_insecure)
        return error_set(r->err, ERROR_INVALID, "clusters: server %s is not https", server);
    size_t len = strlen(server);
    while (len > 0 && server[len - 1] == '/')
        len--;
    c->server = xstrndup(server, len);
    return true;
}

static bool read_cluster(struct reader *r, const yaml_node_t *cluster, bool allow_insecure,
                         struct k8s_config *c)
{
    static const char *const refused[] = {"proxy-url", NULL};
    const char *skip = text_member(r, cluster, "insecure-skip-tls-verify");

    c->insecure = skip && strcmp(skip, "true") == 0;
    if (c->insecure && !allow_insecure)
        return error_set(r->err, ERROR_INVALID,
                         "clusters: insecure-skip-tls-verify is not allowed here");
    c->server_name = xstrdup(text_member(r, cluster, "tls-server-name"));
    return refuse(r, cluster, "clusters", refused) && read_server(r, cluster, allow_insecure, c) &&
           read_data(r, cluster, "certificate-authority", &c->ca);
}

static bool read_user(struct reader *r, const yaml_node_t *user, struct k8s_config *c)
{
    static const char *const refused[] = {"exec", "auth-provider", "username",  "password",
                                          "as",   "as-uid",        "as-groups", "as-user-extra",
                                          NULL};
    const char *token_file = text_member(r, user, "tokenFile");

    if (!refuse(r, user, "users", refused) ||
        !read_data(r, user, "client-certificate", &c->certificate) ||
        !read_data(r, user, "client-key", &c->key))
        return false;
    if (!c->certificate != !c->key)
        return error_set(r->err, ERROR_INVALID,
                         "users: client-certificate and client-key belong together");
    c->token = xstrdup(text_member(r, user, "token"));
    if (token_file)
        c->token_file =
            *token_file == '/' ? xstrdup(token_file) : xasprintf("%s/%s", r->dir, token_file);
    return true;
}

static bool read_context(struct reader *r, const struct k8s_config_options *options,
                         struct k8s_config *c)
{
    const yaml_node_t *root = yaml_document_get_root_node(&r->document);
    const char *name =
        options->context ? options->context : text_member(r, root, "current-context");

    if (!name)
        return error_set(r->err, ERROR_INVALID, "current-context is not set");
    const yaml_node_t *context = entry(r, "contexts", "context", name);
    if (!context)
        return false;
    const char *cluster_name = text_member(r, context, "cluster"),
               *user_name = text_member(r, context, "user");
    const char *ns = text_member(r, context, "namespace");
    if (!cluster_name)
        return error_set(r->err, ERROR_INVALID, "contexts: \"%s\" has no cluster", name);
    c->ns = xstrdup(ns ? ns : "default");
    const yaml_node_t *cluster = entry(r, "clusters", "cluster", cluster_name);
    if (!cluster || !read_cluster(r, cluster, options->allow_insecure, c))
        return false;
    if (!user_name)
        return true;
    const yaml_node_t *user = entry(r, "users", "user", user_name);
    return user && read_user(r, user, c);
}

static bool load_document(const char *text, size_t len, yaml_document_t *document,
                          struct error *err)
{
    yaml_parser_t parser;

    if (!yaml_parser_initialize(&parser))
        abort();
    yaml_parser_set_input_string(&parser, (const unsigned char *) text, len);
    bool ok = yaml_parser_load(&parser, document);
    if (!ok)
        error_set(err, ERROR_INVALID, "not YAML: line %zu: %s", parser.problem_mark.line + 1,
                  parser.problem ? parser.problem : "unknown");
    yaml_parser_delete(&parser);
    return ok;
}

bool k8s_config_parse(const char *text, size_t len, const char *dir,
                      const struct k8s_config_options *options, struct k8s_config **ret_config,
                      struct error *err)
{
    CLEANUP(k8s_config_free) struct k8s_config *c = NEW(struct k8s_config);
    struct reader r = {.dir = dir, .err = err};

    c->source = xstrdup("kubeconfig");
    if (!load_document(text, len, &r.document, err))
        return false;
    bool ok = read_context(&r, options, c);
    yaml_document_delete(&r.document);
    if (!ok)
        return false;
    CLEANUP(free) char *token = NULL;
    if (c->token && !c->token_file && !k8s_config_token(c, &token, err))
        return false;
    *ret_config = TAKE(c);
    return true;
}
