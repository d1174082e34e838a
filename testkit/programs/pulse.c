/*
 * How long others make a process stand: much memory of bytes that cannot be compressed, and a loop that looks at the
 * clock. Answers any line with its longest beat since the last one, and with how many beats there were.
 */
#include "truth.h"

#include <time.h>

static unsigned long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (unsigned long long)time.tv_sec * 1000000000ULL + (unsigned long long)time.tv_nsec;
}

int main(int count, char **arguments)
{
    size_t size = quantity(count, arguments, "mib", 64) * MIB;
    uint64_t *start = island(0x100000000000, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (quantity(count, arguments, "huge", 0))
        madvise(start, size, MADV_HUGEPAGE);
    else
        madvise(start, size, MADV_NOHUGEPAGE);
    uint64_t state = 88172645463325252ULL;
    for (size_t i = 0; i < size / sizeof *start; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        start[i] = state;
    }

    fact_address("start", start);
    fact_number("bytes", size);
    tell("ready");
    unsigned long long longest = 0, beats = 0, last = now();
    for (char line[64];;) {
        struct timespec nap = { .tv_nsec = 100000 };
        nanosleep(&nap, NULL);
        unsigned long long time = now();
        if (time - last > longest)
            longest = time - last;
        last = time;
        beats++;
        if (!spoken_to(0))
            continue;
        if (!hear(line, sizeof line))
            return 0;
        fact_number("longest_ns", longest);
        fact_number("beats", beats);
        tell("pulse");
        longest = beats = 0;
        last = now();
    }
}
