/*
 * Heaps of shapes that few programs have, and the C library's own account of them.
 *
 *   mode=arenas    many threads, each with an arena of its own; all stand still in the end         (default)
 *   mode=large     one thread with small blocks of more than 64 MiB together, with holes
 *   mode=mapped    blocks that are mapped each for itself, some of them aligned, some resized
 *   mode=none      no block at all
 *   count=         threads, MiB or blocks                                          (default 200, 150 or 3000)
 *
 * Tells `live`, `live_bytes` (what malloc_usable_size says of its own blocks) and mallinfo2; `stacks` blocks of 1234
 * bytes are held from the threads' stacks alone, and `lost` of 2222 bytes by nobody.
 */
#include "heap.h"

#include <pthread.h>

static pthread_barrier_t ready;
static size_t live, live_bytes, stacks, lost;

static char *take(size_t size)
{
    char *block = malloc(size);
    if (block == NULL)
        give_up("malloc");
    memset(block, 0x6b, size);
    __atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&live_bytes, malloc_usable_size(block), __ATOMIC_RELAXED);
    return block;
}

static void leave(char *block)
{
    __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&live_bytes, malloc_usable_size(block), __ATOMIC_RELAXED);
    free(block);
}

__attribute__((noinline)) static void lose(void)
{
    KEEP(take(2222));
    __atomic_fetch_add(&lost, 1, __ATOMIC_RELAXED);
}

static void *own_arena(void *number)
{
    lose();
    char *volatile on_stack = take(1234);
    __atomic_fetch_add(&stacks, 1, __ATOMIC_RELAXED);
    char *volatile some[16];
    for (size_t i = 0; i < 16; i++)
        some[i] = take(100 + 40 * i + (size_t)number);
    for (size_t i = 0; i < 16; i += 3) {
        leave(some[i]);
        some[i] = NULL;
    }
    scrub();
    pthread_barrier_wait(&ready);
    KEEP(&on_stack);
    KEEP(some);
    for (;;)
        pause();
    return number;
}

static void *several_heaps(void *mebibytes)
{
    char *previous = NULL, *volatile first = NULL;
    for (size_t got = 0; got < (size_t)mebibytes * MIB; got += 30000) {
        char *block = take(30000);
        /* A chain holds them; every seventh place is a hole. */
        if (got / 30000 % 7 == 3) {
            leave(block);
            leave(take(20000));
            continue;
        }
        *(char **)block = previous;
        previous = first = block;
    }
    pthread_barrier_wait(&ready);
    KEEP(&first);
    for (;;)
        pause();
    return NULL;
}

static char *volatile mapped[20000];

static void map_many(size_t count)
{
    mallopt(M_MMAP_THRESHOLD, 4096);
    for (size_t i = 0; i < count && i < sizeof mapped / sizeof *mapped; i++) {
        size_t size = 4096 + i * 37 % 9000, alignment = (size_t)32 << i % 12;
        char *block = i % 5 == 0 ? memalign(alignment, size) : malloc(size);
        if (i % 11 == 0)
            block = realloc(block, size * 2);
        if (block == NULL)
            give_up("malloc");
        mapped[i] = block;
        if (i % 17 == 0) {
            free(block);
            mapped[i] = NULL;
            continue;
        }
        live++;
        live_bytes += malloc_usable_size(block);
    }
}

int main(int count, char **arguments)
{
    const char *mode = option(count, arguments, "mode", "arenas");
    int arenas = strcmp(mode, "arenas") == 0, large = strcmp(mode, "large") == 0, none = strcmp(mode, "none") == 0;
    size_t wanted = quantity(count, arguments, "count", arenas ? 200 : large ? 150 : 3000);
    size_t threads = arenas ? wanted : large ? 1 : 0;
    if (none) {
        tell("ready");
        dwell();
        _exit(0);
    }
    if (arenas)
        mallopt(M_ARENA_MAX, (int)wanted + 1);
    pthread_barrier_init(&ready, NULL, (unsigned)threads + 1);
    for (size_t i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, arenas ? own_arena : several_heaps, (void *)(arenas ? i : wanted)) != 0)
            give_up("pthread_create");
    }
    if (threads == 0)
        map_many(wanted);
    pthread_barrier_wait(&ready);
    fact_number("live", live);
    fact_number("live_bytes", live_bytes);
    fact_number("stacks", stacks);
    fact_number("lost", lost);
    fact_mallinfo();
    tell("ready");
    dwell();
    _exit(0);
}
