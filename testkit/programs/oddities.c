/*
 * Asks the C library for what it must refuse, for nothing, and for much, and sees that the answers are what the manual
 * says. What it loses on the way is told by place.
 *
 *   case=refused    sizes that cannot be, and that leave the block as it was
 *   case=nothing    zero bytes and no block
 *   case=large      more than 4 GiB, never touched
 *   case=aligned    to much more than a page
 */
#include "sites.h"

#include <malloc.h>

/* The compiler knows such sizes to be wrong, and says so. */
static volatile size_t enormous = PTRDIFF_MAX;
static volatile size_t nothing = 0;

static void *lose_survivor(void)
{
    return LOSE(100, malloc(100));
}

static void refused(void)
{
    char *block = lose_survivor();
    strcpy(block, "as it was");
    errno = 0;
    EXPECT(malloc(enormous) == NULL && errno == ENOMEM);
    EXPECT(malloc(2 * enormous) == NULL);
    errno = 0;
    EXPECT(realloc(block, enormous) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(calloc(enormous, 3) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(reallocarray(block, enormous, 4) == NULL && errno == ENOMEM);
    EXPECT(aligned_alloc(4096, enormous) == NULL);
    EXPECT(valloc(enormous) == NULL);
    EXPECT(pvalloc(enormous) == NULL);

    void *aligned = block;
    EXPECT(posix_memalign(&aligned, 3, 100) == EINVAL && aligned == block);
    EXPECT(posix_memalign(&aligned, 64, enormous) == ENOMEM && aligned == block);
    EXPECT(strcmp(block, "as it was") == 0);
}

static void *lose_nothing(void)
{
    return LOSE(0, malloc(nothing));
}

static void *lose_nothing_cleared(void)
{
    return LOSE(0, calloc(nothing, 8));
}

static void *lose_nothing_resized(void)
{
    return LOSE(0, realloc(NULL, nothing));
}

static void *lend(void)
{
    return LEND(malloc(50));
}

static void zero(void)
{
    for (int i = 0; i < 1000; i++) {
        errno = E2BIG;
        free(NULL);
        EXPECT(errno == E2BIG);
    }
    void *one = lose_nothing(), *other = lose_nothing();
    EXPECT(one != other && malloc_usable_size(one) > 0);
    EXPECT(lose_nothing_cleared() != lose_nothing_resized());
    EXPECT(malloc_usable_size(NULL) == 0);
    /* The C library takes it for free. */
    for (int i = 0; i < 3; i++)
        EXPECT(realloc(lend(), nothing) == NULL);
    errno = E2BIG;
    free(lend());
    EXPECT(errno == E2BIG);
}

static void *lose_large(size_t size)
{
    return LOSE(size, calloc(1, size));
}

static void *lend_large(size_t size)
{
    return LEND(malloc(size));
}

static void large(void)
{
    char *block = lose_large(5 * 1024 * MIB + 1);
    EXPECT(block[0] == 0 && block[5 * 1024 * MIB] == 0);
    EXPECT(malloc_usable_size(block) > 5 * 1024 * MIB);
    for (int i = 0; i < 100; i++)
        free(lend_large(64 * MIB));
    block = lend_large(300 * MIB);
    block[0] = 'b';
    block = realloc(block, 700 * MIB);
    EXPECT(block != NULL && block[0] == 'b');
    free(block);
}

static void *lose_aligned(size_t alignment, size_t size)
{
    void *block = NULL;
    return LOSE(size, posix_memalign(&block, alignment, size) == 0 ? block : NULL);
}

/* An alignment that is no power of two is made one. */
static void *lose_odd(void)
{
    return LOSE(100, memalign(48, 100));
}

static void aligned(void)
{
    for (size_t alignment = 8; alignment <= 4 * MIB; alignment *= 2) {
        char *block = lose_aligned(alignment, 3 * alignment + 1);
        EXPECT((uintptr_t)block % alignment == 0);
        memset(block, 0x6b, 3 * alignment + 1);
    }
    EXPECT((uintptr_t)lose_odd() % 64 == 0);
    void *plain = lend();
    EXPECT((uintptr_t)plain % 16 == 0);
    free(plain);
}

int main(int argument_count, char **arguments)
{
    const char *which = option(argument_count, arguments, "case", "refused");
    if (strcmp(which, "refused") == 0)
        refused();
    else if (strcmp(which, "nothing") == 0)
        zero();
    else if (strcmp(which, "large") == 0)
        large();
    else if (strcmp(which, "aligned") == 0)
        aligned();
    fact_sites();
    tell("done");
    return 0;
}
