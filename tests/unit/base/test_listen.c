/* SPDX-License-Identifier: Apache-2.0 */
#include "base/listen.h"

#include "base/alloc.h"
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#define PARSES(text, want) check_parses(__LINE__, text, want)

/* want: "address port", or NULL for none */
static void check_parses(int line, const char *text, const char *want)
{
    struct listen_address a = {0};
    struct error err;
    char host[INET6_ADDRSTRLEN] = "", got[100];
    bool fine = listen_parse(text, &a, &err);

    CHECK_AT(line, listen_check(text, &err) == fine);
    CHECK_AT(line, fine == (want != NULL));
    if (!want) {
        CHECK_INT_AT(line, err.code, ERROR_INVALID);
        CHECK_HAS_AT(line, err.text, text);
        return;
    }
    const struct sockaddr_in *v4 = (const struct sockaddr_in *) &a.sockaddr;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) &a.sockaddr;
    bool is_v6 = a.sockaddr.ss_family == AF_INET6;
    CHECK_AT(line, inet_ntop(a.sockaddr.ss_family,
                             is_v6 ? (const void *) &v6->sin6_addr : (const void *) &v4->sin_addr,
                             host, sizeof(host)));
    snprintf(got, sizeof(got), "%s %d", host, ntohs(is_v6 ? v6->sin6_port : v4->sin_port));
    CHECK_STR_AT(line, got, want);
}

TEST(addresses)
{
    PARSES(":8081", ":: 8081");
    PARSES(":0", ":: 0");
    PARSES("127.0.0.1:80", "127.0.0.1 80");
    PARSES("0.0.0.0:65535", "0.0.0.0 65535");
    PARSES("[::1]:8081", "::1 8081");
    PARSES("[::]:1", ":: 1");
    PARSES("", NULL);
    PARSES("8081", NULL);
    PARSES(":", NULL);
    PARSES(":65536", NULL);
    PARSES(":123456", NULL);
    PARSES(":80x", NULL);
    PARSES(": 80", NULL);
    PARSES(":-1", NULL);
    PARSES("localhost:80", NULL);
    PARSES("::1:80", NULL);
    PARSES("[::1]", NULL);
    PARSES("[]:80", NULL);
    PARSES("[127.0.0.1]:80", NULL);
    PARSES("127.0.0.1.5:80", NULL);
}

TEST(a_port_that_is_taken_is_an_error_with_a_name)
{
    struct error err;
    int fd, other = -1;
    char text[40];

    CHECK_OK(listen_open("127.0.0.1:0", &fd, &err), &err);
    CHECK(listen_port(fd) > 0);
    snprintf(text, sizeof(text), "127.0.0.1:%d", listen_port(fd));
    CHECK_ERROR(listen_open(text, &other, &err), &err, ERROR_UNAVAILABLE);
    CHECK_HAS(err.text, text);
    CHECK_HAS(err.text, "in use");
    CHECK_INT(other, -1);
    close(fd);
    CHECK_OK(listen_open(text, &fd, &err), &err);
    close(fd);
}

TEST(every_address_includes_ipv4)
{
    struct error err;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd, client = socket(AF_INET, SOCK_STREAM, 0);

    CHECK_OK(listen_open(":0", &fd, &err), &err);
    to.sin_port = htons((uint16_t) listen_port(fd));
    CHECK_INT(connect(client, (const struct sockaddr *) &to, sizeof(to)), 0);
    close(client);
    close(fd);
}

TEST(ports_of_what_is_no_socket)
{
    CHECK_INT(listen_port(-1), -1);
}
