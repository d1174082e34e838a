/*
 * A process on jemalloc that knows each of its blocks: threads that take, give back and resize blocks of all sizes,
 * then stand still, and a table of every block that is still theirs.
 *
 * Arguments: threads, steps for each, blocks that each may hold, seed. The table is an array of {address, usable bytes}
 * in memory of its own, which a core holds like any other, so that a core needs no other truth. `allocated` and
 * `cached` are what jemalloc itself counts at the end. Build with `-ljemalloc -pthread`.
 */
#include "truth.h"

#include <malloc.h>
#include <pthread.h>

extern void dallocx(void *address, int flags);
extern int mallctl(const char *name, void *old, size_t *old_length, void *new, size_t new_length);

#define THREADS 16
/* jemalloc(3): what a call takes from or gives to a cache of that number. */
#define MALLOCX_TCACHE(number) ((int)(((number) + 2) << 8))

struct held {
    void *address;
    uint64_t usable;
};

static struct held *table;
static size_t filled;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t done;

struct work {
    unsigned long steps, room;
    uint64_t seed;
    /* A cache that the thread made for itself, besides the one that jemalloc made. */
    unsigned cache;
    void **mine;
};

static struct work works[THREADS];

/* Numerical Recipes' constants: the steps must be the same in each run. */
static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Mostly small, some of several pages, a few of many: each kind has its own path through jemalloc. */
static size_t some_size(uint64_t *state)
{
    uint64_t kind = next(state) % 1000;
    if (kind < 700)
        return 1 + next(state) % 256;
    if (kind < 950)
        return 1 + next(state) % (14 * KIB);
    if (kind < 999)
        return 1 + next(state) % (64 * KIB);
    return 1 + next(state) % (4 * MIB);
}

static void step(struct work *work, uint64_t *state)
{
    void **slot = &work->mine[next(state) % work->room];
    uint64_t kind = next(state) % 16;
    if (*slot == NULL) {
        if (kind == 0)
            *slot = aligned_alloc((size_t)16 << next(state) % 10, (size_t)32 * KIB);
        else if (kind < 4)
            *slot = calloc(1, some_size(state));
        else
            *slot = malloc(some_size(state));
        if (*slot != NULL)
            *(volatile char *)*slot = 1;
    } else if (kind < 3) {
        void *moved = realloc(*slot, some_size(state));
        if (moved != NULL)
            *slot = moved;
    } else {
        if (kind == 15)
            dallocx(*slot, MALLOCX_TCACHE(work->cache));
        else
            free(*slot);
        *slot = NULL;
    }
}

static void *run(void *argument)
{
    struct work *work = argument;
    uint64_t state = work->seed;
    size_t length = sizeof work->cache;
    if (mallctl("tcache.create", &work->cache, &length, NULL, 0) != 0)
        give_up("tcache.create");
    for (unsigned long i = 0; i < work->steps; i++)
        step(work, &state);
    pthread_mutex_lock(&lock);
    for (unsigned long i = 0; i < work->room; i++)
        if (work->mine[i] != NULL)
            table[filled++] = (struct held){work->mine[i], malloc_usable_size(work->mine[i])};
    pthread_mutex_unlock(&lock);
    pthread_barrier_wait(&done);
    for (;;)
        pause();
    return NULL;
}

static size_t counted(const char *name)
{
    size_t value = 0, length = sizeof value;
    if (mallctl(name, &value, &length, NULL, 0) != 0)
        give_up(name);
    return value;
}

static void refresh(void)
{
    uint64_t epoch = 1;
    size_t length = sizeof epoch;
    if (mallctl("epoch", &epoch, &length, &epoch, length) != 0)
        give_up("epoch");
}

/* What the program keeps for itself is mapped, so that the table holds every block. */
static void *mapped(unsigned long size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        give_up("mmap");
    return at;
}

static unsigned long number(int count, char **arguments, int index, unsigned long otherwise)
{
    return index < count ? strtoul(arguments[index], NULL, 0) : otherwise;
}

int main(int count, char **arguments)
{
    unsigned long threads = number(count, arguments, 1, 3);
    unsigned long steps = number(count, arguments, 2, 20000);
    unsigned long room = number(count, arguments, 3, 1000);
    unsigned long seed = number(count, arguments, 4, 1);
    if (threads == 0 || threads > THREADS || room == 0) {
        errno = EINVAL;
        give_up("arguments");
    }
    table = mapped(threads * room * sizeof *table);
    refresh();
    pthread_barrier_init(&done, NULL, (unsigned)threads + 1);
    for (unsigned long i = 0; i < threads; i++) {
        pthread_t thread;
        works[i] = (struct work){ .steps = steps, .room = room, .seed = seed * 1000 + i, .mine = mapped(room * sizeof(void *)) };
        if (pthread_create(&thread, NULL, run, &works[i]) != 0)
            give_up("pthread_create");
    }
    pthread_barrier_wait(&done);
    refresh();
    fact_address("table", table);
    fact_number("blocks", filled);
    fact_number("allocated", counted("stats.allocated"));
    fact_number("active", counted("stats.active"));
    fact_number("mapped", counted("stats.mapped"));
    fact_number("retained", counted("stats.retained"));
    fact_number("metadata", counted("stats.metadata"));
    fact_number("cached", counted("stats.arenas.4096.tcache_bytes"));
    tell("ready");
    dwell();
    return 0;
}
