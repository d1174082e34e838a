/*
 * A 32-bit process with much free address space and no room: everything is mapped, then holes are punched that
 * do not touch each other. Built with -m32; as a 64-bit program it would try to fill 128 TiB, so it does not build.
 *
 * A hole is larger than the gap of 1 MiB that the kernel keeps below the stack, so that a hole, and nothing that
 * the program does not know of, is the largest free range.
 */
#include "truth.h"

_Static_assert(sizeof(void *) == 4, "build with -m32");

#define BLOCK (16 * MIB)
#define HOLE (2 * MIB)

int main(void)
{
    char *blocks[512];
    size_t held = 0, mapped = 0;

    for (size_t size = BLOCK; size >= 4 * KIB; size /= 2)
        for (;;) {
            /* Read-only private memory is not counted against overcommit: this works on a small machine. */
            char *start = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (start == MAP_FAILED)
                break;
            mapped += size;
            if (size == BLOCK && held < sizeof blocks / sizeof *blocks)
                blocks[held++] = start;
        }

    size_t holes = 0;
    for (size_t i = 0; i < held; i++)
        for (size_t at = 3 * MIB; at < BLOCK; at += 8 * MIB, holes++)
            if (munmap(blocks[i] + at, HOLE) != 0)
                give_up("munmap");

    void *refused = mmap(NULL, 2 * HOLE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fact_number("holes", holes);
    fact_number("hole_bytes", HOLE);
    fact_number("free_bytes", (unsigned long long)holes * HOLE);
    fact_number("mapped_bytes", mapped - (unsigned long long)holes * HOLE);
    fact_number("refused_bytes", refused == MAP_FAILED ? 2 * HOLE : 0);
    fact_address("first_hole", blocks[0] + 3 * MIB);
    tell("ready");
    dwell();
    return 0;
}
