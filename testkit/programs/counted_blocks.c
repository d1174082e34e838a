/*
 * Allocates, resizes, aligns and frees at random, and tells every block that it holds: where, and how many bytes it
 * asked for. Of sizes that are all different by chance, in all classes that an allocator may have.
 *
 *   blocks=N     how many places for a block there are (600)
 *   rounds=N     how often one of them is changed (20000)
 *   crash=1      writes the list and ends by SIGABRT, for a core
 *
 * Tells how many `blocks` it holds and how many `bytes` it asked for. The list has one line `ADDRESS BYTES` a block.
 * Answers `change N` by changing N times, and then tells the same of what it holds now.
 */
#include "truth.h"

#define MOST 100000

static void *blocks[MOST];
static size_t sizes[MOST];
static uint64_t state = 88172645463325252ull;

static uint64_t chance(uint64_t count)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % count;
}

/* Mostly small, as programs have them, up to half a megabyte. */
static size_t some_size(void)
{
    uint64_t kind = chance(1000);
    if (kind < 700)
        return chance(200);
    if (kind < 930)
        return chance(3000);
    if (kind < 990)
        return chance(20000);
    return kind < 998 ? chance(130000) : 131052 + chance(400000);
}

static void fill(size_t place, size_t size)
{
    switch (chance(3)) {
    case 0:
        blocks[place] = malloc(size);
        break;
    case 1:
        blocks[place] = calloc(1, size);
        break;
    default:
        blocks[place] = aligned_alloc((size_t)16 << chance(12), size);
    }
    if (blocks[place] == NULL)
        give_up("malloc");
    sizes[place] = size;
}

static void empty(size_t place)
{
    free(blocks[place]);
    blocks[place] = NULL;
}

static void resize(size_t place, size_t size)
{
    void *block = realloc(blocks[place], size + 1);
    if (block == NULL)
        give_up("realloc");
    blocks[place] = block;
    sizes[place] = size + 1;
}

static void change(size_t places, size_t rounds)
{
    for (size_t round = 0; round < rounds; round++) {
        size_t place = chance(places), size = some_size();
        if (blocks[place] == NULL)
            fill(place, size);
        else if (chance(3) == 0)
            resize(place, size);
        else
            empty(place);
    }
}

static void list(size_t places)
{
    for (size_t place = 0; place < places; place++) {
        char line[64];
        if (blocks[place] != NULL)
            put(line, (size_t)snprintf(line, sizeof line, "%p %zu\n", blocks[place], sizes[place]));
    }
}

static void count(size_t places, const char *word)
{
    size_t held = 0, bytes = 0;
    for (size_t place = 0; place < places; place++) {
        if (blocks[place] == NULL)
            continue;
        memset(blocks[place], 0x5a, sizes[place]);
        held++;
        bytes += sizes[place];
    }
    fact_number("blocks", held);
    fact_number("bytes", bytes);
    tell(word);
}

int main(int argument_count, char **arguments)
{
    size_t places = quantity(argument_count, arguments, "blocks", 600);
    if (places == 0 || places > MOST)
        places = MOST;
    change(places, quantity(argument_count, arguments, "rounds", 20000));
    /* Further than 16 bits of units reach. */
    empty(0);
    sizes[0] = 300000;
    blocks[0] = aligned_alloc(8 * MIB, sizes[0]);
    if (quantity(argument_count, arguments, "crash", 0)) {
        list(places);
        abort();
    }
    count(places, "ready");
    char line[64];
    unsigned long long rounds;
    while (hear(line, sizeof line))
        if (sscanf(line, "change %llu", &rounds) == 1) {
            change(places, rounds);
            count(places, "done");
        }
    return 0;
}
