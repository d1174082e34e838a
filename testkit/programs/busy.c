/*
 * A process with much on its hands: threads that compute in registers and check them, threads in system calls that must
 * neither fail nor end too early, a thread that holds known values in its registers, and signals that are counted. Answers
 * any line with how far each has come, and with how often something was wrong.
 */
#include "truth.h"

#include <linux/futex.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static volatile unsigned long long computed, slept, polled, selected, waited, got, signals, wrong;
static volatile int holding;
static unsigned long long holder_tid, holder_self;
static int tube[2];

static unsigned long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (unsigned long long)time.tv_sec * 1000000000ULL + (unsigned long long)time.tv_nsec;
}

static void add(volatile unsigned long long *count)
{
    __atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
}

static void expect(int right, const char *what)
{
    if (!right) {
        int error = errno;
        add(&wrong);
        dprintf(STDERR_FILENO, "busy: %s went wrong: %s\n", what, strerror(error));
    }
}

/* The signals that this thread blocks are still those that it asked to. */
static void expect_mask(int is_main)
{
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    expect(!sigismember(&set, SIGUSR1) && !sigismember(&set, SIGTERM), "the signal mask");
    expect(sigismember(&set, SIGRTMIN) == !is_main, "the signal mask");
}

static void *computing(void *seed)
{
    uint64_t put[40], seen[40];
    uint64_t state = (uint64_t)(uintptr_t)seed * 0x9e3779b97f4a7c15ULL + 1;
    for (;;) {
        for (int i = 0; i < 40; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            put[i] = seen[i] = state;
        }
#if defined(__x86_64__)
        __asm__ volatile(
            "movdqu 0(%0), %%xmm0; movdqu 16(%0), %%xmm1; movdqu 32(%0), %%xmm2; movdqu 48(%0), %%xmm3\n"
            "movdqu 64(%0), %%xmm4; movdqu 80(%0), %%xmm5; movdqu 96(%0), %%xmm6; movdqu 112(%0), %%xmm7\n"
            "movdqu 128(%0), %%xmm8; movdqu 144(%0), %%xmm9; movdqu 160(%0), %%xmm10; movdqu 176(%0), %%xmm11\n"
            "movdqu 192(%0), %%xmm12; movdqu 208(%0), %%xmm13; movdqu 224(%0), %%xmm14; movdqu 240(%0), %%xmm15\n"
            "mov 256(%0), %%r8; mov 264(%0), %%r9; mov 272(%0), %%r10; mov 280(%0), %%r11\n"
            "mov 288(%0), %%r12; mov 296(%0), %%r13; mov 304(%0), %%r14; mov 312(%0), %%r15\n"
            "mov %%r8, -64(%%rsp); mov $20000, %%ecx\n"
            "1: dec %%ecx; jnz 1b\n"
            "mov -64(%%rsp), %%r8\n"
            "movdqu %%xmm0, 0(%1); movdqu %%xmm1, 16(%1); movdqu %%xmm2, 32(%1); movdqu %%xmm3, 48(%1)\n"
            "movdqu %%xmm4, 64(%1); movdqu %%xmm5, 80(%1); movdqu %%xmm6, 96(%1); movdqu %%xmm7, 112(%1)\n"
            "movdqu %%xmm8, 128(%1); movdqu %%xmm9, 144(%1); movdqu %%xmm10, 160(%1); movdqu %%xmm11, 176(%1)\n"
            "movdqu %%xmm12, 192(%1); movdqu %%xmm13, 208(%1); movdqu %%xmm14, 224(%1); movdqu %%xmm15, 240(%1)\n"
            "mov %%r8, 256(%1); mov %%r9, 264(%1); mov %%r10, 272(%1); mov %%r11, 280(%1)\n"
            "mov %%r12, 288(%1); mov %%r13, 296(%1); mov %%r14, 304(%1); mov %%r15, 312(%1)\n"
            :
            : "a"(put), "d"(seen)
            : "memory", "cc", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2",
              "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
              "xmm15");
#endif
        expect(memcmp(put, seen, sizeof put) == 0, "a register");
        expect_mask(0);
        add(&computed);
    }
    return NULL;
}

/* Spins with known values in its registers: r12 and r13 on x86-64. */
static void *registers(void *nothing)
{
    holder_tid = (unsigned long long)syscall(SYS_gettid);
    holder_self = (unsigned long long)pthread_self();
#if defined(__x86_64__)
    __asm__ volatile("movabs $0x1122334455667788, %%r12\n"
                     "movabs $0x99aabbccddeeff00, %%r13\n"
                     "movl $1, %0\n"
                     "1: pause\n"
                     "cmpl $0, %0\n"
                     "jne 1b\n"
                     : "+m"(holding)
                     :
                     : "r12", "r13", "memory");
#else
    holding = 1;
    for (;;)
        pause();
#endif
    return nothing;
}

