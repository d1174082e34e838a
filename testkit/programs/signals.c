/*
 * Handlers that allocate. The C library allows that only where it is not allocating itself: so what is interrupted tells
 * whether it is, unless the allocator is one that takes it (bump.c).
 *
 *   case=storm      a timer, while the main thread allocates; the handler does when it may
 *   case=reckless   the handler always allocates. Only with bump.c as the allocator
 *   case=altstack   on a stack of their own
 *   case=overflow   when the stack is full, from where the handler leaves by siglongjmp
 *   case=directed   signals that other threads send, some of which wait in the kernel
 *   times=N         how often the handler allocates (500)
 */
#include "sites.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

#define BUSY 64

static volatile sig_atomic_t inside;
static volatile unsigned long times, handled;

static void handle(int number, void (*handler)(int), int flags)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
    EXPECT(sigaction(number, &action, NULL) == 0);
}

static void tick(unsigned microseconds)
{
    struct itimerval every = { { 0, microseconds }, { 0, microseconds } };
    EXPECT(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

__attribute__((noinline)) static void lose_in_handler(void)
{
    LOSE(56, malloc(56));
}

__attribute__((noinline)) static void lose_after(void)
{
    LOSE(88, malloc(88));
}

/* --- a timer ------------------------------------------------------------------------------------------------------ */

static void on_tick(int number)
{
    (void)number;
    if (inside || handled == times)
        return;
    lose_in_handler();
    spend(200);
    handled++;
}

static void on_tick_always(int number)
{
    (void)number;
    void *volatile block = malloc(200);
    block = realloc(block, 400);
    free(block);
    handled += handled < times;
}

/* Deep and shallow by turns, so that no two interruptions look alike. */
__attribute__((noinline)) static void allocate(unsigned depth)
{
    void *volatile block;
    if (depth > 0)
        allocate(depth - 1);
    inside = 1;
    block = malloc(depth + 1);
    inside = 0;
    if (block == NULL)
        give_up("malloc");
    /* Long enough that most of the ticks come here, where a handler may. */
    for (volatile int i = 0; i < 1000; i++)
        ;
    inside = 1;
    free(block);
    inside = 0;
}

static void storm(void (*handler)(int))
{
    handle(SIGALRM, handler, SA_RESTART);
    tick(100);
    for (unsigned depth = 0; handled < times; depth = (depth + 1) % 30)
        allocate(depth);
    tick(0);
    handle(SIGALRM, SIG_IGN, 0);
    lose_after();
}

/* --- other stacks ------------------------------------------------------------------------------------------------- */

static sigjmp_buf before;

static void stand_elsewhere(void)
{
    stack_t stack = { .ss_size = 128 * KIB };
    stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(stack.ss_sp != MAP_FAILED && sigaltstack(&stack, NULL) == 0);
}

static void on_user(int number)
{
    (void)number;
    lose_in_handler();
}

static void altstack(void)
{
    stand_elsewhere();
    handle(SIGUSR1, on_user, SA_ONSTACK);
    for (unsigned long i = 0; i < times; i++) {
        spend(10);
        raise(SIGUSR1);
    }
    lose_after();
}

static void on_full(int number)
{
    (void)number;
    lose_in_handler();
    siglongjmp(before, 1);
}

__attribute__((noinline)) static int overflow(volatile char *above, size_t depth)
{
    volatile char room[2048];
    room[0] = above[0];
    return depth == 0 ? 0 : overflow(room, depth - 1) + room[0];
}

static void full(void)
{
    struct rlimit small = { 512 * KIB, 512 * KIB };
    EXPECT(setrlimit(RLIMIT_STACK, &small) == 0);
    stand_elsewhere();
    handle(SIGSEGV, on_full, SA_ONSTACK);
    for (volatile int i = 0; i < 20; i++)
        if (sigsetjmp(before, 1) == 0)
            EXPECT(overflow("", SIZE_MAX) == -1);
    lose_after();
}

/* --- other threads ------------------------------------------------------------------------------------------------ */

static void on_poke(int number)
{
    (void)number;
    if (!inside)
        lose_in_handler();
    __atomic_add_fetch(&handled, !inside, __ATOMIC_RELEASE);
}

static void *poke(void *target)
{
    for (unsigned long i = 0; i < times; i++) {
        pthread_kill(*(pthread_t *)target, SIGUSR2);
        while (__atomic_load_n(&handled, __ATOMIC_ACQUIRE) <= i)
            sched_yield();
        spend(BUSY);
    }
    return NULL;
}

/* Waits in the kernel: it never is inside the allocator. */
static void directed(void)
{
    pthread_t self = pthread_self(), thread;
    handle(SIGUSR2, on_poke, SA_RESTART);
    EXPECT(pthread_create(&thread, NULL, poke, &self) == 0);
    pthread_join(thread, NULL);
    lose_after();
}

int main(int argument_count, char **arguments)
{
    const char *which = option(argument_count, arguments, "case", "storm");
    times = quantity(argument_count, arguments, "times", 500);
    if (strcmp(which, "storm") == 0)
        storm(on_tick);
    else if (strcmp(which, "reckless") == 0)
        storm(on_tick_always);
    else if (strcmp(which, "altstack") == 0)
        altstack();
    else if (strcmp(which, "overflow") == 0)
        full();
    else if (strcmp(which, "directed") == 0)
        directed();
    fact_sites();
    tell("done");
    return 0;
}
