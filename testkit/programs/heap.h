/*
 * What the programs about the heap share: the C library's own account of it, and the care that a lost block is lost.
 *
 * A program that says where its lost blocks are must know it, and what it knows may hold them: so it keeps their
 * addresses inverted, and wipes what they left on its stack and in its registers.
 */
#ifndef HEAP_H
#define HEAP_H

#include "truth.h"

#include <gnu/libc-version.h>
#include <malloc.h>

/* Adds what mallinfo2(3) says, and of which C library. To be called after the last allocation. */
__attribute__((unused)) static void fact_mallinfo(void)
{
#if __GLIBC_PREREQ(2, 33)
    struct mallinfo2 info = mallinfo2();
#else
    struct mallinfo info = mallinfo();
#define fact_number(name, value) (fact_number)(name, (unsigned)(value))
#endif
    fact_number("arena", info.arena);
    fact_number("ordblks", info.ordblks);
    fact_number("smblks", info.smblks);
    fact_number("hblks", info.hblks);
    fact_number("hblkhd", info.hblkhd);
    fact_number("fsmblks", info.fsmblks);
    fact_number("uordblks", info.uordblks);
    fact_number("fordblks", info.fordblks);
    fact_number("keepcost", info.keepcost);
#undef fact_number
    fact("libc", "%s", gnu_get_libc_version());
}

/* The compiler must neither leave out what was stored nor the call that it was stored for. */
#define KEEP(value) __asm__ volatile("" : : "r"(value) : "memory")

#define SCRUBBED (256 * KIB)

/* Wipes the stack below the caller and the registers that calls do not keep. */
__attribute__((unused, noinline)) static void scrub(void)
{
    volatile char room[SCRUBBED];
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = 0;
    KEEP(room);
#ifdef __x86_64__
    __asm__ volatile("pxor %%xmm0, %%xmm0\n pxor %%xmm1, %%xmm1\n pxor %%xmm2, %%xmm2\n pxor %%xmm3, %%xmm3\n"
                     "pxor %%xmm4, %%xmm4\n pxor %%xmm5, %%xmm5\n pxor %%xmm6, %%xmm6\n pxor %%xmm7, %%xmm7\n"
                     "pxor %%xmm8, %%xmm8\n pxor %%xmm9, %%xmm9\n pxor %%xmm10, %%xmm10\n pxor %%xmm11, %%xmm11\n"
                     "pxor %%xmm12, %%xmm12\n pxor %%xmm13, %%xmm13\n pxor %%xmm14, %%xmm14\n pxor %%xmm15, %%xmm15\n"
                     "xor %%ecx, %%ecx\n xor %%edx, %%edx\n xor %%esi, %%esi\n xor %%edi, %%edi\n"
                     "xor %%r8d, %%r8d\n xor %%r9d, %%r9d\n xor %%r10d, %%r10d\n xor %%r11d, %%r11d\n"
                     : : : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc", "memory",
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
#endif
}

/* --- blocks that are told one by one ------------------------------------------------------------------------------ */

struct told {
    const char *name, *kind;
    uintptr_t inverted;
    size_t size;
};

static struct told told[128];
static size_t told_count;

/* Remembers a block: its address, size and kind become the facts NAME, NAME_bytes and NAME_kind. */
__attribute__((unused, noinline)) static void note(const char *name, const char *kind, const void *block)
{
    if (told_count == sizeof told / sizeof *told) {
        errno = ENOSPC;
        give_up("too many blocks");
    }
    told[told_count].name = name;
    told[told_count].kind = kind;
    told[told_count].size = malloc_usable_size((void *)(uintptr_t)block);
    told[told_count++].inverted = ~(uintptr_t)block;
}

__attribute__((unused, noinline)) static char *make_sized(const char *name, const char *kind, size_t size)
{
    char *block = (char *)malloc(size);
    if (block == NULL)
        give_up("malloc");
    memset(block, 0x6b, size);
    note(name, kind, block);
    return block;
}

/*
 * Each of another size, by which others know it who know no name. The C library makes no block larger than these were
 * asked to be, so that all agree where one ends.
 */
#define OWN_SIZE (24 + 16 * told_count)
#define make(name, kind) make_sized(name, kind, OWN_SIZE)

/* Points from a word of one block to somewhere. */
__attribute__((unused)) static void point(void *from, size_t word, const void *to)
{
    ((const void *volatile *)from)[word] = to;
}

/* Of a lost ring memcheck calls the member with the lowest address lost, and the others lost behind it. */
__attribute__((unused, noinline)) static void note_ring(const char *const *names, void *const *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int lowest = 1;
        for (size_t j = 0; j < count; j++)
            lowest &= blocks[i] <= blocks[j];
        note(names[i], lowest ? "definite" : "indirect", blocks[i]);
    }
}

/* Adds the facts of all blocks that were remembered since the last time. */
__attribute__((unused, noinline)) static void fact_blocks(void)
{
    static size_t i;
    fact_number("blocks", told_count);
    for (; i < told_count; i++) {
        char name[64];
        fact_address(told[i].name, (void *)~told[i].inverted);
        snprintf(name, sizeof name, "%s_bytes", told[i].name);
        fact_number(name, told[i].size);
        snprintf(name, sizeof name, "%s_kind", told[i].name);
        fact(name, "%s", told[i].kind);
    }
    fact("libc", "%s", gnu_get_libc_version());
}

#endif
