/*
 * A program whose main thread has ended while another runs on: the kernel shows no memory of it under its own number.
 *
 * The other thread holds one block and has lost another, and calls `tell` at the end.
 */
#include "heap.h"

#include <pthread.h>
#include <sys/syscall.h>

static char *volatile held;
static pthread_t main_thread;

__attribute__((noinline)) static void allocate(void)
{
    held = make("held", "reachable");
    KEEP(make("lost", "definite"));
}

static void *run(void *nothing)
{
    pthread_join(main_thread, NULL);
    allocate();
    fact_number("thread", (unsigned long long)syscall(SYS_gettid));
    fact_blocks();
    scrub();
    tell("ready");
    dwell();
    exit(0);
    return nothing;
}

int main(void)
{
    main_thread = pthread_self();
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL) != 0)
        give_up("pthread_create");
    pthread_exit(NULL);
}
