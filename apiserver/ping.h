/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API server as its own client: for `helm test` and for images without any other.
 */
#ifndef KHARON_APISERVER_PING_H
#define KHARON_APISERVER_PING_H

/* Gets a URL within 10 s and prints the answer; an exit status. */
int ping(const char *url);

#endif
