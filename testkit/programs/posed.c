/*
 * A process posed for its portrait: blocked threads, and regions of each kind that a core must tell apart. Answers any
 * line with how often a thread of its own has counted since the start.
 */
#include "truth.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#ifndef MADV_DONTDUMP
#define MADV_DONTDUMP 16
#endif
#define MADV_GUARD_INSTALL_NUMBER 102

#if __SIZEOF_POINTER__ == 8
#define AT(number) ((uintptr_t)0x100000000000 + (uintptr_t)(number) * 0x100000000)
#define SPARSE_MIB 1024
#else
#define AT(number) ((uintptr_t)0x60000000 + (uintptr_t)(number) * 0x1000000)
#define SPARSE_MIB 12
#endif

static size_t page;
static volatile unsigned long long beats;
static size_t sparse_size;
static char modified[64] = "not modified";

static void *counting(void *nothing)
{
    for (;;) {
        struct timespec nap = { .tv_nsec = 100000 };
        nanosleep(&nap, NULL);
        beats++;
    }
    return nothing;
}

static void *blocked(void *nothing)
{
    prctl(PR_SET_NAME, "blocked");
    for (;;)
        pause();
    return nothing;
}

/* Waits where no signal reaches it, until its child ends: with the program. */
static void *forking(void *nothing)
{
    if (vfork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return nothing;
}

static char *pages(const char *name, int number, size_t count, int flags)
{
    char *start = island(AT(number), count * page, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1);
    madvise(start, count * page, MADV_NOHUGEPAGE);
    fact_address(name, start);
    return start;
}

/* Eight pages, of which each is filled with its own letter. */
static char *lettered(const char *name, int number)
{
    char *start = pages(name, number, 8, MAP_PRIVATE);
    for (int i = 0; i < 8; i++)
        memset(start + (size_t)i * page, 'a' + i, page);
    return start;
}

static void regions(void)
{
    char *guarded = lettered("guarded", 0);
    fact_number("guards", madvise(guarded + 4 * page, page, MADV_GUARD_INSTALL_NUMBER) == 0);

    char *fenced = pages("fenced", 1, 8, MAP_PRIVATE);
    memset(fenced, 'a', 4 * page);
    memset(fenced + 5 * page, 'f', 3 * page);
    if (mprotect(fenced + 4 * page, page, PROT_NONE) != 0)
        give_up("mprotect");

    char *hidden = lettered("hidden", 2);
    if (mprotect(hidden + 4 * page, page, PROT_NONE) != 0)
        give_up("mprotect");

    char *sparse = pages("sparse", 3, sparse_size / page, MAP_PRIVATE);
    fact_number("sparse_bytes", sparse_size);
    sparse[0] = 'x';
    sparse[sparse_size / 2] = 'y';
    sparse[sparse_size - 1] = 'z';

    memset(pages("zeros", 4, 1024, MAP_PRIVATE), 0, 1024 * page);

    if (madvise(lettered("secret", 5), 8 * page, MADV_DONTDUMP) != 0)
        give_up("madvise");

    /* Written by another process alone: not in the page table of this one. */
    char *inherited = pages("inherited", 6, 16, MAP_SHARED);
    pid_t child = fork();
    if (child == 0) {
        memset(inherited + 3 * page, 'i', page);
        _exit(0);
    }
    waitpid(child, NULL, 0);

    /* A file that became shorter than its mapping. */
    FILE *file = tmpfile();
    if (file == NULL || ftruncate(fileno(file), (off_t)(4 * page)) != 0)
        give_up("tmpfile");
    char *cut = mmap((void *)AT(7), 4 * page, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fileno(file), 0);
    if (cut == MAP_FAILED || ftruncate(fileno(file), (off_t)(2 * page)) != 0)
        give_up("cut");
    fact_address("cut", cut);
}

int main(int count, char **arguments)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    size_t threads = quantity(count, arguments, "threads", 3);
    sparse_size = quantity(count, arguments, "sparse_mib", SPARSE_MIB) * MIB;
    strcpy(modified, "modified by the program");
    char *text = malloc(64);
    strcpy(text, "residue stood here");
    fact_address("text", text);
    fact_address("modified", modified);
    regions();

    pthread_t thread;
    for (size_t i = 0; i < threads; i++)
        if (pthread_create(&thread, NULL, blocked, NULL) != 0)
            give_up("pthread_create");
    if (quantity(count, arguments, "forking", 0) && pthread_create(&thread, NULL, forking, NULL) != 0)
        give_up("pthread_create");
    if (pthread_create(&thread, NULL, counting, NULL) != 0)
        give_up("pthread_create");
    tell("ready");
    for (char line[64]; hear(line, sizeof line);) {
        fact_number("beats", beats);
        tell("posed");
    }
    return 0;
}
