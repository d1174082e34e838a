/*
 * Recursion deeper than anybody keeps stacks: allocates at the bottom, on the way down, and in a shallow function after.
 *
 *   depth=N    frames (20000)
 *   rounds=N   how often it goes down (3)
 */
#include "sites.h"

__attribute__((noinline)) static void lose_at_bottom(void)
{
    LOSE(112, malloc(112));
}

__attribute__((noinline)) static void lose_on_the_way(void)
{
    LOSE(16, malloc(16));
}

__attribute__((noinline)) static void lose_after(void)
{
    LOSE(80, malloc(80));
}

__attribute__((noinline)) static void descend(unsigned long long depth)
{
    if (depth == 0) {
        lose_at_bottom();
        return;
    }
    if (depth % 1000 == 0)
        lose_on_the_way();
    descend(depth - 1);
    __asm__ volatile("");
}

/* Two functions that call each other: what repeats is longer than a frame. */
__attribute__((noinline)) static void swing_back(unsigned long long depth);

__attribute__((noinline)) static void swing(unsigned long long depth)
{
    if (depth == 0)
        lose_at_bottom();
    else
        swing_back(depth - 1);
    __asm__ volatile("");
}

static void swing_back(unsigned long long depth)
{
    swing(depth);
    __asm__ volatile("");
}

int main(int argument_count, char **arguments)
{
    unsigned long long depth = quantity(argument_count, arguments, "depth", 20000);
    unsigned long long rounds = quantity(argument_count, arguments, "rounds", 3);
    for (unsigned long long round = 0; round < rounds; round++) {
        descend(depth);
        swing(depth / 2);
        lose_after();
    }
    fact_sites();
    tell("done");
    return 0;
}
