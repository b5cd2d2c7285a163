/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/1.1 server on the loop that does what a test tells it: answers byte by byte, falls
 * silent, hangs up.  For everything that a real API server does once in a blue moon.
 */
#ifndef KHARON_SIM_SCRIPT_H
#define KHARON_SIM_SCRIPT_H

#include "base/buf.h"
#include "base/loop.h"

struct script;

/* A request that has arrived whole.  Valid until it is answered, or its connection ends. */
struct script_request {
    struct script *script;
    const char *method, *path; /* the path with its query */
    const char *head;          /* all header lines */
    const char *body;
    void *connection;
};

struct script *script_new(struct loop *loop,
                          void (*on_request)(struct script_request *request, void *arg), void *arg);
void script_free(struct script *script);
const char *script_url(const struct script *script); /* "http://127.0.0.1:port" */
int script_connections(const struct script *script); /* ever accepted */

/* As it is, in one write each. */
void script_send(struct script_request *request, const char *bytes);
/* A whole answer; extra: header lines, each with CRLF. */
void script_answer(struct script_request *request, int status, const char *extra, const char *body);
/* The end of the connection: orderly, or as if the host were gone (reset). */
void script_hang_up(struct script_request *request, bool reset);
/* Nothing is read or accepted any more, or it is again. */
void script_freeze(struct script *script, bool frozen);

#endif
