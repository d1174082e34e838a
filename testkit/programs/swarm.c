/*
 * Threads that come and go by thousands, and free what others allocated.
 *
 *   case=brief      each allocates, frees what the one before left, loses a block and ends
 *   case=pipeline   some allocate all the time what others free all the time
 *   case=detached   nobody waits for them; the last block is lost by whoever ends last
 *   case=abandoned  the process ends while they allocate
 *   threads=N       how many in all (brief: 2000, else 8)
 */
#include "sites.h"

#include <pthread.h>

#define TOGETHER 8

static pthread_t start(void *(*work)(void *), void *argument)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, work, argument);
    if (error != 0) {
        errno = error;
        give_up("pthread_create");
    }
    return thread;
}

/* --- brief -------------------------------------------------------------------------------------------------------- */

static void *volatile left_behind;

static void *lend(void)
{
    return LEND(malloc(80));
}

static void lose_brief(void)
{
    LOSE(40, malloc(40));
}

static void *live_briefly(void *unused)
{
    free(__atomic_exchange_n(&left_behind, lend(), __ATOMIC_ACQ_REL));
    lose_brief();
    return unused;
}

static void brief(size_t count)
{
    pthread_t threads[TOGETHER];
    for (size_t done = 0; done < count; done += TOGETHER) {
        for (int i = 0; i < TOGETHER; i++)
            threads[i] = start(live_briefly, NULL);
        for (int i = 0; i < TOGETHER; i++)
            pthread_join(threads[i], NULL);
    }
    free(left_behind);
}

/* --- pipeline ----------------------------------------------------------------------------------------------------- */

#define BLOCKS 50000

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    void *blocks[64];
    unsigned first, count;
} pipe_ = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, { NULL }, 0, 0 };

static void send(void *block)
{
    pthread_mutex_lock(&pipe_.mutex);
    while (pipe_.count == 64)
        pthread_cond_wait(&pipe_.changed, &pipe_.mutex);
    pipe_.blocks[(pipe_.first + pipe_.count++) % 64] = block;
    pthread_cond_broadcast(&pipe_.changed);
    pthread_mutex_unlock(&pipe_.mutex);
}

static void *receive(void)
{
    pthread_mutex_lock(&pipe_.mutex);
    while (pipe_.count == 0)
        pthread_cond_wait(&pipe_.changed, &pipe_.mutex);
    void *block = pipe_.blocks[pipe_.first++ % 64];
    pipe_.count--;
    pthread_cond_broadcast(&pipe_.changed);
    pthread_mutex_unlock(&pipe_.mutex);
    return block;
}

static void *lend_sized(size_t size)
{
    return LEND(malloc(size));
}

static void lose_in_pipeline(void)
{
    LOSE(72, malloc(72));
}

static void *produce(void *end)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        send(lend_sized(16 + i % 500));
        if (i % 100 == 0)
            lose_in_pipeline();
    }
    send(end);
    return NULL;
}

static void *consume(void *end)
{
    for (void *block; (block = receive()) != end;)
        free(block);
    return NULL;
}

static void pipeline(size_t pairs)
{
    static char end;
    pthread_t threads[2 * 64];
    EXPECT(pairs <= 64);
    for (size_t i = 0; i < pairs; i++) {
        threads[2 * i] = start(produce, &end);
        threads[2 * i + 1] = start(consume, &end);
    }
    for (size_t i = 0; i < 2 * pairs; i++)
        pthread_join(threads[i], NULL);
}

/* --- those that nobody waits for ---------------------------------------------------------------------------------- */

static unsigned long running;

static void lose_detached(void)
{
    LOSE(24, malloc(24));
}

static void *live_detached(void *unused)
{
    for (int i = 0; i < 1000; i++)
        free(lend());
    lose_detached();
    __atomic_sub_fetch(&running, 1, __ATOMIC_RELEASE);
    pthread_exit(unused);
}

static void detached(size_t count)
{
    running = count;
    for (size_t i = 0; i < count; i++)
        pthread_detach(start(live_detached, NULL));
    while (__atomic_load_n(&running, __ATOMIC_ACQUIRE) != 0)
        usleep(1000);
}

static volatile int started;

static void *live_on(void *forever)
{
    while (forever != NULL) {
        spend(100);
        __atomic_store_n(&started, 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void abandoned(size_t count)
{
    for (size_t i = 0; i < count; i++)
        start(live_on, &running);
    while (!__atomic_load_n(&started, __ATOMIC_ACQUIRE))
        usleep(1000);
    for (int i = 0; i < 1000; i++)
        lose_brief();
}

int main(int argument_count, char **arguments)
{
    const char *which = option(argument_count, arguments, "case", "brief");
    size_t threads = quantity(argument_count, arguments, "threads", strcmp(which, "brief") == 0 ? 2000 : 8);
    if (strcmp(which, "brief") == 0)
        brief(threads);
    else if (strcmp(which, "pipeline") == 0)
        pipeline(threads / 2);
    else if (strcmp(which, "detached") == 0)
        detached(threads);
    else if (strcmp(which, "abandoned") == 0)
        abandoned(threads);
    fact_sites();
    tell("done");
    return 0;
}
