/* SPDX-License-Identifier: Apache-2.0 */
/*
 * malloc for the program `sim` (KHARON_SIM_FAST): a list of free blocks for each size, without
 * anything before them, and a count of what is in use.  A simulation does little else than making
 * and freeing small trees.  It has one thread.
 */
#include "sim/pool.h"

#include <malloc.h>

#ifdef KHARON_SIM_FAST

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define STEP    16
#define POOLED  2048 /* bytes; larger ones are the C library's */
#define N_POOLS (POOLED / STEP + 1)
#define SLAB    ((size_t) 64 * 1024) /* of blocks of one size */
#define N_SLABS ((size_t) 256 * 1024)
#define N_ARENA (N_SLABS * SLAB) /* addresses, not memory */

void *__libc_malloc(size_t size);
void __libc_free(void *p);

/* Before every block of the C library; keeps it aligned. */
struct head {
    size_t size, before; /* bytes; those between what the library gave and the head */
};

struct block {
    struct block *next; /* while it is free */
};

static struct {
    struct block *free;
    char *slab, *slab_end; /* what was never given away */
} pools[N_POOLS];

static char *arena;
static size_t n_slabs, in_use;
static uint8_t pool_of_slab[N_SLABS];

size_t pool_in_use(void)
{
    return in_use;
}

/* Where a block comes from; 0: the C library. */
static size_t pool_of(const void *p)
{
    uintptr_t at = (uintptr_t) p - (uintptr_t) arena;

    return at < n_slabs * SLAB ? pool_of_slab[at / SLAB] : 0;
}

/* The size of the block. */
static size_t size_of(const void *p)
{
    size_t pool = pool_of(p);

    return pool ? pool * STEP : ((const struct head *) p - 1)->size;
}

static bool open_arena(void)
{
    void *p = mmap(NULL, N_ARENA, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    arena = p == MAP_FAILED ? NULL : p;
    return arena;
}

static void *carve(size_t pool)
{
    if ((size_t) (pools[pool].slab_end - pools[pool].slab) < pool * STEP) {
        if ((!arena && !open_arena()) || n_slabs == N_SLABS)
            return NULL;
        pool_of_slab[n_slabs] = (uint8_t) pool;
        pools[pool].slab = arena + n_slabs++ * SLAB;
        pools[pool].slab_end = pools[pool].slab + SLAB;
    }
    void *p = pools[pool].slab;
    pools[pool].slab += pool * STEP;
    return p;
}

static void *of_library(size_t align, size_t size)
{
    char *raw = __libc_malloc(sizeof(struct head) + align + size);

    if (!raw)
        return NULL;
    uintptr_t at = ((uintptr_t) raw + sizeof(struct head) + align - 1) & ~(uintptr_t) (align - 1);
    struct head *h = (struct head *) at - 1;
    *h = (struct head) {.size = size, .before = (size_t) ((char *) h - raw)};
    in_use += size;
    return h + 1;
}

void *malloc(size_t size)
{
    size_t pool = size ? (size + STEP - 1) / STEP : 1;

    if (pool >= N_POOLS)
        return of_library(STEP, size);
    struct block *b = pools[pool].free;
    if (b)
        pools[pool].free = b->next;
    else if (!(b = carve(pool)))
        return NULL;
    in_use += pool * STEP;
    return b;
}

void free(void *p)
{
    if (!p)
        return;
    size_t pool = pool_of(p);
    if (pool) {
        struct block *b = p;

        b->next = pools[pool].free;
        pools[pool].free = b;
        in_use -= pool * STEP;
        return;
    }
    struct head *h = (struct head *) p - 1;
    in_use -= h->size;
    __libc_free((char *) h - h->before);
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
    size_t before = size_of(p);
    if (size <= before && pool_of(p))
        return p;
    void *q = malloc(size);
    if (!q)
        return NULL;
    memcpy(q, p, before < size ? before : size);
    free(p);
    return q;
}

void *memalign(size_t align, size_t size)
{
    return of_library(align < STEP ? STEP : align, size);
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
    return p ? size_of(p) : 0;
}

#else

size_t pool_in_use(void)
{
    return mallinfo2().uordblks;
}

#endif
