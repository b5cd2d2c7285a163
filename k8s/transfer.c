/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/transfer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define MAX_ITEM (16u * 1024 * 1024) /* an object or an event: several times what etcd accepts */
#define MAX_REST (1024 * 1024)

#define LAST_SECOND INT64_C(253402300799) /* of the year 9999 */

/* ---- where to ---- */

/* "https://host:port/path" as seen by the certificate's name: only the host is another. */
static void rename_host(struct target *target, const char *server, const char *name)
{
    const char *host = strstr(server, "://") + 3;
    size_t len = strcspn(host, "/");
    CLEANUP(free) char *authority = xstrndup(host, len);
    const char *colon = strrchr(authority, ':');
    bool has_port = colon && !strchr(colon, ']');
    CLEANUP(free) char *to = xasprintf("::%s%s", authority, has_port ? "" : ":443");

    target->base = xasprintf("%.*s%s%s%s", (int) (host - server), server, name,
                             has_port ? colon : "", host + len);
    target->connect_to = curl_slist_append(NULL, to);
}

void target_init(struct target *target, const struct k8s_config *config)
{
    *target = (struct target) {.config = config};
    if (config->server_name)
        rename_host(target, config->server, config->server_name);
    else
        target->base = xstrdup(config->server);
}

void target_done(struct target *target)
{
    free(target->base);
    free(target->token);
    curl_slist_free_all(target->connect_to);
}

/* ---- libcurl's callbacks ---- */

static size_t on_body_wanted(char *space, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t room = size * n, left = t->body_len - t->body_at;

    if (t->body_at == 0 && t->events.may_send && !t->events.may_send(t->arg)) {
        t->stopped = true;
        return CURL_READFUNC_ABORT;
    }
    size_t len = left < room ? left : room;
    memcpy(space, t->body + t->body_at, len);
    t->body_at += len;
    return len;
}

/* An error's answer is a text whatever was asked for. */
static void store(struct transfer *t, const char *data, size_t len)
{
    enum transfer_kind kind = t->status == 200 ? t->kind : TRANSFER_TEXT;

    if (kind == TRANSFER_ITEMS)
        items_add(&t->items, data, len);
    else if (kind == TRANSFER_LINES)
        lines_add(&t->lines, data, len);
    else
        buf_add(&t->text, data, len);
}

static size_t on_answer(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * n;

    if (t->kind != TRANSFER_LINES && len > t->max - t->received) {
        t->too_large = true;
        return 0;
    }
    t->received += len;
    store(t, data, len);
    t->events.on_data(t->arg);
    return len;
}

/* Of "HTTP/1.1 200 OK"; 0: none. */
static int status_of(const char *line)
{
    const char *space = strchr(line, ' ');
    long status = space ? strtol(space, NULL, 10) : 0;

    return status >= 100 && status <= 999 ? (int) status : 0;
}

/* The value of a header line if it has this name. */
static const char *header_value(const char *line, size_t len, const char *name)
{
    size_t n = strlen(name);

    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return NULL;
    line += n + 1;
    return line + strspn(line, " \t");
}

void transfer_header(struct transfer *t, const char *line, size_t len)
{
    const char *value;

    if (strncmp(line, "HTTP/", 5) == 0) {
        t->status = status_of(line);
    } else if ((value = header_value(line, len, "retry-after"))) {
        long seconds = strtol(value, NULL, 10);

        t->retry_after_ms = seconds > 0 && seconds <= 3600 ? seconds * 1000 : 0;
    } else if ((value = header_value(line, len, "date"))) {
        snprintf(t->date, sizeof(t->date), "%s", value);
    }
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * n;
    char line[256];

    if (len > 0 && len < sizeof(line)) {
        memcpy(line, data, len);
        line[len] = '\0';
        line[strcspn(line, "\r\n")] = '\0';
        transfer_header(t, line, strlen(line));
    }
    t->events.on_data(t->arg);
    return len;
}