static void sleep_once(void)
{
    struct timespec nap = { .tv_nsec = 3000000 };
    unsigned long long begin = now();
    expect(nanosleep(&nap, NULL) == 0 && now() - begin >= 3000000, "nanosleep");
    add(&slept);
}

static void poll_once(void)
{
    unsigned long long begin = now();
    expect(poll(NULL, 0, 3) == 0 && now() - begin >= 3000000, "poll");
    add(&polled);
}

static void select_once(void)
{
    struct timespec nap = { .tv_nsec = 3000000 };
    sigset_t all;
    sigfillset(&all);
    expect(pselect(0, NULL, NULL, NULL, &nap, &all) == 0, "pselect");
    add(&selected);
}

static void wait_once(void)
{
    static int word;
    struct timespec nap = { .tv_nsec = 3000000 };
    unsigned long long begin = now();
    long answer = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &nap, NULL, 0);
    expect(answer == -1 && errno == ETIMEDOUT && now() - begin >= 3000000, "futex");
    add(&waited);
}

static void (*const once[])(void) = { sleep_once, poll_once, select_once, wait_once };

static void *again_and_again(void *which)
{
    for (;;) {
        once[(uintptr_t)which]();
        expect_mask(0);
    }
    return NULL;
}

static void *reading(void *nothing)
{
    char letter;
    for (;;) {
        expect(read(tube[0], &letter, 1) == 1, "read");
        expect_mask(0);
        add(&got);
    }
    return nothing;
}

static void on_signal(int number)
{
    (void)number;
    add(&signals);
}

static void start(void *(*routine)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, routine, argument) != 0)
        give_up("pthread_create");
}

static void filter_calls(void)
{
    struct sock_filter allow = { .code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW };
    struct sock_fprog program = { .len = 1, .filter = &allow };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        give_up("seccomp");
}

static char *lettered(const char *name, uintptr_t where, int kind)
{
    char *pages = island(where, 64 * KIB, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1);
    memset(pages, 'x', 64 * KIB);
    fact_address(name, pages);
    return pages;
}

int main(int count, char **arguments)
{
    if (quantity(count, arguments, "filtered", 0))
        filter_calls();
    if (madvise(lettered("kept", 0x100000000000, MAP_PRIVATE), 64 * KIB, MADV_DONTFORK) != 0)
        give_up("madvise");
    if (madvise(lettered("wiped", 0x110000000000, MAP_PRIVATE), 64 * KIB, MADV_WIPEONFORK) != 0)
        give_up("madvise");
    lettered("shared", 0x130000000000, MAP_SHARED);
    size_t size = quantity(count, arguments, "mib", 16) * MIB;
    char *start_of_heap =
        island(0x120000000000, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    madvise(start_of_heap, size, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < size; at += 4096)
        *(uint64_t *)(start_of_heap + at) = at;
    fact_address("start", start_of_heap);
    fact_number("bytes", size);

    /* The others block it: it would end their calls with EINTR, as it should. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (pipe(tube) != 0)
        give_up("pipe");
    for (size_t i = 0; i < quantity(count, arguments, "computing", 2); i++)
        start(computing, (void *)(uintptr_t)(i + 1));
    if (quantity(count, arguments, "holding", 0)) {
        start(registers, NULL);
        while (!holding)
            sched_yield();
        fact_number("holder", holder_tid);
        fact_number("holder_self", holder_self);
    }
    for (uintptr_t which = 0; which < sizeof once / sizeof *once; which++)
        start(again_and_again, (void *)which);
    start(reading, NULL);
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigaction(SIGRTMIN, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    fact_number("signal", (unsigned long long)SIGRTMIN);

    /* What the main thread does until it is spoken to: it waits for a line, or does one of the others' calls. */
    unsigned long long main_does = quantity(count, arguments, "main", 4);
    tell("ready");
    for (char line[64];;) {
        while (main_does < sizeof once / sizeof *once && !spoken_to(0))
            once[main_does]();
        if (!hear(line, sizeof line))
            break;
        expect(write(tube[1], "", 1) == 1, "write");
        expect_mask(1);
        fact_number("computed", computed);
        fact_number("slept", slept);
        fact_number("polled", polled);
        fact_number("selected", selected);
        fact_number("waited", waited);
        fact_number("got", got);
        fact_number("signals", signals);
        fact_number("wrong", wrong);
        tell("busy");
    }
    return 0;
}
