/*
 * How long a reader makes its target wait: one large region, and a loop that times mmap + munmap of a page, which
 * need the lock that the readers of smaps hold. Answers any line with what was timed since the last one.
 *
 * Percentiles over operations hide a rare long stall, since few operations start while one lasts: `lost_ns`, the
 * time spent in operations over 1 ms, counts it by its length.
 */
#include "truth.h"

#include <time.h>

/* Buckets of 1/32 of a power of two: 3 % is finer than the noise of what is timed. */
#define FINE 5
#define BUCKETS (64 << FINE)
#define LONG_NS 1000000ULL

static unsigned long long timed[BUCKETS], samples, longest, lost, long_count;

static unsigned bucket(unsigned long long ns)
{
    if (ns < (1u << FINE))
        return (unsigned)ns;
    unsigned power = 63u - (unsigned)__builtin_clzll(ns);
    return ((power - FINE + 1) << FINE) + (unsigned)((ns >> (power - FINE)) & ((1u << FINE) - 1));
}

static unsigned long long ceiling(unsigned index)
{
    if (index < (1u << FINE))
        return index;
    unsigned shift = (index >> FINE) - 1;
    return ((unsigned long long)((index & ((1u << FINE) - 1)) + (1u << FINE) + 1) << shift) - 1;
}

static unsigned long long quantile(double share)
{
    unsigned long long seen = 0, wanted = (unsigned long long)(share * (double)samples);
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += timed[i];
        if (seen > wanted)
            return ceiling(i) < longest ? ceiling(i) : longest;
    }
    return longest;
}

static unsigned long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (unsigned long long)time.tv_sec * 1000000000ULL + (unsigned long long)time.tv_nsec;
}

static void time_one(void)
{
    unsigned long long begin = now();
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || munmap(page, 4096) != 0)
        give_up("mmap");
    unsigned long long took = now() - begin;
    timed[bucket(took)]++;
    samples++;
    if (took > longest)
        longest = took;
    if (took > LONG_NS) {
        long_count++;
        lost += took;
    }
}

static void answer(void)
{
    fact_number("samples", samples);
    fact_number("p50_ns", quantile(0.5));
    fact_number("p99_ns", quantile(0.99));
    fact_number("p999_ns", quantile(0.999));
    fact_number("max_ns", longest);
    fact_number("long", long_count);
    fact_number("lost_ns", lost);
    tell("timed");
    memset(timed, 0, sizeof timed);
    samples = longest = lost = long_count = 0;
}

int main(int count, char **arguments)
{
    size_t size = quantity(count, arguments, "mib", 3072) * MIB;
    char *start = island(0x100000000000, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    madvise(start, size, MADV_NOHUGEPAGE);
    touch(start, size);

    fact_address("start", start);
    fact_number("bytes", size);
    tell("ready");
    for (char line[64];;) {
        for (int i = 0; i < 256; i++)
            time_one();
        if (spoken_to(0)) {
            if (!hear(line, sizeof line))
                return 0;
            answer();
        }
    }
}