/* A peer that has vanished takes 15 minutes to be noticed otherwise, and requests go on being put
 * on that connection. */
static int on_new_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    const struct target *target = arg;

    (void) purpose;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &target->dead_peer_ms,
               sizeof(target->dead_peer_ms));
    return CURL_SOCKOPT_OK;
}

/* ---- a request ---- */

static void set_blob(CURL *easy, CURLoption option, const char *text)
{
    struct curl_blob blob = {
        .data = (void *) (uintptr_t) text, .len = text ? strlen(text) : 0, .flags = CURL_BLOB_COPY};

    if (text)
        curl_easy_setopt(easy, option, &blob);
}

static void set_trust(CURL *easy, const struct target *target)
{
    const struct k8s_config *c = target->config;

    if (c->ca) {
        set_blob(easy, CURLOPT_CAINFO_BLOB, c->ca);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* or the system's would be trusted as well */
    }
    if (c->certificate && c->key) {
        set_blob(easy, CURLOPT_SSLCERT_BLOB, c->certificate);
        set_blob(easy, CURLOPT_SSLKEY_BLOB, c->key);
    }
    if (c->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void set_connection(CURL *easy, const struct target *target, enum transfer_kind kind)
{
    /* libcurl 7.88 misses the end of one of several long answers that share an HTTP/2 connection,
     * until something else comes on it.  Lists are the long ones. */
    long version = kind == TRANSFER_ITEMS ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS;

    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
                     "https,http"); /* the configuration has judged http */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
    /* Wait for a connection that is being opened, it may do for both; without TLS that is known
     * only after an answer. */
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, strncmp(target->base, "https:", 6) == 0 ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, target->connect_ms);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 20L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_new_socket);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, target);
    if (target->connect_to)
        curl_easy_setopt(easy, CURLOPT_CONNECT_TO, target->connect_to);
    set_trust(easy, target);
}

static void add_header(struct transfer *t, const char *name, const char *value)
{
    CLEANUP(free) char *line = xasprintf("%s: %s", name, value);

    t->headers = curl_slist_append(t->headers, line);
    if (!t->headers)
        abort();
}

static void set_headers(struct transfer *t, const struct target *target, const char *content_type)
{
    add_header(t, "Accept", "application/json");
    if (content_type)
        add_header(t, "Content-Type", content_type);
    if (target->token) {
        CLEANUP(free) char *bearer = xasprintf("Bearer %s", target->token);

        add_header(t, "Authorization", bearer);
    }
    t->headers = curl_slist_append(t->headers, "Expect:");
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "kharon/" KHARON_VERSION);
}

static void set_body(struct transfer *t, const char *method)
{
    if (t->body) {
        curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) t->body_len);
        curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, on_body_wanted);
        curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
    }
    curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
}

void transfer_begin(struct transfer *t, CURL *easy, const struct target *target, const char *method,
                    const char *path, const char *content_type, char *body, size_t max)
{
    CLEANUP(free) char *url = xasprintf("%s%s", target->base, path);

    t->easy = easy;
    t->body = body;
    t->body_len = body ? strlen(body) : 0;
    t->max = max;
    items_init(&t->items, MAX_ITEM, MAX_REST);
    lines_init(&t->lines, MAX_ITEM);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_text);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    set_connection(easy, target, t->kind);
    set_headers(t, target, content_type);
    set_body(t, method);
}

CURL *transfer_end(struct transfer *t)
{
    CURL *easy = TAKE(t->easy);

    curl_easy_reset(easy);
    curl_slist_free_all(TAKE(t->headers));
    return easy;
}

void transfer_done(struct transfer *t)
{
    free(t->body);
    buf_done(&t->text);
    items_done(&t->items);
    lines_done(&t->lines);
}

int64_t transfer_date_ms(const struct transfer *t)
{
    time_t seconds = *t->date ? curl_getdate(t->date, NULL) : -1;

    return seconds > 0 && seconds <= LAST_SECOND ? (int64_t) seconds * 1000 : 0;
}
