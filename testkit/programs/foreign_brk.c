/*
 * A main arena that is not in one piece, and one that could not grow where it began.
 *
 *   mode=moved     the program moves the break itself, now and then, between its allocations       (default)
 *   mode=odd       it does so by numbers of bytes that are no multiples of anything
 *   mode=blocked   something is mapped right behind the break: malloc goes on in mappings of its own
 *   rounds=        how often it allocates, 8 blocks each time                                      (default 200)
 *
 * Tells `live` and `live_bytes` (what malloc_usable_size says of its blocks), `foreign` (bytes that it took from the
 * break itself) and mallinfo2.
 */
#include "heap.h"

static char *held[8192];
static size_t held_count, live, live_bytes, foreign;

static size_t chance(void)
{
    static uint64_t state = 88172645463325252ull;
    state ^= state << 13;
    state ^= state >> 7;
    return (size_t)((state ^= state << 17) >> 8);
}

static void allocate(void)
{
    for (int i = 0; i < 8; i++) {
        size_t size = 16 + chance() % 30000;
        char *block = malloc(size);
        if (block == NULL)
            give_up("malloc");
        held[held_count++] = memset(block, 0x6b, size);
    }
    /* Holes, small ones and some that a whole stretch of free chunks makes. */
    for (int i = 0; i < 3; i++) {
        size_t place = chance() % held_count;
        free(held[place]);
        held[place] = NULL;
    }
}

static void take_break(size_t bytes)
{
    char *mine = sbrk((intptr_t)bytes);
    if (mine == (void *)-1)
        give_up("sbrk");
    memset(mine, 0x71, bytes);
    foreign += bytes;
}

static void block_break(void)
{
    uintptr_t end = ((uintptr_t)sbrk(0) + 4095) / 4096 * 4096;
    island(end, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

int main(int count, char **arguments)
{
    const char *mode = option(count, arguments, "mode", "moved");
    size_t rounds = quantity(count, arguments, "rounds", 200);
    int is_odd = strcmp(mode, "odd") == 0, is_blocked = strcmp(mode, "blocked") == 0;
    if (rounds * 8 > sizeof held / sizeof *held) {
        errno = EINVAL;
        give_up("rounds");
    }
    for (size_t i = 0; i < rounds; i++) {
        allocate();
        if (is_blocked ? i == 5 : i % 40 == 7)
            is_blocked ? block_break() : take_break(is_odd ? 1000 + chance() % 20000 : 64 * KIB);
    }
    for (size_t i = 0; i < held_count; i++)
        if (held[i] != NULL) {
            live++;
            live_bytes += malloc_usable_size(held[i]);
        }
    fact_number("live", live);
    fact_number("live_bytes", live_bytes);
    fact_number("foreign", foreign);
    fact_mallinfo();
    tell("ready");
    dwell();
    return 0;
}
