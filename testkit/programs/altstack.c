/*
 * A program that stands still in a signal handler, on a stack of its own for signals.
 *
 *   stack=malloc|mmap   where that stack is     (default malloc)
 *   thread=1            in a thread that is not the main one
 *
 * Blocks, told as leakkinds.c tells them: one held by the frame that the signal interrupted, one that was in a register
 * then, one held by the handler's frame, and a lost one. `alternate` and `alternate_size` are the stack for signals;
 * `interrupted_frame` lies on the other.
 */
#include "heap.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#define STACK_SIZE (64 * KIB)

static char *volatile alternate;
static const char *place;

/* What was told before left nothing on this stack, which is a block itself. */
static void stand(int signal)
{
    char *volatile in_handler = make("handler", "reachable");
    KEEP(&in_handler);
    fact_blocks();
    fact_address("alternate", alternate);
    fact_number("alternate_size", STACK_SIZE);
    fact_number("signal", (unsigned)signal);
    tell("ready");
    dwell();
    exit(0);
}

__attribute__((noinline)) static void lose(void)
{
    KEEP(make("lost", "definite"));
    KEEP(make("lost_again", "definite"));
}

__attribute__((noinline)) static uintptr_t make_for_register(void)
{
    return ~(uintptr_t)make("interrupted_register", "reachable");
}

__attribute__((noinline)) static void be_interrupted(void)
{
    char *volatile on_stack = make("interrupted_stack", "reachable");
    fact_address("interrupted_frame", &on_stack);
    uintptr_t inverted = make_for_register();
    fact_blocks();
    scrub();
#ifdef __x86_64__
    __asm__ volatile("mov %0, %%rbx\n"
                     "not %%rbx\n"
                     "syscall\n"
                     : : "r"(inverted), "a"(SYS_tgkill), "D"(getpid()), "S"(syscall(SYS_gettid)), "d"(SIGUSR1)
                     : "rbx", "rcx", "r11", "memory");
#else
    char *volatile shown = (char *)~inverted;
    KEEP(&shown);
    raise(SIGUSR1);
#endif
    KEEP(&on_stack);
}

static void *run(void *nothing)
{
    if (strcmp(place, "mmap") == 0)
        alternate = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    else
        alternate = make_sized("alternate_stack", "reachable", STACK_SIZE);
    stack_t stack = { .ss_sp = alternate, .ss_size = STACK_SIZE };
    struct sigaction action = { .sa_handler = stand, .sa_flags = SA_ONSTACK };
    if (alternate == MAP_FAILED || sigaltstack(&stack, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0)
        give_up("sigaltstack");
    lose();
    be_interrupted();
    return nothing;
}

int main(int count, char **arguments)
{
    place = option(count, arguments, "stack", "malloc");
    pthread_t thread;
    if (!quantity(count, arguments, "thread", 0))
        run(NULL);
    else if (pthread_create(&thread, NULL, run, NULL) == 0)
        pthread_join(thread, NULL);
    give_up("the signal did not come");
}
