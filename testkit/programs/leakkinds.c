/*
 * Blocks of each kind that a search for lost memory must tell apart, with the kind that memcheck gives them.
 *
 *   library=FILE   holder.c as a shared library, that then holds one block too
 *
 * A block NAME is told as NAME (its address), NAME_bytes and NAME_kind: `reachable`, `possible` (only its middle is
 * pointed at), `indirect` (behind a lost one), `definite`, or `freed`. Blocks of one group begin with the same word.
 */
#include "heap.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/syscall.h>

/* --- lost --------------------------------------------------------------------------------------------------------- */

__attribute__((noinline)) static void lose_alone(void)
{
    KEEP(make("direct0", "definite"));
    KEEP(make("direct1", "definite"));
    KEEP(make_sized("direct_large", "definite", 300000));
    void *aligned = NULL;
    if (posix_memalign(&aligned, 256, OWN_SIZE) != 0)
        give_up("posix_memalign");
    memset(aligned, 0x6b, OWN_SIZE);
    note("direct_aligned", "definite", aligned);
}

__attribute__((noinline)) static void lose_chain(void)
{
    char *head = make("chain0", "definite"), *second = make("chain1", "indirect");
    char *third = make("chain2", "indirect"), *middle = make("chain_middle", "indirect");
    point(head, 0, second);
    point(second, 2, third);
    point(third, 1, middle + 8); /* below a lost block even its middle will do */
    KEEP(head);
}

/* Either could have been the owner of what both point at. */
__attribute__((noinline)) static void lose_diamond(void)
{
    char *left = make("diamond_left", "definite"), *right = make("diamond_right", "definite");
    char *shared = make("diamond_shared", "indirect");
    point(left, 1, shared);
    point(right, 2, shared);
}

__attribute__((noinline)) static char *bare(size_t size)
{
    char *block = malloc(size);
    if (block == NULL)
        give_up("malloc");
    memset(block, 0x6b, size);
    return block;
}

/* All are told at once, so their sizes are those that they have when they are told. */
#define RING_SIZE(place) (OWN_SIZE + 16 * (place))

__attribute__((noinline)) static void lose_rings(void)
{
    char *one = bare(RING_SIZE(0)), *other = bare(RING_SIZE(1));
    point(one, 0, other);
    point(other, 1, one);
    note_ring((const char *[]) { "ring2_0", "ring2_1" }, (void *[]) { one, other }, 2);

    char *first = bare(RING_SIZE(0)), *second = bare(RING_SIZE(1)), *third = bare(RING_SIZE(2));
    point(first, 0, second);
    point(second, 0, third);
    point(third, 0, first);
    note_ring((const char *[]) { "ring3_0", "ring3_1", "ring3_2" }, (void *[]) { first, second, third }, 3);
    char *tail = make("ring3_tail0", "indirect"), *end = make("ring3_tail1", "indirect");
    point(second, 1, tail);
    point(tail, 0, end);

    char *self = make("ring1", "definite");
    point(self, 1, self);

    /* A ring that a lost block points at is not lost by itself. */
    char *into = make("led_head", "definite");
    char *here = make("led_ring0", "indirect"), *there = make("led_ring1", "indirect");
    point(into, 0, here);
    point(here, 0, there);
    point(there, 0, here);
}

/* --- pointed at in ways that do not count, or not for much -------------------------------------------------------- */

static char *volatile interior, *volatile tagged, *volatile past_end;
static volatile uintptr_t xored;
static struct __attribute__((packed)) {
    char shift;
    char *volatile pointer;
} volatile unaligned __attribute__((aligned(8)));

__attribute__((noinline)) static void hide(void)
{
    char *block = make("interior", "possible");
    point(block, 0, make("interior_child", "possible"));
    interior = block + 16;
    tagged = make("tagged", "possible") + 1;

    char *one = make("xored0", "definite"), *other = make("xored1", "definite");
    xored = (uintptr_t)one ^ (uintptr_t)other;
    size_t size = OWN_SIZE;
    past_end = make("past_end", "definite") + size;
    unaligned.pointer = make("unaligned", "definite");
}

/* --- held --------------------------------------------------------------------------------------------------------- */

static char *volatile global;
static void *volatile *volatile table;
static __thread char *volatile own_tls;
static pthread_key_t first_key, far_key;

__attribute__((noinline)) static void hold_globally(const char *library)
{
    global = make("global", "reachable");
    point(global, 2, make("global_child", "reachable"));
    /* Large enough for a mapping of its own: a block, and no root. */
    table = (void *volatile *)make_sized("table", "reachable", 400000);
    table[1000] = make("table_child", "reachable");
    char *lost = make_sized("lost_table", "definite", 500000);
    point(lost, 2000, make("lost_table_child", "indirect"));
    if (library == NULL)
        return;
    void *loaded = dlopen(library, RTLD_NOW);
    void (*hold)(void *) = loaded ? (void (*)(void *))dlsym(loaded, "holder_hold") : NULL;
    if (hold == NULL)
        give_up("holder");
    hold(make("library", "reachable"));
}

