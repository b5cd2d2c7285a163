/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "apiserver/head.h"
#include "base/alloc.h"

static void check_head(int line, const char *text, const char *want)
{
    struct error err = {0};
    size_t len = 0;
    bool fine = head_check(text, strlen(text), &len, &err);

    CHECK_STR_AT(line, fine ? "" : err.text, want);
    if (fine)
        CHECK_STR_AT(line, text + len, "body");
}

#define HEAD(text, want) check_head(__LINE__, text, want)

TEST(head_that_everybody_reads_alike)
{
    HEAD("GET / HTTP/1.1\r\nHost: x\r\n\r\nbody", "");
    HEAD("GET / HTTP/1.1\r\nhOST:x\r\nX-Host: y\r\nHostess: z\r\n\r\nbody", "");
    HEAD("\r\nGET / HTTP/1.1\r\nHost:\r\n\r\nbody", "");
    HEAD("GET / HTTP/1.0\r\n\r\nbody", "");
    HEAD("GET / HTTP/1.0\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", "");
    HEAD("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nbody", "");
}

TEST(head_that_somebody_may_read_differently)
{
    HEAD("GET / HTTP/1.1\r\n\r\n", "Bad Request: not exactly one Host");
    HEAD("GET / HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n", "Bad Request: not exactly one Host");
    HEAD("GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", "Bad Request: not exactly one Host");
    HEAD("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
         "Bad Request: more than one Content-Length");
    HEAD("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: a\r\n\r\n",
         "Bad Request: more than one Transfer-Encoding");
    HEAD("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nCONTENT-LENGTH: 1\r\n\r\n",
         "Bad Request: both Content-Length and Transfer-Encoding");
    HEAD("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
         "Bad Request: Transfer-Encoding in HTTP/1.0");
    HEAD("GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\n\r\n", "Bad Request: a folded header line");
    HEAD("\r\n\r\nHost: x\r\n\r\n", "Bad Request: no request line");
    HEAD("GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n\tz\r\n\r\n", "Bad Request: a folded header line");
}

TEST(head_whose_lines_end_otherwise)
{
    static const char *const heads[] = {
        "GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\n", "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n",   "",
    };

    for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
        HEAD(heads[i], "Bad Request: lines have to end in CR LF");
}
