/*
 * An allocator to be loaded before the C library's, of which a signal handler may ask anything at any time: it never
 * waits, for it never takes anything back. It lasts for 2 GiB.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define ROOM ((size_t)1 << 31)
#define SMALLEST 16

static char *room;
static size_t taken;

static char *begin(void)
{
    char *start = __atomic_load_n(&room, __ATOMIC_ACQUIRE), *none = NULL;
    if (start != NULL)
        return start;
    start = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    if (__atomic_compare_exchange_n(&room, &none, start, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return start;
    munmap(start, ROOM);
    return none;
}

/* The size stands before the block. */
static void *take(size_t alignment, size_t size)
{
    char *start = begin();
    if (alignment < SMALLEST)
        alignment = SMALLEST;
    if (start == NULL || size > ROOM / 2 || alignment > ROOM / 2)
        return errno = ENOMEM, NULL;
    size_t whole = (size + alignment + SMALLEST + SMALLEST - 1) & ~(size_t)(SMALLEST - 1);
    size_t from = __atomic_fetch_add(&taken, whole, __ATOMIC_RELAXED);
    if (from + whole > ROOM)
        return errno = ENOMEM, NULL;
    uintptr_t block = ((uintptr_t)start + from + SMALLEST + alignment - 1) & ~(uintptr_t)(alignment - 1);
    ((size_t *)block)[-1] = size;
    return (void *)block;
}

size_t malloc_usable_size(void *block)
{
    return block == NULL ? 0 : ((size_t *)block)[-1];
}

void *malloc(size_t size)
{
    return take(SMALLEST, size);
}

void free(void *block)
{
    (void)block;
}

void *calloc(size_t count, size_t size)
{
    size_t whole;
    if (__builtin_mul_overflow(count, size, &whole))
        return errno = ENOMEM, NULL;
    return take(SMALLEST, whole);
}

void *realloc(void *block, size_t size)
{
    size_t before = malloc_usable_size(block);
    void *grown = take(SMALLEST, size);
    if (block == NULL || grown == NULL)
        return grown;
    return memcpy(grown, block, before < size ? before : size);
}

void *memalign(size_t alignment, size_t size)
{
    return take(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return take(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    *block = take(alignment, size);
    return *block == NULL ? ENOMEM : 0;
}
