/*
 * Loses some blocks, tells of them, and ends in the way that it is told to.
 *
 *   how=return|exit|_exit|quick_exit|abort|kill|segv|trap|stack|main_thread
 */
#include "sites.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

static void lose_some(void)
{
    for (int i = 0; i < 1000; i++)
        LOSE(48, malloc(48));
}

static void *lose_in_thread(void *unused)
{
    for (int i = 0; i < 10; i++)
        LOSE(33, malloc(33));
    return unused;
}

static void told(void)
{
    fact_sites();
    tell("done");
}

/* Ends the process as the last of its threads. */
static void *outlive(void *main_thread)
{
    pthread_join(*(pthread_t *)main_thread, NULL);
    lose_in_thread(NULL);
    told();
    return NULL;
}

static void end_main_thread(void)
{
    static pthread_t main_thread;
    pthread_t thread;
    main_thread = pthread_self();
    EXPECT(pthread_create(&thread, NULL, outlive, &main_thread) == 0);
    pthread_exit(NULL);
}

/* Deeper than any stack. */
__attribute__((noinline)) static int overflow(volatile char *above, size_t depth)
{
    volatile char room[1024];
    room[0] = above[0];
    return depth == 0 ? 0 : overflow(room, depth - 1) + room[0];
}

int main(int argument_count, char **arguments)
{
    const char *how = option(argument_count, arguments, "how", "return");
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    lose_some();
    if (strcmp(how, "main_thread") == 0)
        end_main_thread();
    told();
    if (strcmp(how, "exit") == 0)
        exit(9);
    if (strcmp(how, "_exit") == 0)
        _exit(10);
    if (strcmp(how, "quick_exit") == 0)
        quick_exit(11);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "kill") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(how, "segv") == 0)
        *(volatile int *)8 = 1;
    if (strcmp(how, "trap") == 0)
        __builtin_trap();
    if (strcmp(how, "stack") == 0)
        return overflow("", SIZE_MAX) & 1;
    return 8;
}
