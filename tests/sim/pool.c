/* SPDX-License-Identifier: Apache-2.0 */
/*
 * malloc for the program `sim` (KHARON_SIM_FAST): a list of free blocks for each size, and a count
 * of what is in use.  A simulation does little else than making and freeing small trees.  It has
 * one thread.
 */
#include "sim/pool.h"

#include <malloc.h>

#ifdef KHARON_SIM_FAST

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define STEP    16
#define POOLED  2048 /* bytes; larger ones are the C library's */
#define SLAB    (256 * 1024)
#define N_POOLS (POOLED / STEP + 1)

void *__libc_malloc(size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

/* Before every block; keeps it aligned. */
struct head {
    uint32_t pool;   /* its size / STEP; 0: of the C library */
    uint32_t before; /* bytes between what that gave and the head */
    size_t size;
};

union block {
    struct head head;
    union block *next; /* while it is free */
};

static union block *pools[N_POOLS];
static char *slab, *slab_end;
static size_t in_use;

size_t pool_in_use(void)
{
    return in_use;
}

static void *carve(size_t bytes)
{
    if ((size_t) (slab_end - slab) < bytes) {
        slab = __libc_malloc(SLAB);
        if (!slab)
            return NULL;
        slab_end = slab + SLAB;
    }
    void *p = slab;
    slab += bytes;
    return p;
}

static void *finish(struct head *h, uint32_t pool, uint32_t before, size_t size)
{
    if (!h)
        return NULL;
    *h = (struct head) {.pool = pool, .before = before, .size = size};
    in_use += size;
    return h + 1;
}

void *malloc(size_t size)
{
    size_t pool = size ? (size + STEP - 1) / STEP : 1;

    if (pool >= N_POOLS)
        return finish(__libc_malloc(sizeof(struct head) + size), 0, 0, size);
    union block *b = pools[pool];
    if (b)
        pools[pool] = b->next;
    else
        b = carve(sizeof(struct head) + pool * STEP);
    return finish((struct head *) b, (uint32_t) pool, 0, size);
}

void free(void *p)
{
    if (!p)
        return;
    struct head *h = (struct head *) p - 1;
    in_use -= h->size;
    if (h->pool == 0) {
        __libc_free((char *) h - h->before);
        return;
    }
    union block *b = (union block *) h;
    uint32_t pool = h->pool;
    b->next = pools[pool];
    pools[pool] = b;
}

void *calloc(size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = malloc(n * size);
    return p ? memset(p, 0, n * size) : NULL;
}

void *realloc(void *p, size_t size)
{
    if (!p)
        return malloc(size);
    struct head *h = (struct head *) p - 1;
    if (h->pool && size <= (size_t) h->pool * STEP) {
        in_use += size - h->size;
        h->size = size;
        return p;
    }
    void *q = malloc(size);
    if (!q)
        return NULL;
    memcpy(q, p, h->size < size ? h->size : size);
    free(p);
    return q;
}

void *memalign(size_t align, size_t size)
{
    char *raw = __libc_malloc(sizeof(struct head) + align + size);

    if (!raw)
        return NULL;
    uintptr_t at = ((uintptr_t) raw + sizeof(struct head) + align - 1) & ~(uintptr_t) (align - 1);
    struct head *h = (struct head *) at - 1;
    return finish(h, 0, (uint32_t) ((char *) h - raw), size);
}

void *aligned_alloc(size_t align, size_t size)
{
    return memalign(align, size);
}

int posix_memalign(void **ret, size_t align, size_t size)
{
    *ret = memalign(align, size);
    return *ret ? 0 : ENOMEM;
}

size_t malloc_usable_size(void *p)
{
    return p ? ((struct head *) p - 1)->size : 0;
}

#else

size_t pool_in_use(void)
{
    return mallinfo2().uordblks;
}

#endif
