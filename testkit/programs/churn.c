/*
 * The worst case for a recorder: threads that do little but allocate and free, from 256 call stacks of 8 to 15 frames of
 * many sizes, in an order that nobody can foresee.
 *
 *   threads=N      each of which does all of the operations (1)
 *   operations=N   half of them allocate, a quarter of those grow what they have; the others free (5000000)
 *   live=N         places for a block that a thread has; half of them hold one (8192)
 *   leak=N         every Nth operation of a thread loses 64 bytes besides (0: none does)
 *   pause_us=N     how long a thread rests after each thousand operations (0)
 *   out=PATH       where it tells, when nobody reads what it prints
 *
 * Tells how often it allocated (each growth is one, and frees what was there) and freed, what it lost where, the
 * processor time that the operations took, and the most memory that it had.
 */
#include "sites.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>

#define STACKS 256
#define SHALLOW 8
#define LOST 64

struct worker {
    pthread_t thread;
    uint64_t state;
    void **live;
    unsigned long long allocations, frees;
};

static size_t operations, places, leak_every, pause_us;

static uint64_t chance(struct worker *self)
{
    self->state ^= self->state << 13;
    self->state ^= self->state >> 7;
    self->state ^= self->state << 17;
    return self->state >> 16;
}

/* As programs have them: most are small, few are some pages. */
static size_t some_size(uint64_t chance)
{
    uint64_t kind = chance & 63;
    chance >>= 6;
    if (kind < 48)
        return 8 + chance % 248;
    if (kind < 62)
        return 256 + chance % 1792;
    return 2048 + chance % 14336;
}

static void *filled(void *block)
{
    if (block == NULL)
        give_up("malloc");
    *(volatile char *)block = 1;
    return block;
}

__attribute__((noinline)) static void operate(struct worker *self)
{
    uint64_t dice = chance(self);
    void **place = &self->live[dice % places];
    if (*place != NULL) {
        free(*place);
        *place = NULL;
        self->frees++;
        return;
    }
    size_t size = some_size(dice >> 20);
    *place = filled((dice >> 16) & 7 ? malloc(size) : calloc(1, size));
    self->allocations++;
    if (((dice >> 13) & 3) == 0) {
        *place = filled(realloc(*place, size + size / 2));
        self->allocations++;
        self->frees++;
    }
}

/* --- the stacks --------------------------------------------------------------------------------------------------- */

typedef void step(struct worker *self, unsigned stack, unsigned depth);

static step *const steps[64];

/* The stacks are a tree: they part early, and all of them have parted where the shallowest end. */
static step *next_of(unsigned stack, unsigned depth)
{
    unsigned taken = depth < SHALLOW ? stack >> (SHALLOW - 1 - depth) : stack * 7;
    return steps[(taken + depth * 11) % 64];
}

static unsigned frames_of(unsigned stack)
{
    return SHALLOW + stack % 8;
}

/* A function with a frame of its own size, which it needs after the call too. */
#define STEP(n)                                                                                                        \
    __attribute__((noinline)) static void step_##n(struct worker *self, unsigned stack, unsigned depth)                \
    {                                                                                                                  \
        char room[8 + 8 * (n)];                                                                                        \
        __asm__ volatile("" : : "r"(room) : "memory");                                                                 \
        if (depth + 1 == frames_of(stack))                                                                             \
            operate(self);                                                                                             \
        else                                                                                                           \
            next_of(stack, depth + 1)(self, stack, depth + 1);                                                         \
        __asm__ volatile("" : : "r"(room) : "memory");                                                                 \
    }
#define NAME(n) step_##n,
#define EIGHT(each, ten)                                                                                               \
    each(ten##0) each(ten##1) each(ten##2) each(ten##3) each(ten##4) each(ten##5) each(ten##6) each(ten##7)
#define ALL(each)                                                                                                      \
    EIGHT(each, ) EIGHT(each, 1) EIGHT(each, 2) EIGHT(each, 3) EIGHT(each, 4) EIGHT(each, 5) EIGHT(each, 6)            \
    EIGHT(each, 7)

ALL(STEP)

static step *const steps[64] = { ALL(NAME) };

/* --- what is measured --------------------------------------------------------------------------------------------- */

__attribute__((noinline)) static void lose_slowly(void)
{
    LOSE(LOST, malloc(LOST));
}

static void rest(void)
{
    struct timespec span = { (time_t)(pause_us / 1000000), (long)(pause_us % 1000000) * 1000 };
    nanosleep(&span, NULL);
}

static void *work(void *argument)
{
    struct worker *self = argument;
    for (size_t i = 1; i <= operations; i++) {
        unsigned stack = (unsigned)(chance(self) % STACKS);
        next_of(stack, 0)(self, stack, 0);
        if (leak_every != 0 && i % leak_every == 0)
            lose_slowly();
        if (pause_us != 0 && i % 1000 == 0)
            rest();
    }
    for (size_t i = 0; i < places; i++) {
        self->frees += self->live[i] != NULL;
        free(self->live[i]);
    }
    return NULL;
}

static unsigned long long microseconds(struct timeval time)
{
    return (unsigned long long)time.tv_sec * 1000000 + (unsigned long long)time.tv_usec;
}

static unsigned long long cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
}

static unsigned long long peak_bytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (unsigned long long)usage.ru_maxrss * KIB;
}

static void tell_elsewhere(const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    EXPECT(file >= 0 && dup2(file, STDOUT_FILENO) == STDOUT_FILENO);
}

int main(int argument_count, char **arguments)
{
    const char *out = option(argument_count, arguments, "out", NULL);
    size_t threads = quantity(argument_count, arguments, "threads", 1);
    operations = quantity(argument_count, arguments, "operations", 5000000);
    places = quantity(argument_count, arguments, "live", 8192);
    leak_every = quantity(argument_count, arguments, "leak", 0);
    pause_us = quantity(argument_count, arguments, "pause_us", 0);
    if (out != NULL)
        tell_elsewhere(out);
    struct worker *workers = calloc(threads, sizeof *workers);
    EXPECT(workers != NULL && places > 0);
    unsigned long long before = cpu_us();
    for (size_t i = 0; i < threads; i++) {
        workers[i].state = 88172645463325252ull + i * 1181783497276652981ull;
        workers[i].live = calloc(places, sizeof(void *));
        EXPECT(workers[i].live != NULL);
        EXPECT(i == 0 || pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    work(&workers[0]);
    unsigned long long allocations = 0, frees = 0;
    for (size_t i = 0; i < threads; i++) {
        EXPECT(i == 0 || pthread_join(workers[i].thread, NULL) == 0);
        allocations += workers[i].allocations;
        frees += workers[i].frees;
        free(workers[i].live);
    }
    free(workers);
    fact_number("operations", threads * operations);
    fact_number("allocations", allocations);
    fact_number("frees", frees);
    fact_sites();
    fact_number("cpu_us", cpu_us() - before);
    fact_number("peak_bytes", peak_bytes());
    tell("done");
    return 0;
}
