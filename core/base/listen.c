/* SPDX-License-Identifier: Apache-2.0 */
#include "base/listen.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

/* The kernel has a limit of its own, too. */
#define BACKLOG 1024

static bool parse_port(const char *text, in_port_t *ret)
{
    char *end;

    if (!isdigit((unsigned char) *text) || strlen(text) > 5)
        return false;
    unsigned long port = strtoul(text, &end, 10);
    if (*end || port > 65535)
        return false;
    *ret = htons((uint16_t) port);
    return true;
}

static bool set_v4(const char *host, in_port_t port, struct listen_address *a)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = port};

    memcpy(&a->sockaddr, &in, sizeof(in));
    a->len = sizeof(in);
    return inet_pton(AF_INET, host, &((struct sockaddr_in *) &a->sockaddr)->sin_addr) == 1;
}

static bool set_v6(const char *host, in_port_t port, struct listen_address *a)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = port};

    memcpy(&a->sockaddr, &in, sizeof(in));
    a->len = sizeof(in);
    return inet_pton(AF_INET6, host, &((struct sockaddr_in6 *) &a->sockaddr)->sin6_addr) == 1;
}

bool listen_parse(const char *text, struct listen_address *ret, struct error *err)
{
    struct listen_address a = {0};
    const char *colon = strrchr(text, ':');
    in_port_t port = 0;
    bool fine = colon && parse_port(colon + 1, &port);

    if (fine) {
        size_t len = (size_t) (colon - text);
        bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
        CLEANUP(free) char *host = bracketed ? xstrndup(text + 1, len - 2) : xstrndup(text, len);

        fine = bracketed ? set_v6(host, port, &a) : set_v4(len ? host : "0.0.0.0", port, &a);
        if (len == 0)
            set_v6("::", port, &a);
    }
    if (!fine)
        return error_set(err, ERROR_INVALID,
                         "\"%s\" is not an address like :8081, 127.0.0.1:8081 or [::1]:8081", text);
    *ret = a;
    return true;
}

bool listen_check(const char *text, struct error *err)
{
    struct listen_address a;

    return listen_parse(text, &a, err);
}

static int open_socket(const struct listen_address *a, bool both_families)
{
    int fd = socket(a->sockaddr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1, v6_only = !both_families;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (a->sockaddr.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
    if (bind(fd, (const struct sockaddr *) &a->sockaddr, a->len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

bool listen_open(const char *text, int *ret_fd, struct error *err)
{
    struct listen_address a;
    bool every = text[0] == ':';

    if (!listen_parse(text, &a, err))
        return false;
    int fd = open_socket(&a, every);
    if (fd < 0 && every && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        in_port_t port = ((const struct sockaddr_in6 *) &a.sockaddr)->sin6_port;

        set_v4("0.0.0.0", port, &a); /* a kernel without IPv6 */
        fd = open_socket(&a, false);
    }
    if (fd < 0)
        return error_set(err, ERROR_UNAVAILABLE, "cannot listen on %s: %s", text, strerror(errno));
    *ret_fd = fd;
    return true;
}

int listen_port(int fd)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof(a);

    if (getsockname(fd, (struct sockaddr *) &a, &len) < 0)
        return -1;
    return ntohs(a.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *) &a)->sin6_port
                                         : ((const struct sockaddr_in *) &a)->sin_port);
}
