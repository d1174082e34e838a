/*
 * The oldest way to run out of address space with most of it free: allocate 100 MiB, leave one small block where they
 * stood, free them, repeat until it fails. Runs on Linux and Windows.
 *
 *   bound=BYTES    first takes everything but this much away, so that 64 bits end too; 0 leaves it as it is
 *
 * Answers `go N` with what N more rounds did: `rounds` so far, whether one was `refused`, and the `largest` piece that
 * can still be had, found by trying.
 */
#include "truth.h"

#define ROUND (100 * MIB)
#define GRANULE (64 * KIB)

#ifdef _WIN32
static char *reserve(size_t size) { return VirtualAlloc(NULL, size, MEM_RESERVE, PAGE_NOACCESS); }
static void release(char *start, size_t size) { (void)size; VirtualFree(start, 0, MEM_RELEASE); }

static void leave_block(char *start)
{
    release(start, ROUND);
    if (VirtualAlloc(start + ROUND / 2, GRANULE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) == NULL)
        give_up("VirtualAlloc");
}
#else
static char *reserve(size_t size)
{
    char *start = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}
static void release(char *start, size_t size) { munmap(start, size); }

static void leave_block(char *start)
{
    release(start, ROUND / 2);
    release(start + ROUND / 2 + GRANULE, ROUND / 2 - GRANULE);
    if (mprotect(start + ROUND / 2, GRANULE, PROT_READ | PROT_WRITE) != 0)
        give_up("mprotect");
}
#endif

/* Takes all address space but a piece of `bound`, the largest pieces first. */
static void take_all_but(size_t bound)
{
    char *kept = reserve(bound);
    if (kept == NULL)
        give_up("bound");
    for (size_t size = (size_t)1 << (sizeof(size_t) == 8 ? 46 : 30); size >= GRANULE; size /= 2)
        while (reserve(size) != NULL)
            ;
    release(kept, bound);
}

/* The largest piece that can be had, to the granule. */
static size_t largest(void)
{
    size_t can = 0, cannot = sizeof(size_t) == 8 ? (size_t)1 << 47 : ~(size_t)0xffff;
    while (cannot - can > GRANULE) {
        size_t size = can + (cannot - can) / 2 / GRANULE * GRANULE;
        if (size == can)
            break;
        char *start = reserve(size);
        if (start == NULL) {
            cannot = size;
        } else {
            release(start, size);
            can = size;
        }
    }
    return can;
}

int main(int count, char **arguments)
{
    size_t bound = (size_t)quantity(count, arguments, "bound", 0);
    unsigned long long rounds = 0;
    char line[64];

    if (bound != 0)
        take_all_but(bound);
    fact_number("largest", largest());
    tell("ready");
    while (hear(line, sizeof line)) {
        int refused = 0;
        for (unsigned long long left = strtoull(line + 3, NULL, 10); left > 0 && !refused; left--) {
            char *start = reserve(ROUND);
            refused = start == NULL;
            if (!refused) {
                leave_block(start);
                rounds++;
            }
        }
        fact_number("rounds", rounds);
        fact_number("refused", (unsigned long long)refused);
        fact_number("largest", largest());
        tell("did");
    }
    return 0;
}
