/*
 * Loses blocks in every way in which C allocates, a function each, and tells of each place what was lost there.
 */
#include "sites.h"

#include <malloc.h>
#include <wchar.h>

static void lose_malloc(void)
{
    for (int i = 0; i < 10; i++)
        LOSE(24, malloc(24));
}

static void lose_calloc(void)
{
    for (int i = 0; i < 9; i++)
        LOSE(3 * 40, calloc(3, 40));
}

static void lose_realloc(void)
{
    for (int i = 0; i < 8; i++)
        LOSE(200, realloc(NULL, 200));
}

static void *lend(void)
{
    return LEND(malloc(100));
}

/* What was allocated elsewhere is lost where it grew. */
static void lose_grown(void)
{
    for (int i = 0; i < 7; i++) {
        void *block = lend();
        LOSE(3000, realloc(block, 3000));
    }
}

static void lose_reallocarray(void)
{
    for (int i = 0; i < 6; i++)
        LOSE(7 * 30, reallocarray(NULL, 7, 30));
}

static void lose_strdup(void)
{
    for (int i = 0; i < 5; i++)
        LOSE(sizeof "a text of its own", strdup("a text of its own"));
}

static void lose_strndup(void)
{
    for (int i = 0; i < 4; i++)
        LOSE(6 + 1, strndup("a text of its own", 6));
}

static void lose_wcsdup(void)
{
    LOSE(sizeof L"wide", wcsdup(L"wide"));
}

static void lose_posix_memalign(void)
{
    void *block = NULL;
    for (int i = 0; i < 3; i++)
        LOSE(500, posix_memalign(&block, 64, 500) == 0 ? block : NULL);
}

static void lose_aligned_alloc(void)
{
    for (int i = 0; i < 3; i++)
        LOSE(640, aligned_alloc(32, 640));
}

static void lose_memalign(void)
{
    for (int i = 0; i < 2; i++)
        LOSE(700, memalign(256, 700));
}

static void lose_valloc(void)
{
    for (int i = 0; i < 2; i++)
        LOSE(100, valloc(100));
}

/* It gives whole pages; what was asked for is less. */
static void lose_pvalloc(void)
{
    LOSE(5000, pvalloc(5000));
}

/* From the kernel, beyond the threshold of the C library. */
static void lose_large(void)
{
    LOSE(3 * MIB, malloc(3 * MIB));
}

int main(void)
{
    lose_malloc();
    lose_calloc();
    lose_realloc();
    lose_grown();
    lose_reallocarray();
    lose_strdup();
    lose_strndup();
    lose_wcsdup();
    lose_posix_memalign();
    lose_aligned_alloc();
    lose_memalign();
    lose_valloc();
    lose_pvalloc();
    lose_large();
    fact_sites();
    tell("done");
    return 0;
}
