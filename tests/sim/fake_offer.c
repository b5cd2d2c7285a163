/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is printed here and parsed there, within one process and for nothing but the look of it, is
 * most of a simulation's work.  Where it is about speed (KHARON_SIM_FAST) objects are handed over
 * as they are: items of lists and watches by a text that stands for them, bodies of requests by
 * remembering what was printed last.  Runs are the same with it and without: hashes tell.
 */
#include "sim/fake_server.h"

#include <string.h>

#ifdef KHARON_SIM_FAST

#define REMEMBERED 256

struct printed {
    uint64_t hash;
    size_t len;
    json_t *json;
};

static const json_t *offered;
static const char offer[] = "{\"an\": \"offer\"}";
static struct printed printed[REMEMBERED];
static size_t n_printed;

const char *fake_offer(const json_t *object)
{
    offered = object;
    return offer;
}

static uint64_t hash_of(const char *text, size_t len)
{
    uint64_t hash = len, word;

    for (; len >= sizeof(word); text += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    for (; len > 0; text++, len--)
        hash = (hash ^ (unsigned char) *text) * 0x100000001b3u;
    return hash ? hash : 1;
}

/* The linker gives these to whoever calls json_parse and json_print. */
bool __real_json_parse(const char *text, size_t len, json_t **ret_json, struct error *err);
bool __wrap_json_parse(const char *text, size_t len, json_t **ret_json, struct error *err);
char *__wrap_json_print(const json_t *json);

char *__wrap_json_print(const json_t *json)
{
    struct printed *p = &printed[n_printed++ % REMEMBERED];
    char *text = fake_print(json);

    json_decref(p->json);
    p->len = strlen(text);
    p->hash = hash_of(text, p->len);
    p->json = json_incref((json_t *) (uintptr_t) json);
    return text;
}

/* Newest first.  It is given away: whoever parses may change what he gets. */
static json_t *recall(const char *text, size_t len)
{
    uint64_t hash = hash_of(text, len);

    for (size_t i = 1; i <= REMEMBERED && i <= n_printed; i++) {
        struct printed *p = &printed[(n_printed - i) % REMEMBERED];

        if (p->hash != hash || p->len != len || !p->json)
            continue;
        json_t *json = p->json;
        p->json = NULL;
        return json;
    }
    return NULL;
}

bool __wrap_json_parse(const char *text, size_t len, json_t **ret_json, struct error *err)
{
    json_t *json = text == offer ? json_incref((json_t *) (uintptr_t) offered) : recall(text, len);

    if (!json)
        return __real_json_parse(text, len, ret_json, err);
    *ret_json = json;
    return true;
}

#else

const char *fake_offer(const json_t *object)
{
    (void) object;
    return NULL;
}

#endif
