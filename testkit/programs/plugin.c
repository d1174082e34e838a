/*
 * A library for programs to load and unload: it loses what it is told to, by a function that PLUGIN names.
 */
#include <stdlib.h>
#include <string.h>

#ifndef PLUGIN
#define PLUGIN plugin
#endif
#define JOINED(a, b) a##b
#define JOIN(a, b) JOINED(a, b)
#define TEXT(name) #name
#define TEXT_OF(name) TEXT(name)
#define LOSE_IN_PLUGIN JOIN(lose_in_, PLUGIN)

/* The function of one plugin must not stand where that of the other does. */
#ifdef SHIFTED
__attribute__((used)) static int shift(int count)
{
    return count < 2 ? count : shift(count - 1) + shift(count - 2);
}
#endif

const char plugin_function[] = TEXT_OF(LOSE_IN_PLUGIN);
const int plugin_line = __LINE__ + 6;

__attribute__((noinline)) static void LOSE_IN_PLUGIN(int count, size_t size)
{
    for (int i = 0; i < count; i++) {
        /* The next line is what `plugin_line` says. */
        void *block = malloc(size);
        if (block == NULL)
            abort();
        memset(block, 0x6b, size);
    }
}

void plugin_lose(int count, size_t size)
{
    LOSE_IN_PLUGIN(count, size);
    __asm__ volatile("");
}

void *plugin_lend(size_t size)
{
    return malloc(size);
}

/* For a program that has another C library. */
void plugin_take_back(void *block)
{
    free(block);
}
