/*
 * Counts what a program asks of the C library's allocator, to be loaded before that (LD_PRELOAD): the truth about
 * programs that cannot tell it.
 *
 * The file that TALLY names holds the counts as they stand, four numbers of eight bytes: allocations, frees, bytes asked
 * for, calls that failed. A realloc that succeeds is a free and an allocation. Children count into the same file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void *__libc_valloc(size_t size);
extern void *__libc_pvalloc(size_t size);
extern void __libc_free(void *block);

struct counts {
    uint64_t allocations, frees, bytes, failures;
};

/* Until the file is there, and where there is none. */
static struct counts before;
static struct counts *counts = &before;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("TALLY");
    int file = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    struct counts *shared;
    if (file < 0 || ftruncate(file, sizeof before) != 0)
        return;
    shared = mmap(NULL, sizeof before, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED)
        return;
    __atomic_fetch_add(&shared->allocations, before.allocations, __ATOMIC_RELAXED);
    __atomic_fetch_add(&shared->frees, before.frees, __ATOMIC_RELAXED);
    __atomic_fetch_add(&shared->bytes, before.bytes, __ATOMIC_RELAXED);
    __atomic_fetch_add(&shared->failures, before.failures, __ATOMIC_RELAXED);
    counts = shared;
}

static void *counted(void *block, size_t size)
{
    __atomic_fetch_add(block == NULL ? &counts->failures : &counts->allocations, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counts->bytes, block == NULL ? 0 : size, __ATOMIC_RELAXED);
    return block;
}

static void count_free(const void *block)
{
    __atomic_fetch_add(&counts->frees, block != NULL, __ATOMIC_RELAXED);
}

void *malloc(size_t size)
{
    return counted(__libc_malloc(size), size);
}

void *calloc(size_t count, size_t size)
{
    return counted(__libc_calloc(count, size), count * size);
}

/* The C library frees where it is asked for zero bytes instead of some. */
void *realloc(void *block, size_t size)
{
    void *grown = __libc_realloc(block, size);
    if (grown == NULL && block != NULL && size == 0) {
        count_free(block);
        return NULL;
    }
    if (grown != NULL)
        __atomic_fetch_add(&counts->frees, block != NULL, __ATOMIC_RELAXED);
    return counted(grown, size);
}

void *reallocarray(void *block, size_t count, size_t size)
{
    size_t whole;
    if (__builtin_mul_overflow(count, size, &whole))
        return errno = ENOMEM, counted(NULL, 0);
    return realloc(block, whole);
}

void *memalign(size_t alignment, size_t size)
{
    return counted(__libc_memalign(alignment, size), size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return counted(__libc_memalign(alignment, size), size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    void *made = NULL;
    if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    made = counted(__libc_memalign(alignment, size), size);
    if (made == NULL)
        return ENOMEM;
    *block = made;
    return 0;
}

void *valloc(size_t size)
{
    return counted(__libc_valloc(size), size);
}

void *pvalloc(size_t size)
{
    return counted(__libc_pvalloc(size), size);
}

void free(void *block)
{
    count_free(block);
    __libc_free(block);
}
