/*
 * A program that leaks as told, or grows in a way that is no leak, and keeps count of it.
 *
 *   mode=malloc    blocks of `size` that nobody holds            mode=step      three steps, then stands still
 *   mode=mmap      mappings of `size` that nobody holds          mode=sawtooth  grows for `period` s, frees all
 *   mode=shm       shared mappings of `size` that nobody holds   mode=cache     fills towards `limit`, ever slower
 *   mode=stack     threads that nobody joins                     mode=flat      allocates and frees at `rate`
 *
 * Every 10 ms it does what `rate` (bytes a second) has made due by the clock, so that the rate holds on a busy
 * machine too. It stops growing at `limit`. Answers any line with what it lost (`leaked`, `blocks`), what it
 * holds on purpose (`held`) and its `uptime` in seconds.
 */
#include "truth.h"

#include <math.h>
#include <pthread.h>
#include <time.h>

#define TICK_MS 10

static size_t size;
static unsigned long long rate, limit, leaked, lost_blocks;
static double period;

/* What is held on purpose, in a table outside the heap. */
static char **held;
static size_t held_blocks, held_room;

static double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- what is lost ------------------------------------------------------------------------------------------ */

__attribute__((noinline)) static void lose_block(void)
{
    char *block = malloc(size);
    if (block == NULL)
        give_up("malloc");
    memset(block, 0x6c, size);
    __asm__ volatile("" : : "r"(block) : "memory");
}

__attribute__((noinline)) static void lose_mapping(int flags)
{
    char *block = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        give_up("mmap");
    madvise(block, size, MADV_NOHUGEPAGE);
    touch(block, size);
}

/* Writes `size` bytes of its stack, so that they count. */
static void *idle(void *argument)
{
    char room[size];
    memset(room, 0x73, size);
    __asm__ volatile("" : : "r"(room) : "memory");
    (void)argument;
    for (;;)
        pause();
    return NULL;
}

__attribute__((noinline)) static void lose_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, size + 64 * KIB);
    if (pthread_create(&thread, &attributes, idle, NULL) != 0)
        give_up("pthread_create");
    pthread_attr_destroy(&attributes);
}

static void lose_malloc(void) { lose_block(); }
static void lose_mmap(void) { lose_mapping(MAP_PRIVATE); }
static void lose_shm(void) { lose_mapping(MAP_SHARED); }

static void lose_until(unsigned long long due, void (*lose)(void))
{
    for (; leaked + size <= due; leaked += size, lost_blocks++)
        lose();
}

/* --- what is held ------------------------------------------------------------------------------------------ */

__attribute__((noinline)) static void hold_until(unsigned long long due)
{
    while ((held_blocks + 1) * size <= due && held_blocks < held_room) {
        char *block = malloc(size);
        if (block == NULL)
            give_up("malloc");
        memset(block, 0x68, size);
        held[held_blocks++] = block;
    }
}

static void release(void)
{
    while (held_blocks > 0)
        free(held[--held_blocks]);
}

static void churn(unsigned long long blocks)
{
    for (; blocks > 0 && held_blocks > 0; blocks--) {
        size_t i = (size_t)(blocks * 2654435761u % held_blocks);
        free(held[i]);
        held[i] = malloc(size);
        if (held[i] == NULL)
            give_up("malloc");
        memset(held[i], 0x63, size);
    }
}

/* --- one tick ---------------------------------------------------------------------------------------------- */

static unsigned long long least(unsigned long long a, unsigned long long b) { return a < b ? a : b; }

static void grow(const char *mode, double uptime)
{
    unsigned long long due = least((unsigned long long)((double)rate * uptime), limit);
    unsigned long long turn = (unsigned long long)(uptime / period);
    static unsigned long long last_turn;

    if (strcmp(mode, "malloc") == 0)
        lose_until(due, lose_malloc);
    else if (strcmp(mode, "mmap") == 0)
        lose_until(due, lose_mmap);
    else if (strcmp(mode, "shm") == 0)
        lose_until(due, lose_shm);
    else if (strcmp(mode, "stack") == 0)
        lose_until(due, lose_thread);
    else if (strcmp(mode, "step") == 0)
        hold_until(least((unsigned long long)((double)(rate * least(turn, 3)) * period), limit));
    else if (strcmp(mode, "cache") == 0)
        hold_until((unsigned long long)((double)limit * (1.0 - exp(-uptime / period))));
    else if (strcmp(mode, "flat") == 0) {
        hold_until(limit);
        churn(rate / size * TICK_MS / 1000 + 1);
    } else if (strcmp(mode, "sawtooth") == 0) {
        if (turn != last_turn)
            release();
        last_turn = turn;
        hold_until(least((unsigned long long)((double)rate * (uptime - (double)turn * period)), limit));
    } else {
        errno = EINVAL;
        give_up(mode);
    }
}

static void count_up(const char *word, double uptime)
{
    fact_number("leaked", leaked);
    fact_number("blocks", lost_blocks);
    fact_number("held", (unsigned long long)held_blocks * size);
    fact_number("held_blocks", held_blocks);
    fact("uptime", "%.3f", uptime);
    tell(word);
}

int main(int count, char **arguments)
{
    const char *mode = option(count, arguments, "mode", "malloc");
    int growing_slowly = strcmp(mode, "cache") == 0 || strcmp(mode, "flat") == 0;
    rate = quantity(count, arguments, "rate", MIB);
    size = quantity(count, arguments, "size", strcmp(mode, "stack") == 0 ? 64 * KIB : 4 * KIB);
    limit = quantity(count, arguments, "limit", growing_slowly ? 64 * MIB : 1024 * MIB);
    period = strtod(option(count, arguments, "period", "5"), NULL);
    if (size == 0 || period <= 0) {
        errno = EINVAL;
        give_up("size and period");
    }
    held_room = (size_t)(limit / size) + 1;
    held = mmap(NULL, held_room * sizeof *held, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (held == MAP_FAILED)
        give_up("table");

    fact("mode", "%s", mode);
    fact_number("rate", rate);
    fact_number("size", size);
    fact_number("limit", limit);
    fact("period", "%g", period);
    tell("ready");

    double begin = seconds();
    for (unsigned long long tick = 1;; tick++) {
        double rest = (double)tick * TICK_MS / 1000.0 - (seconds() - begin);
        if (spoken_to(rest > 0 ? (int)(rest * 1000.0) + 1 : 0)) {
            char line[64];
            if (!hear(line, sizeof line))
                return 0;
            count_up("counted", seconds() - begin);
        }
        grow(mode, seconds() - begin);
    }
}
