/*
 * A heap after any number of random calls, and the C library's own account of it.
 *
 *   seed=      begins the random numbers; with one thread the heap follows from it     (default 1)
 *   steps=     calls that each thread makes                                            (default 10000)
 *   threads=   threads that make them; they free each other's blocks                   (default 1)
 *   ended=     further threads that do so first and end, and leave their arenas behind (default 0)
 *   slots=     blocks that may be live at once                                         (default 4096)
 *   largest=   no block is asked to be larger                                          (default 512 KiB)
 *   trim=1     one call in a thousand is malloc_trim
 *   xml=FILE   where malloc_info writes           stats=FILE   where malloc_stats writes
 *
 * Tells `live` and `live_bytes` (what malloc_usable_size says of the blocks that it knows; the C library has a few of
 * its own), how many of each call it made, and mallinfo2. The line `more N` makes N more steps in each thread, and all
 * is told anew as `more`.
 */
#include "heap.h"

#include <fcntl.h>
#include <pthread.h>

static void **slots;
static size_t slot_count, largest, live, live_bytes;
static unsigned long long seed, todo;
static int trimming;
static pthread_barrier_t begun, done;
static FILE *xml;
static int stats = -1;

enum { MALLOC, CALLOC, REALLOC, MEMALIGN, FREE, TRIM, CALLS };
static const char *const CALL_NAMES[CALLS] = { "mallocs", "callocs", "reallocs", "memaligns", "frees", "trims" };
static unsigned long long made[CALLS];

static uint64_t chance(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 2685821657736338717ULL >> 16;
}

/* Mostly small, as in life: some beyond what the caches keep, few so large that they are mapped. */
static size_t chance_size(uint64_t *state)
{
    uint64_t kind = chance(state) % 1000;
    size_t below = kind < 600 ? 128 : kind < 900 ? 2048 : kind < 990 ? 64 * KIB : 512 * KIB;
    return chance(state) % (below < largest ? below : largest + 1);
}

static void count_call(int call, size_t times)
{
    __atomic_fetch_add(&made[call], times, __ATOMIC_RELAXED);
}

static void give_back(void *block)
{
    free(block);
    count_call(FREE, block != NULL);
}

static void *fresh(uint64_t *state)
{
    size_t size = chance_size(state);
    uint64_t kind = chance(state) % 100;
    void *block;
    if (kind < 70) {
        block = malloc(size);
        count_call(MALLOC, 1);
    } else if (kind < 90) {
        block = calloc(1, size);
        count_call(CALLOC, 1);
    } else {
        block = memalign((size_t)16 << chance(state) % 9, size);
        count_call(MEMALIGN, 1);
    }
    if (block == NULL)
        give_up("malloc");
    memset(block, 0x5a, size);
    return block;
}

/* A slot is emptied before its block is touched: no other thread has it then. */
static void step(uint64_t *state)
{
    void **slot = slots + chance(state) % slot_count;
    void *block = __atomic_exchange_n(slot, NULL, __ATOMIC_ACQ_REL);
    uint64_t kind = chance(state) % 100;
    if (trimming && chance(state) % 1000 == 0) {
        malloc_trim(0);
        count_call(TRIM, 1);
    }
    if (block != NULL && kind < 60) {
        give_back(block);
        return;
    }
    if (block != NULL && kind < 80) {
        size_t size = chance_size(state) + 1;
        block = realloc(block, size);
        if (block == NULL)
            give_up("realloc");
        memset(block, 0x5b, size);
        count_call(REALLOC, 1);
    } else if (block == NULL) {
        block = fresh(state);
    }
    give_back(__atomic_exchange_n(slot, block, __ATOMIC_ACQ_REL));
}

static void steps(uint64_t *state)
{
    for (unsigned long long i = 0; i < todo; i++)
        step(state);
}

static uint64_t state_of(size_t thread)
{
    return (seed + 1) * 0x9e3779b97f4a7c15ULL + thread * 0x100000001b3ULL;
}

static void *work(void *number)
{
    uint64_t state = state_of((size_t)number);
    for (;;) {
        pthread_barrier_wait(&begun);
        steps(&state);
        pthread_barrier_wait(&done);
    }
    return NULL;
}

static void *work_once(void *number)
{
    uint64_t state = state_of((size_t)number);
    steps(&state);
    return NULL;
}

static void write_oracles(void)
{
    if (xml != NULL) {
        rewind(xml);
        if (ftruncate(fileno(xml), 0) != 0 || malloc_info(0, xml) != 0 || fflush(xml) != 0)
            give_up("malloc_info");
    }
    if (stats >= 0) {
        int kept = dup(STDERR_FILENO);
        if (ftruncate(stats, 0) != 0 || lseek(stats, 0, SEEK_SET) != 0 || dup2(stats, STDERR_FILENO) < 0)
            give_up("malloc_stats");
        malloc_stats();
        dup2(kept, STDERR_FILENO);
        close(kept);
    }
}

static void account(const char *word)
{
    live = live_bytes = 0;
    for (size_t i = 0; i < slot_count; i++)
        if (slots[i] != NULL) {
            live++;
            live_bytes += malloc_usable_size(slots[i]);
        }
    write_oracles();
    fact_number("seed", seed);
    fact_number("live", live);
    fact_number("live_bytes", live_bytes);
    for (int call = 0; call < CALLS; call++)
        fact_number(CALL_NAMES[call], made[call]);
    fact_mallinfo();
    tell(word);
}

static void start(pthread_t *thread, void *(*body)(void *), size_t number)
{
    if (pthread_create(thread, NULL, body, (void *)number) != 0)
        give_up("pthread_create");
}

int main(int count, char **arguments)
{
    size_t threads = quantity(count, arguments, "threads", 1);
    size_t ended = quantity(count, arguments, "ended", 0);
    seed = quantity(count, arguments, "seed", 1);
    todo = quantity(count, arguments, "steps", 10000);
    slot_count = quantity(count, arguments, "slots", 4096);
    largest = quantity(count, arguments, "largest", 512 * KIB);
    trimming = quantity(count, arguments, "trim", 0) != 0;
    slots = mmap(NULL, slot_count * sizeof *slots, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slot_count == 0 || threads == 0 || slots == MAP_FAILED)
        give_up("slots and threads");

    /* What stdio needs it takes now: it must take nothing while it writes. */
    static char buffer[1 << 16];
    const char *path = option(count, arguments, "xml", NULL);
    if (path != NULL && ((xml = fopen(path, "w")) == NULL || setvbuf(xml, buffer, _IOFBF, sizeof buffer) != 0))
        give_up(path);
    path = option(count, arguments, "stats", NULL);
    if (path != NULL && (stats = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
        give_up(path);

    pthread_t thread;
    for (size_t i = 0; i < ended; i++) {
        start(&thread, work_once, threads + i);
        pthread_join(thread, NULL);
    }
    pthread_barrier_init(&begun, NULL, (unsigned)threads);
    pthread_barrier_init(&done, NULL, (unsigned)threads);
    for (size_t i = 1; i < threads; i++)
        start(&thread, work, i);
    uint64_t state = state_of(0);
    const char *word = "ready";
    for (char line[64];; word = "more") {
        pthread_barrier_wait(&begun);
        steps(&state);
        pthread_barrier_wait(&done);
        account(word);
        do {
            if (!hear(line, sizeof line))
                return 0;
        } while (sscanf(line, "more %llu", &todo) != 1);
    }
}
