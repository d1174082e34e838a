/* Calls each function that allocates, between two marks, and tells of the addresses that were given. */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "residue_marks.h"

int main(void)
{
    static void *given[32];
    int count = 0;
    residue_mark_begin("family");
    given[count++] = malloc(1001);
    given[count++] = calloc(3, 367);
    given[count++] = realloc(NULL, 1201);
    void *grown = realloc(given[2], 100301);
    if (realloc(grown, PTRDIFF_MAX) != NULL)
        return 1;
    given[count++] = grown = reallocarray(grown, 3, 467);
    if (posix_memalign(&given[count++], 64, 1501) != 0)
        return 1;
    given[count++] = aligned_alloc(128, 1536);
    given[count++] = memalign(256, 1601);
    given[count++] = valloc(1701);
    given[count++] = pvalloc(1801);
    given[count++] = malloc(0);
    free(NULL);
    given[2] = NULL;
    for (int i = 0; i < count; i++)
        free(given[i]);
    char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pages = mremap(pages, 3 * 4096, 5 * 4096, MREMAP_MAYMOVE);
    munmap(pages, 5 * 4096);
    mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *before = sbrk(8192);
    if (brk(before) != 0)
        return 1;
    residue_mark_end("family");
    for (int i = 0; i < count; i++)
        if (i != 2)
            printf("%lx ", (unsigned long)(uintptr_t)given[i]);
    return 0;
}
