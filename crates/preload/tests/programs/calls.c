/* Calls of all shapes that C compilers give frames: the probe looks at the stack from many depths. */

#define _GNU_SOURCE
#include <alloca.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

typedef void (*Probe)(void);
typedef long (*Level)(int depth);

static Probe probe;
static __thread unsigned long random_state;
static __thread long looks;
static volatile long sink;

static unsigned pick(unsigned below) {
    random_state = random_state * 6364136223846793005UL + 1442695040888963407UL;
    return (unsigned)(random_state >> 33) % below;
}

static void look(void) {
    looks++;
    probe();
}

static long next(int depth);

#define LEVEL(n, before, after)                                            \
    __attribute__((noinline, noclone)) static long level_##n(int depth) {  \
        before;                                                            \
        long result = next(depth);                                         \
        if (pick(4) == 0) result += next(depth);                           \
        after;                                                             \
        return result + n;                                                 \
    }

#define USE(x) __asm__ volatile("" : : "g"(x) : "memory")
#define ARRAY(n) char room[n]; USE(room)
#define ALIGNED(n) _Alignas(n) char room[n * 2]; USE(room)
#define TAKE(n) char *taken = alloca(pick(n) + 1); USE(taken)
#define BUSY long a = pick(9), b = pick(9), c = pick(9), d = pick(9), e = pick(9), f = pick(9)

LEVEL(0, , )
LEVEL(1, ARRAY(24), USE(room))
LEVEL(2, ARRAY(200), USE(room))
LEVEL(3, ARRAY(5000), USE(room))
LEVEL(4, ARRAY(70000), USE(room))
LEVEL(5, TAKE(100), USE(taken))
LEVEL(6, TAKE(9000), USE(taken))
LEVEL(7, ALIGNED(32), USE(room))
LEVEL(8, ALIGNED(64), USE(room))
LEVEL(9, ALIGNED(64); TAKE(500), USE(room))
LEVEL(10, BUSY, result += a * b + c * d + e * f)
LEVEL(11, BUSY; TAKE(64), result += a * b + c * d + e * f; USE(taken))
LEVEL(12, BUSY; ALIGNED(128), result += a * b + c * d + e * f)
LEVEL(13, BUSY; ALIGNED(64); TAKE(64), result += a * b + c * d + e * f; USE(room))

__attribute__((noinline, noclone)) static long level_14_inner(int depth, ...) {
    va_list list;
    va_start(list, depth);
    long result = va_arg(list, long) + next(depth) + va_arg(list, long);
    va_end(list);
    return result;
}
LEVEL(14, , result += level_14_inner(depth, 3L, 4L))

static int compare(const void *left, const void *right) {
    if (pick(8) == 0) look();
    return *(const int *)left - *(const int *)right;
}
LEVEL(15, int all[6]; for (int i = 0; i < 6; i++) all[i] = (int)pick(50); qsort(all, 6, sizeof all[0], compare), result += all[0])

/* Back to a frame further out without its callees having returned. */
static __thread jmp_buf back;
__attribute__((noinline, noclone)) static long jump(int depth) {
    ARRAY(300);
    look();
    longjmp(back, depth + 1);
}
LEVEL(16, if (setjmp(back) == 0) jump(depth); else look(), )

/* A signal, on the same stack or on one of its own. */
static void handler(int signal) {
    ARRAY(100);
    look();
    USE(signal);
}
LEVEL(17, raise(SIGUSR1), )
LEVEL(18, raise(SIGUSR2), )

/* A function that calls nothing before the signal comes needs no frame. */
__attribute__((noinline, noclone)) static long fault(volatile long *place) { return *place; }
static long other_value = 5;
static void skip(int signal, siginfo_t *info, void *context) {
    look();
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    for (int i = REG_R8; i < REG_RSP; i++)
        if (registers[i] == 64) registers[i] = (greg_t)&other_value;
    USE(signal);
    USE(info);
}
LEVEL(19, , if (pick(3) == 0) result += fault((volatile long *)64))

/* A stack of its own, which ends in the C library's code for that. */
static __thread ucontext_t here, there;
static __thread int there_depth;
static void coroutine(void) {
    ARRAY(50);
    for (int i = 0; i < 3; i++) {
        look();
        swapcontext(&there, &here);
    }
    look();
}
LEVEL(20, ,
      if (pick(3) == 0) {
          size_t size = 65536;
          char *stack = malloc(size);
          getcontext(&there);
          there.uc_stack.ss_sp = stack;
          there.uc_stack.ss_size = size;
          there.uc_link = &here;
          makecontext(&there, coroutine, 0);
          for (int i = 0; i < 4; i++) {
              look();
              swapcontext(&here, &there);
          }
          free(stack);
      })

/* Those from the sixteenth on are not for being interrupted: code that leaves a stack says for some moments where it is not. */
#define STEADY 16
static unsigned levels_used;
static const Level levels[] = {level_0,  level_1,  level_2,  level_3,  level_4,  level_5,  level_6,
                               level_7,  level_8,  level_9,  level_10, level_11, level_12, level_13,
                               level_14, level_15, level_16, level_17, level_18, level_19, level_20};

__attribute__((noinline, noclone)) static long next(int depth) {
    if (depth == 0 || pick(6) == 0) look();
    return depth == 0 ? sink : levels[pick(levels_used)](depth - 1) + 1;
}

static void work(long count) {
    char *other = malloc(65536);
    stack_t stack = {.ss_sp = other, .ss_size = 65536}, none = {.ss_flags = SS_DISABLE};
    stack_t before;
    sigaltstack(&stack, &before);
    looks = 0;
    while (looks < count) sink += next(2 + (int)pick(14));
    sigaltstack(before.ss_flags & SS_DISABLE ? &none : &before, NULL);
    free(other);
}

static void *thread(void *argument) {
    random_state = (unsigned long)argument;
    work((long)argument);
    return NULL;
}

/* Looks about so often from this thread, and as often from each of two others. */
void run(Probe with, long count) {
    probe = with;
    random_state = (unsigned long)count;
    levels_used = sizeof levels / sizeof levels[0];
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    action.sa_flags = SA_ONSTACK | SA_RESTART;
    sigaction(SIGUSR2, &action, NULL);
    struct sigaction skips = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO}, before;
    sigaction(SIGSEGV, &skips, &before);

    pthread_t threads[2];
    for (long i = 0; i < 2; i++) pthread_create(&threads[i], NULL, thread, (void *)(count + i));
    work(count);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    sigaction(SIGSEGV, &before, NULL);
}

/* Is interrupted wherever it happens to be, so many times. */
static volatile sig_atomic_t ticks;
static Probe on_tick;

static void tick(int signal) {
    ticks++;
    on_tick();
    USE(signal);
}

static void nothing(void) {}

void be_interrupted(Probe with, long count) {
    probe = nothing;
    on_tick = with;
    ticks = 0;
    random_state = (unsigned long)count;
    levels_used = STEADY;
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART}, before;
    sigaction(SIGPROF, &action, &before);
    struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_PROF, &often, NULL);
    while (ticks < count) work(50);
    setitimer(ITIMER_PROF, &never, NULL);
    sigaction(SIGPROF, &before, NULL);
}
