/*
 * What the programs for the recorder share: places that allocate, and know how often, how many blocks and how large.
 *
 * A place is a function and a line. LOSE and LEND stand on the line of the call that allocates, once a function, so that
 * what a program tells of a place is what a recorder has to find there. The counts lie in a section of their own: no
 * place has to announce itself, and they are told in the same order always.
 */
#ifndef SITES_H
#define SITES_H

#include "truth.h"

struct site {
    const char *function;
    long line;
    unsigned long long allocations, blocks, bytes;
} __attribute__((aligned(64)));

/* The linker makes them, in each program and each library its own. */
extern struct site __start_sites[] __attribute__((visibility("hidden")));
extern struct site __stop_sites[] __attribute__((visibility("hidden")));

__attribute__((unused, noinline)) static void *
count_at(struct site *site, unsigned long long blocks, unsigned long long bytes, void *block)
{
    if (block == NULL || block == (void *)-1)
        give_up(site->function);
    __atomic_fetch_add(&site->allocations, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&site->blocks, blocks, __ATOMIC_RELAXED);
    __atomic_fetch_add(&site->bytes, bytes, __ATOMIC_RELAXED);
    /* The compiler must leave out neither the block nor the call that it came from. */
    __asm__ volatile("" : : "r"(block) : "memory");
    return block;
}

#define SITE(line)                                                                                                     \
    static struct site here __attribute__((section("sites"), used)) = { __func__, line, 0, 0, 0 }

/* A block that nobody will free, of so many bytes: they are what was asked for. */
#define LOSE(size, call)                                                                                               \
    __extension__({                                                                                                    \
        SITE(__LINE__);                                                                                                \
        count_at(&here, 1, size, call);                                                                                \
    })

/* A block that will be freed. */
#define LEND(call)                                                                                                     \
    __extension__({                                                                                                    \
        SITE(__LINE__);                                                                                                \
        count_at(&here, 0, 0, call);                                                                                   \
    })

/* Says that this function, on whatever line, stands in the stacks of so many lost blocks and bytes. */
#define PASS(blocks, bytes)                                                                                            \
    __extension__({                                                                                                    \
        SITE(0);                                                                                                       \
        count_at(&here, blocks, bytes, &here);                                                                            \
    })

/*
 * Adds what is known of each place: FUNCTION_blocks and FUNCTION_bytes, with FUNCTION_line and FUNCTION_allocations
 * where it allocates itself.
 */
__attribute__((unused)) static void fact_sites(void)
{
    for (struct site *site = __start_sites; site < __stop_sites; site++) {
        char name[96];
        if (site->allocations == 0)
            continue;
        if (site->line != 0) {
            snprintf(name, sizeof name, "%s_line", site->function);
            fact_number(name, (unsigned long long)site->line);
            snprintf(name, sizeof name, "%s_allocations", site->function);
            fact_number(name, site->allocations);
        }
        snprintf(name, sizeof name, "%s_blocks", site->function);
        fact_number(name, site->blocks);
        snprintf(name, sizeof name, "%s_bytes", site->function);
        fact_number(name, site->bytes);
    }
}

/* Begins to count anew, as the child of a fork does. */
__attribute__((unused)) static void forget_sites(void)
{
    for (struct site *site = __start_sites; site < __stop_sites; site++)
        site->allocations = site->blocks = site->bytes = 0;
}

/* Allocates and frees at once: a compiler that sees both leaves both out. */
__attribute__((unused, noinline)) static void spend(size_t size)
{
    void *block = malloc(size);
    if (block == NULL)
        give_up("malloc");
    __asm__ volatile("" : : "r"(block) : "memory");
    free(block);
}

/* Ends the program when it does not behave as it would by itself. */
#define EXPECT(truth)                                                                                                  \
    do {                                                                                                               \
        if (!(truth))                                                                                                  \
            give_up(#truth);                                                                                           \
    } while (0)

#endif
