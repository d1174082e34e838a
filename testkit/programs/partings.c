/*
 * Ends with blocks that were never freed: some that nobody can reach, singly and in rings, and some that it holds.
 *
 *   how=return|_exit     (default return)
 *
 * Tells `lost` and `lost_bytes`, `held` and `held_bytes`.
 */
#include "heap.h"

#include <string.h>

#define SINGLE 100
#define RINGS 20
#define HELD 60

struct member {
    struct member *next;
    char text[40];
};

static char *volatile held[HELD];

__attribute__((noinline)) static void lose(void)
{
    KEEP(malloc(1000));
}

__attribute__((noinline)) static void lose_ring(void)
{
    struct member *one = malloc(sizeof *one), *other = malloc(sizeof *other);
    if (one == NULL || other == NULL)
        give_up("malloc");
    one->next = other;
    other->next = one;
    KEEP(one);
}

__attribute__((noinline)) static void hold(size_t place)
{
    held[place] = malloc(500);
}

int main(int count, char **arguments)
{
    const char *how = count > 1 ? arguments[1] : "how=return";
    for (size_t i = 0; i < SINGLE; i++)
        lose();
    for (size_t i = 0; i < RINGS; i++)
        lose_ring();
    for (size_t i = 0; i < HELD; i++)
        hold(i);
    scrub();
    fact_number("lost", SINGLE + 2 * RINGS);
    fact_number("lost_bytes", SINGLE * 1000 + 2 * RINGS * sizeof(struct member));
    fact_number("held", HELD);
    fact_number("held_bytes", HELD * 500);
    tell("parted");
    if (strcmp(how, "how=_exit") == 0)
        _exit(0);
    return 0;
}
