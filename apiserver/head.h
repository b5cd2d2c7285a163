/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the head of an HTTP/1 request may not be, though h2o's parser takes it.
 *
 * The parser decides where a head ends and what its lines mean.  It is lenient where another server
 * on the way may read the same bytes differently, and who can make two servers disagree about where
 * a request ends can smuggle one past the first (RFC 9112, 11.2).  So these are refused:
 *
 *  - Content-Length and Transfer-Encoding together, or either of them twice, and the latter in
 *    HTTP/1.0;
 *  - lines that do not end in CR LF, and folded ones;
 *  - not exactly one Host (RFC 9112, 3.2); HTTP/1.0 need not have one.
 */
#ifndef KHARON_APISERVER_HEAD_H
#define KHARON_APISERVER_HEAD_H

#include "base/error.h"

#include <stddef.h>

/* `bytes` begin with a head that was parsed, an empty line before it included; what follows it does
 * not matter.  False: ERROR_INVALID. */
bool head_check(const char *bytes, size_t len, size_t *ret_head_len, struct error *err);

#endif
