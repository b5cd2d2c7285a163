/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/evp.h>

#define UUID_SIZE 16

/* Fetched once: OpenSSL looks for the algorithm anew each time otherwise, which takes longer than
 * the hash of a short text. */
static void digest(EVP_MD **type, const char *name, const void *data, size_t len,
                   uint8_t *ret_digest)
{
    if (!*type)
        *type = EVP_MD_fetch(NULL, name, NULL);
    if (!*type || EVP_Digest(data, len, ret_digest, NULL, *type, NULL) != 1)
        abort(); /* only without memory, or without the algorithm */
}

void sha1(const void *data, size_t len, uint8_t ret_digest[SHA1_SIZE])
{
    static EVP_MD *type;

    digest(&type, "SHA1", data, len, ret_digest);
}

void sha256(const void *data, size_t len, uint8_t ret_digest[SHA256_SIZE])
{
    static EVP_MD *type;

    digest(&type, "SHA256", data, len, ret_digest);
}

void hex_encode(const uint8_t *data, size_t len, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        ret_text[2 * i] = digits[data[i] >> 4];
        ret_text[2 * i + 1] = digits[data[i] & 15];
    }
    ret_text[2 * len] = '\0';
}

void sha256_hex(const void *data, size_t len, char ret_text[2 * SHA256_SIZE + 1])
{
    uint8_t bytes[SHA256_SIZE];

    sha256(data, len, bytes);
    hex_encode(bytes, sizeof(bytes), ret_text);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_dash_at(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

static bool parse_uuid(const char *text, uint8_t ret[UUID_SIZE])
{
    size_t n = 0;

    if (strlen(text) != UUID_TEXT_SIZE - 1)
        return false;
    for (size_t i = 0; text[i];) {
        if (is_dash_at(i)) {
            if (text[i++] != '-')
                return false;
            continue;
        }
        int high = hex_value(text[i]), low = hex_value(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret[n++] = (uint8_t) (high << 4 | low);
        i += 2;
    }
    return true;
}

/* Marks the bytes as a UUID of this version (RFC 4122, 4.1.1 and 4.1.3) and prints them. */
static void print_uuid(uint8_t bytes[UUID_SIZE], int version, char ret_text[UUID_TEXT_SIZE])
{
    size_t at = 0;

    bytes[6] = (uint8_t) ((bytes[6] & 0x0F) | version << 4);
    bytes[8] = (uint8_t) ((bytes[8] & 0x3F) | 0x80);
    for (size_t i = 0; i < UUID_SIZE; i++) {
        if (is_dash_at(at))
            ret_text[at++] = '-';
        hex_encode(bytes + i, 1, ret_text + at);
        at += 2;
    }
}

bool uuid5(const char *namespace_uuid, const char *name, char ret_text[UUID_TEXT_SIZE])
{
    uint8_t hash[SHA1_SIZE];
    size_t name_len = strlen(name);

    if (!parse_uuid(namespace_uuid, hash))
        return false;
    CLEANUP(free) char *bytes = xcalloc(UUID_SIZE + name_len, 1);
    memcpy(bytes, hash, UUID_SIZE);
    memcpy(bytes + UUID_SIZE, name, name_len);
    sha1(bytes, UUID_SIZE + name_len, hash);
    print_uuid(hash, 5, ret_text);
    return true;
}

static struct rng *redirected;

void random_redirect(struct rng *rng)
{
    redirected = rng;
}

static void random_bytes(void *data, size_t len)
{
    uint8_t *bytes = data;

    assert(len <= 256); /* more could be interrupted by a signal */
    for (size_t i = 0; redirected && i < len; i++)
        bytes[i] = (uint8_t) rng_below(redirected, 256);
    if (redirected)
        return;
    if (getrandom(data, len, 0) != (ssize_t) len)
        abort();
}

void uuid4(char ret_text[UUID_TEXT_SIZE])
{
    uint8_t bytes[UUID_SIZE];

    random_bytes(bytes, sizeof(bytes));
    print_uuid(bytes, 4, ret_text);
}

void random_hex(char *ret_text, size_t n)
{
    uint8_t bytes[32];
    char text[2 * sizeof(bytes) + 1];

    assert(n < sizeof(text));
    random_bytes(bytes, sizeof(bytes));
    hex_encode(bytes, sizeof(bytes), text);
    memcpy(ret_text, text, n);
    ret_text[n] = '\0';
}
