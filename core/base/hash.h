/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests, and the names that are made of them.
 *
 * Derived names (the same input gives the same name) make creating something twice harmless:
 * uuid5 is RFC 4122, section 4.3.  Random ones come from the kernel and may be shown to anybody:
 * knowing some does not help to guess the others.
 */
#ifndef KHARON_BASE_HASH_H
#define KHARON_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA1_SIZE      20
#define SHA256_SIZE    32
#define UUID_TEXT_SIZE 37 /* 8-4-4-4-12 lower-case digits and a NUL */

void sha1(const void *data, size_t len, uint8_t ret_digest[SHA1_SIZE]);
void sha256(const void *data, size_t len, uint8_t ret_digest[SHA256_SIZE]);
void sha256_hex(const void *data, size_t len, char ret_text[2 * SHA256_SIZE + 1]);

/* Lower-case digits and a NUL: 2 * len + 1 characters. */
void hex_encode(const uint8_t *data, size_t len, char *ret_text);

/* The name-based UUID (SHA-1) of `name` in a namespace, which is the text of a UUID; false, and
 * ret_text untouched, when it is not. */
bool uuid5(const char *namespace_uuid, const char *name, char ret_text[UUID_TEXT_SIZE]);

/* A random UUID (version 4). */
void uuid4(char ret_text[UUID_TEXT_SIZE]);

/* n random hexadecimal digits and a NUL, for ids of requests; n <= 64. */
void random_hex(char *ret_text, size_t n);

/* For simulations: where both take their randomness from, instead of the kernel.  NULL restores
 * that. */
struct rng;
void random_redirect(struct rng *rng);

#endif
