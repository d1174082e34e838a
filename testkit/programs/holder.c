/*
 * A library for programs to load: it holds what it is given, and has blocks of its own.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void *volatile held;
static void *volatile own[16];
static int own_count;

void holder_hold(void *block)
{
    held = block;
}

/* A block of the C library that this one is linked with; it is held when it is to be kept, and lost otherwise. */
void *holder_take(size_t size, int keep)
{
    void *block = malloc(size);
    if (block == NULL)
        abort();
    memset(block, 0x6b, size);
    if (keep)
        own[own_count++ % 16] = block;
    return block;
}

size_t holder_size(void *block)
{
    return malloc_usable_size(block);
}
