/*
 * Threads that are always in the middle of malloc or free.
 *
 *   threads=   how many                                        (default 4)
 *   kept=      blocks of 1000 bytes that are held              (default 1000)
 *   lost=      blocks of 424 bytes that nobody holds           (default 100)
 *   large=1    sizes beyond the threads' caches alone: these take the lock, split and merge
 *
 * What is kept and lost does not change while the threads run; all else is theirs, held from their stacks. Answers any
 * line with how often they have allocated.
 */
#include "heap.h"

#include <pthread.h>

#define KEPT_SIZE 1000
#define LOST_SIZE 424
#define HELD 64

static char **volatile kept;
static volatile unsigned long long beats[64];
static int large;

static uint64_t chance(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static void *churn(void *number)
{
    uint64_t state = 0x9e3779b97f4a7c15ULL * ((size_t)number + 1);
    char *volatile held[HELD] = { NULL };
    for (;;) {
        char *volatile *place = &held[chance(&state) % HELD];
        size_t size = large ? 1100 + chance(&state) % 9000 : chance(&state) % 3000;
        char *old = *place;
        *place = NULL;
        free(old);
        *place = malloc(size);
        if (*place == NULL)
            give_up("malloc");
        beats[(size_t)number]++;
    }
    return NULL;
}

static char *filled(size_t size, int letter)
{
    char *block = malloc(size);
    if (block == NULL)
        give_up("malloc");
    return memset(block, letter, size);
}

/* What is lost stands between what is kept, so that no large free range comes to be there. */
__attribute__((noinline)) static void prepare(size_t keep, size_t lose)
{
    kept = malloc((keep + 1) * sizeof *kept);
    for (size_t i = 0; i < keep || i < lose; i++) {
        if (i < keep)
            kept[i] = filled(KEPT_SIZE, 'k');
        if (i < lose)
            KEEP(filled(LOST_SIZE, 'l'));
    }
    kept[keep] = NULL;
}

int main(int count, char **arguments)
{
    size_t threads = quantity(count, arguments, "threads", 4);
    size_t keep = quantity(count, arguments, "kept", 1000), lose = quantity(count, arguments, "lost", 100);
    large = quantity(count, arguments, "large", 0) != 0;
    if (threads > sizeof beats / sizeof *beats) {
        errno = EINVAL;
        give_up("threads");
    }
    prepare(keep, lose);
    scrub();
    for (size_t i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, churn, (void *)i) != 0)
            give_up("pthread_create");
    }
    for (size_t i = 0; i < threads; i++)
        while (beats[i] == 0)
            usleep(1000);
    fact_number("threads", threads);
    fact_number("kept", keep);
    fact_number("kept_bytes", keep * KEPT_SIZE);
    fact_number("lost", lose);
    fact_number("lost_bytes", lose * LOST_SIZE);
    fact("libc", "%s", gnu_get_libc_version());
    tell("ready");
    for (char line[64]; hear(line, sizeof line);) {
        unsigned long long sum = 0;
        for (size_t i = 0; i < threads; i++)
            sum += beats[i];
        fact_number("beats", sum);
        tell("beaten");
    }
    _exit(0); /* exit would wait for a lock that a thread may hold */
}
