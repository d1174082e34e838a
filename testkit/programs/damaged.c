/*
 * A heap in which one block was written beyond its end.
 *
 *   mode=overflow   a block of 24 bytes is written `bytes` too far: over the size of the block behind it  (default)
 *   mode=freed      a block is written after it was freed: over the link to the next free one
 *   mode=top        the last block is written too far: over the size of all that is not allocated yet
 *   bytes=          how far beyond its end, 8 to 64                                                       (default 16)
 *   around=         blocks of 104 bytes before and behind it, that are held                               (default 200)
 *
 * `culprit` is the block that was written too far, `victim` the one behind it, `damaged` the address of the word that
 * was destroyed, `was` and `is` its values. One block before and one behind are lost: `lost_before` and `lost_behind`.
 */
#include "heap.h"

static char *volatile held[4096];
static size_t held_count;
static char *volatile culprit, *volatile victim;

static char *filled(size_t size, int letter)
{
    char *block = malloc(size);
    if (block == NULL)
        give_up("malloc");
    return memset(block, letter, size);
}

__attribute__((noinline)) static void surround(size_t around, const char *lost)
{
    for (size_t i = 0; i < around; i++) {
        held[held_count++] = filled(104, 'h');
        if (i == around / 2)
            note(lost, "definite", filled(424, 'l'));
    }
}

__attribute__((noinline)) static void overflow(size_t bytes)
{
    uintptr_t *word = (uintptr_t *)(culprit + 24);
    fact_address("damaged", word);
    fact("was", "%#zx", (size_t)*word);
    memset((char *)word, 'A', bytes);
    KEEP(word);
    fact("is", "%#zx", (size_t)*word);
}

__attribute__((noinline)) static void write_after_free(void)
{
    uintptr_t *word = (uintptr_t *)culprit;
    free(victim);
    free(culprit); /* it links to the other now */
    KEEP(word);
    fact_address("damaged", word);
    fact("was", "%#zx", (size_t)*word);
    memset(word, 'A', sizeof *word);
    KEEP(word);
    fact("is", "%#zx", (size_t)*word);
}

int main(int count, char **arguments)
{
    const char *mode = option(count, arguments, "mode", "overflow");
    size_t bytes = quantity(count, arguments, "bytes", 16), around = quantity(count, arguments, "around", 200);
    int is_top = strcmp(mode, "top") == 0;
    if (bytes < 8 || bytes > 64 || around < 1 || around > 2000) {
        errno = EINVAL;
        give_up("bytes and around");
    }
    surround(around, "lost_before");
    if (is_top)
        surround(around, "lost_behind");
    culprit = filled(24, 'c');
    victim = is_top ? culprit + 32 : filled(strcmp(mode, "freed") == 0 ? 24 : 72, 'v');
    if (!is_top)
        surround(around, "lost_behind");
    fact_blocks();
    fact_address("culprit", culprit);
    fact_address("victim", victim);
    fact_number("held", held_count);
    fact_address("first", held[0]);
    fact_address("last", held[held_count - 1]);
    if (strcmp(mode, "freed") == 0)
        write_after_free();
    else
        overflow(bytes);
    scrub();
    tell("ready");
    dwell();
    _exit(0);
}
