/*
 * A program with two C libraries in it, each with a heap of its own.
 *
 *   library=FILE   holder.c as a shared library: it is loaded into a namespace of its own, and its C library with it
 *
 * Blocks, told as leakkinds.c tells them: `outer_…` of the C library that the program began with, `inner_…` of the
 * other.
 */
#include "heap.h"

#include <dlfcn.h>

static char *volatile kept;

__attribute__((noinline)) static void make_outer(void)
{
    kept = make("outer_kept", "reachable");
    KEEP(make("outer_lost", "definite"));
}

static void *(*take)(size_t, int);

__attribute__((noinline)) static void take_inner(const char *name, const char *kind, size_t size, int keep)
{
    note(name, kind, take(size, keep));
}

__attribute__((noinline)) static void make_inner(const char *path)
{
    void *library = path ? dlmopen(LM_ID_NEWLM, path, RTLD_NOW) : NULL;
    take = library ? (void *(*)(size_t, int))dlsym(library, "holder_take") : NULL;
    if (take == NULL) {
        dprintf(STDERR_FILENO, "%s\n", dlerror());
        give_up("library");
    }
    fact_address("inner_code", (void *)(uintptr_t)take);
    take_inner("inner_kept", "reachable", 104, 1);
    take_inner("inner_lost", "definite", 120, 0);
    take_inner("inner_lost_again", "definite", 2040, 0);
    take_inner("inner_lost_large", "definite", 300000, 0);
    take_inner("inner_kept_last", "reachable", 136, 1);
}

int main(int count, char **arguments)
{
    make_outer();
    make_inner(option(count, arguments, "library", NULL));
    fact_blocks();
    scrub();
    tell("ready");
    dwell();
    exit(0);
}
