/*
 * Coroutines by makecontext and swapcontext: stacks that change under the feet of a thread, each of which allocates
 * between the turns of the others.
 *
 *   threads=N   each with coroutines of its own (1)
 *   turns=N     how often each coroutine goes on (500)
 *   move=1      a coroutine goes on in another thread than the one that it began in
 */
#include "sites.h"

#include <pthread.h>
#include <ucontext.h>

#define COROUTINES 5
#define STACK (64 * KIB)

struct coroutine {
    ucontext_t context;
    unsigned depth;
    int ended;
};

static unsigned long turns;
/* Where a coroutine goes back to, and which one runs: of the thread, wherever the coroutine began. */
static __thread ucontext_t *home;
static __thread struct coroutine *current;

/* A coroutine that moved must ask anew what is the thread's. */
__attribute__((noinline)) static void pause_here(struct coroutine *self)
{
    swapcontext(&self->context, home);
}

__attribute__((noinline)) static void lose_in_coroutine(void)
{
    LOSE(48, malloc(48));
}

__attribute__((noinline)) static void descend(struct coroutine *self, unsigned depth)
{
    void *volatile block;
    if (depth > 0) {
        descend(self, depth - 1);
        __asm__ volatile("");
        return;
    }
    block = malloc(100);
    pause_here(self);
    free(block);
    lose_in_coroutine();
}

static void live(void)
{
    struct coroutine *self = current;
    for (unsigned long turn = 0; turn < turns; turn++)
        descend(self, self->depth + turn % 5);
    self->ended = 1;
    pause_here(self);
}

static void begin(struct coroutine *coroutine, unsigned depth)
{
    EXPECT(getcontext(&coroutine->context) == 0);
    coroutine->context.uc_stack.ss_size = STACK;
    coroutine->context.uc_stack.ss_sp =
        mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(coroutine->context.uc_stack.ss_sp != MAP_FAILED);
    coroutine->depth = depth;
    coroutine->ended = 0;
    makecontext(&coroutine->context, live, 0);
}

static void go_on(struct coroutine *coroutine)
{
    ucontext_t here;
    home = &here;
    current = coroutine;
    EXPECT(swapcontext(&here, &coroutine->context) == 0);
}

static void *take_turns(void *unused)
{
    struct coroutine coroutines[COROUTINES];
    int left = COROUTINES;
    for (unsigned i = 0; i < COROUTINES; i++)
        begin(&coroutines[i], i);
    while (left > 0)
        for (int i = 0; i < COROUTINES; i++)
            if (!coroutines[i].ended) {
                go_on(&coroutines[i]);
                left -= coroutines[i].ended;
            }
    return unused;
}

/* --- moving ------------------------------------------------------------------------------------------------------- */

static struct coroutine shared[COROUTINES];

static void *step_all(void *unused)
{
    for (int i = 0; i < COROUTINES; i++)
        if (!shared[i].ended)
            go_on(&shared[i]);
    return unused;
}

static void start(pthread_t *thread, void *(*work)(void *))
{
    EXPECT(pthread_create(thread, NULL, work, NULL) == 0);
}

static void move(void)
{
    for (unsigned i = 0; i < COROUTINES; i++)
        begin(&shared[i], i);
    for (unsigned long step = 0; step <= turns; step++) {
        pthread_t thread;
        start(&thread, step_all);
        pthread_join(thread, NULL);
    }
    for (int i = 0; i < COROUTINES; i++)
        EXPECT(shared[i].ended);
}

int main(int argument_count, char **arguments)
{
    size_t threads = quantity(argument_count, arguments, "threads", 1);
    pthread_t others[64];
    turns = quantity(argument_count, arguments, "turns", 500);
    EXPECT(threads > 0 && threads <= 64);
    if (quantity(argument_count, arguments, "move", 0)) {
        move();
    } else {
        for (size_t i = 1; i < threads; i++)
            start(&others[i], take_turns);
        take_turns(NULL);
        for (size_t i = 1; i < threads; i++)
            pthread_join(others[i], NULL);
    }
    fact_sites();
    tell("done");
    return 0;
}