/* The first keys have their place in the thread, later ones in a block that the C library makes. */
__attribute__((noinline)) static void make_keys(void)
{
    pthread_key_create(&first_key, NULL);
    for (int i = 0; i < 40; i++)
        pthread_key_create(&far_key, NULL);
}

__attribute__((noinline)) static void hold_in_main_thread(void)
{
    own_tls = make("main_tls", "reachable");
    pthread_setspecific(first_key, make("main_specific", "reachable"));
    pthread_setspecific(far_key, make("main_far_specific", "reachable"));
}

__attribute__((noinline)) static void hold_in_thread(char *volatile *on_stack)
{
    own_tls = make("thread_tls", "reachable");
    pthread_setspecific(first_key, make("thread_specific", "reachable"));
    pthread_setspecific(far_key, make("thread_far_specific", "reachable"));
    *on_stack = make("thread_stack", "reachable");
    note("thread_lost", "definite", memset(malloc(OWN_SIZE), 0x6b, OWN_SIZE));
}

static pthread_barrier_t standing;

static void *stand(void *nothing)
{
    char *volatile on_stack;
    hold_in_thread(&on_stack);
    scrub();
    pthread_barrier_wait(&standing);
    for (;;)
        pause();
    return nothing;
}

#ifdef __x86_64__
static volatile uintptr_t in_register;
static volatile int register_holds;

__attribute__((noinline)) static void make_for_register(void)
{
    in_register = ~(uintptr_t)make("register", "reachable");
}

/* Waits in the kernel with the only pointer in a register that calls keep. */
static void *hold_in_register(void *nothing)
{
    make_for_register();
    scrub();
    uintptr_t inverted = in_register;
    __asm__ volatile("mov %0, %%rbx\n"
                     "not %%rbx\n"
                     "movl $1, %1\n"
                     "0: mov %2, %%eax\n"
                     "syscall\n"
                     "jmp 0b\n"
                     : : "r"(inverted), "m"(register_holds), "i"(SYS_pause)
                     : "rax", "rbx", "rcx", "r11", "memory");
    return nothing;
}
#endif

static void *lose_and_end(void *nothing)
{
    KEEP(make("ended_thread", "definite"));
    scrub();
    return nothing;
}

static void start(pthread_t *thread, void *(*body)(void *))
{
    if (pthread_create(thread, NULL, body, NULL) != 0)
        give_up("pthread_create");
}

/* One after the other: their blocks are told in order. */
__attribute__((noinline)) static void start_threads(void)
{
    pthread_t thread;
    start(&thread, lose_and_end);
    pthread_join(thread, NULL);
    pthread_barrier_init(&standing, NULL, 2);
    start(&thread, stand);
    pthread_barrier_wait(&standing);
#ifdef __x86_64__
    start(&thread, hold_in_register);
    while (!register_holds)
        usleep(1000);
#endif
}

/* --- freed: last, so that nothing takes their place --------------------------------------------------------------- */

#define MANY 40
static char *volatile guards[MANY + 2];
static char *volatile dangling;

/* Each block stands between two that stay, or it would become a part of its neighbour. */
__attribute__((noinline)) static char *guarded(size_t size)
{
    static size_t next;
    char *block = malloc(size);
    guards[next++] = malloc(8);
    return block;
}

__attribute__((noinline)) static void free_some(void)
{
    char *cached = guarded(1016);
    note("freed_cached", "freed", cached);
    point(cached, 64, make("held_by_freed", "definite"));
    dangling = cached;

    /* More than a thread's cache takes. */
    char *small[MANY];
    for (int i = 0; i < MANY; i++)
        small[i] = guarded(56);
    note("freed_uncached", "freed", small[MANY - 1]);
    char *large = guarded(5000);
    note("freed_large", "freed", large);
    char *mapped = malloc(600000);
    note("freed_mapped", "freed", mapped);

    KEEP(cached);
    free(cached);
    for (int i = 0; i < MANY; i++)
        free(small[i]);
    free(large);
    free(mapped);
}

int main(int count, char **arguments)
{
    char *volatile on_stack = make("main_stack", "reachable");
    KEEP(&on_stack);
    lose_alone();
    lose_chain();
    lose_diamond();
    lose_rings();
    hide();
    hold_globally(option(count, arguments, "library", NULL));
    make_keys();
    hold_in_main_thread();
    start_threads();
    free_some();
    fact_blocks();
    scrub();
    tell("ready");
    dwell();
    exit(0); /* from here: a search at the end must still find the stack of main */
}
