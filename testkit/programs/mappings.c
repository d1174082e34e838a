/*
 * Takes memory from the kernel by itself, and gives back parts of it. What it keeps is told by place.
 */
#include "sites.h"

#define PAGE ((size_t)4096)
#define ANONYMOUS MAP_PRIVATE | MAP_ANONYMOUS, -1, 0
#define WRITABLE PROT_READ | PROT_WRITE

static void *unmapped(char *start, size_t from, size_t pages)
{
    if (munmap(start + from * PAGE, pages * PAGE) != 0)
        give_up("munmap");
    return start;
}

static void lose_mapping(void)
{
    for (int i = 0; i < 5; i++)
        LOSE(16 * PAGE, mmap(NULL, 16 * PAGE, WRITABLE, ANONYMOUS));
}

static void lose_head_and_tail(void)
{
    LOSE(12 * PAGE, unmapped(mmap(NULL, 16 * PAGE, WRITABLE, ANONYMOUS), 6, 4));
}

static void lose_middle(void)
{
    LOSE(6 * PAGE, unmapped(unmapped(mmap(NULL, 16 * PAGE, WRITABLE, ANONYMOUS), 0, 4), 10, 6));
}

static void *lend_mapping(size_t pages)
{
    return LEND(mmap(NULL, pages * PAGE, WRITABLE, ANONYMOUS));
}

static void lose_grown(void)
{
    void *mapping = lend_mapping(4);
    LOSE(64 * PAGE, mremap(mapping, 4 * PAGE, 64 * PAGE, MREMAP_MAYMOVE));
}

static void lose_shrunk(void)
{
    void *mapping = lend_mapping(8);
    LOSE(3 * PAGE, mremap(mapping, 8 * PAGE, 3 * PAGE, 0));
}

/* What stood there before is gone with it. */
static void lose_over(char *before)
{
    LOSE(4 * PAGE, mmap(before, 4 * PAGE, WRITABLE, MAP_FIXED | ANONYMOUS));
}

/* An address range is no memory. */
static void reserve(void)
{
    EXPECT(mmap(NULL, 1024 * MIB, PROT_NONE, MAP_NORESERVE | ANONYMOUS) != MAP_FAILED);
}

static void lose_break(void)
{
    LOSE(20 * PAGE, sbrk(20 * PAGE));
    EXPECT(sbrk(8 * PAGE) != (void *)-1);
    EXPECT(sbrk(-8 * (intptr_t)PAGE) != (void *)-1);
}

int main(void)
{
    lose_mapping();
    lose_head_and_tail();
    lose_middle();
    lose_grown();
    lose_shrunk();
    lose_over(lend_mapping(4));
    reserve();
    lose_break();
    for (int i = 0; i < 1000; i++)
        unmapped(lend_mapping(32), 0, 32);
    EXPECT(munmap((void *)1, PAGE) == -1 && errno == EINVAL);
    EXPECT(mmap(NULL, 0, WRITABLE, ANONYMOUS) == MAP_FAILED && errno == EINVAL);
    EXPECT(mremap(NULL, 0, PAGE, 0) == MAP_FAILED);
    fact_sites();
    tell("done");
    return 0;
}
