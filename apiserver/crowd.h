/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has to go, when there are too many connections or they hold too much memory: the decision,
 * without a socket.
 *
 * A connection is READING while it waits for its client (idle, or in the middle of a request),
 * WORKING while we owe an answer, WRITING while the client takes it.  Those that cost their client
 * the least to do without go first: idle ones, then half-sent requests, then answers that are not
 * read, and among equals the one that has been so for longest.  Where we owe an answer, nobody
 * goes.
 *
 * So a new client always gets in, however many others only hold their connections.
 */
#ifndef KHARON_APISERVER_CROWD_H
#define KHARON_APISERVER_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum crowd_state { CROWD_READING, CROWD_WORKING, CROWD_WRITING };

struct crowd_member {
    enum crowd_state state;
    bool leaving;     /* told to go already */
    int64_t since_ms; /* in this state */
    int64_t begun_ms; /* READING: when a part of a request was first seen; 0: none */
    size_t input;     /* bytes received and kept */
    size_t output;    /* bytes of an answer that are kept */
};

void crowd_enter(struct crowd_member *m, enum crowd_state state, int64_t now_ms);
/* Looks at what has arrived. */
void crowd_see_input(struct crowd_member *m, size_t input, int64_t now_ms);

/* A request has to arrive within patience_ms of its beginning, and begin within that of the last
 * answer. */
enum crowd_verdict { CROWD_STAYS, CROWD_WAS_IDLE, CROWD_WAS_SLOW };
enum crowd_verdict crowd_judge(const struct crowd_member *m, int64_t patience_ms, int64_t now_ms);

/* Why somebody has to go; decides who may be asked to. */
enum crowd_lack {
    CROWD_LACKS_PLACES, /* all but those that we owe an answer */
    CROWD_LACKS_INPUT,  /* those with a part of a request */
    CROWD_LACKS_OUTPUT, /* those with an answer that they do not read */
};
bool crowd_may_go(const struct crowd_member *m, enum crowd_lack lack);
/* Whether a goes before b. */
bool crowd_goes_before(const struct crowd_member *a, const struct crowd_member *b);

#endif
