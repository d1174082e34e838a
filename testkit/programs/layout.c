/*
 * A process of which every kind of region is known: it makes one of each and tells where and how large it is.
 *
 * `NAME` is the address, `NAME_bytes` the size, `NAME_touched` what of it was written, where that is not all.
 * What must not merge with a neighbour stands on an island: an address far from everything else.
 */
#include "truth.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>

_Static_assert(sizeof(void *) == 8, "the islands need 64 bits");

#ifndef MADV_FREE
#define MADV_FREE 8
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define WORKERS 3
#define ARENA_BLOCK ((size_t)1000)
#define ARENA_BLOCKS 200
/* glibc malloc/arena.c, HEAP_MAX_SIZE on 64 bits: an arena's heap begins at a multiple of it. */
#define ARENA_ALIGN (64 * MIB)

static char data_word[64] = "a word in .data";
static char bss_word[64 * 1024];
static char shm_name[64];
static char directory[64];
static char odd_path[128];
static int sysv = -1;

/* Shared memory and files outlive a process: they go at every end but SIGKILL. */
static void clean(void)
{
    if (sysv >= 0)
        shmctl(sysv, IPC_RMID, NULL);
    if (shm_name[0])
        shm_unlink(shm_name);
    if (odd_path[0])
        unlink(odd_path);
    if (directory[0])
        rmdir(directory);
}

static void clean_and_die(int signal_number)
{
    clean();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void tell_place(const char *name, const volatile void *start, size_t size)
{
    char key[48];
    fact_address(name, start);
    snprintf(key, sizeof key, "%s_bytes", name);
    fact_number(key, size);
}

static void tell_touched(const char *name, size_t size)
{
    char key[48];
    snprintf(key, sizeof key, "%s_touched", name);
    fact_number(key, size);
}

/* Private anonymous memory on the next island; the first `touched` bytes are written. */
static char *private_island(const char *name, size_t size, int protection, size_t touched)
{
    static uintptr_t next = 0x100000000000;
    char *start = island(next, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    next += 1024 * MIB;
    madvise(start, size, MADV_NOHUGEPAGE);
    touch(start, touched);
    tell_place(name, start, size);
    tell_touched(name, touched);
    return start;
}

/* --- heaps ------------------------------------------------------------------------------------------------- */

/* The heap's size is told last: what follows allocates too. */
static void grow_heap(char *begin, size_t size)
{
    size_t block = 1000, count = 0;
    for (size_t done = 0; done < size; done += block, count++) {
        char *kept = malloc(block);
        if (kept == NULL)
            give_up("malloc");
        memset(kept, 0x48, block);
        if (count == 0)
            fact_address("heap_block", kept);
    }
    fact_address("heap", begin);
    fact_number("heap_blocks", count);
    fact_number("heap_block_bytes", block);
}

/* --- threads ----------------------------------------------------------------------------------------------- */

struct worker {
    const char *name;
    size_t arena_blocks;
    char *first_block;
    long tid;
    void *stack;
    size_t stack_size, guard_size;
};

static pthread_barrier_t everyone;

static void *work(void *argument)
{
    struct worker *self = argument;

    prctl(PR_SET_NAME, self->name);
    self->tid = syscall(SYS_gettid);
    for (size_t i = 0; i < self->arena_blocks; i++) {
        char *block = malloc(ARENA_BLOCK);
        if (block == NULL)
            give_up("malloc in a thread");
        memset(block, 0x41, ARENA_BLOCK);
        if (i == 0)
            self->first_block = block;
    }
    pthread_barrier_wait(&everyone);
    for (;;)
        pause();
    return NULL;
}

static void tell_worker(const char *name, pthread_t thread, struct worker *worker)
{
    pthread_attr_t attributes;
    char key[48];

    if (pthread_getattr_np(thread, &attributes) != 0)
        give_up("pthread_getattr_np");
    pthread_attr_getstack(&attributes, &worker->stack, &worker->stack_size);
    pthread_attr_getguardsize(&attributes, &worker->guard_size);
    pthread_attr_destroy(&attributes);

    snprintf(key, sizeof key, "%s_tid", name);
    fact_number(key, (unsigned long long)worker->tid);
    snprintf(key, sizeof key, "%s_stack", name);
    tell_place(key, worker->stack, worker->stack_size);
    snprintf(key, sizeof key, "%s_guard_bytes", name);
    fact_number(key, worker->guard_size);
}

static void start_threads(void)
{
    static struct worker workers[WORKERS + 2] = {
        { .name = "worker-0" }, { .name = "worker-1" }, { .name = "worker-2" },
        { .name = "custom" },   { .name = "arena", .arena_blocks = ARENA_BLOCKS },
    };
    static const char *keys[] = { "worker0", "worker1", "worker2", "custom", "arena_thread" };
    pthread_t threads[WORKERS + 2];
    pthread_attr_t custom;

    pthread_barrier_init(&everyone, NULL, WORKERS + 3);
    pthread_attr_init(&custom);
    pthread_attr_setstacksize(&custom, MIB);
    for (size_t i = 0; i < WORKERS + 2; i++)
        if (pthread_create(&threads[i], i == WORKERS ? &custom : NULL, work, &workers[i]) != 0)
            give_up("pthread_create");
    pthread_barrier_wait(&everyone);
    for (size_t i = 0; i < WORKERS + 2; i++)
        tell_worker(keys[i], threads[i], &workers[i]);
    fact_number("threads", WORKERS + 3);

    char *block = workers[WORKERS + 1].first_block;
    fact_address("arena", (void *)((uintptr_t)block & ~(ARENA_ALIGN - 1)));
    fact_address("arena_block", block);
    fact_number("arena_blocks", ARENA_BLOCKS);
    fact_number("arena_block_bytes", ARENA_BLOCK);
}

/* --- shared memory ----------------------------------------------------------------------------------------- */

static void share_sysv(void)
{
    key_t key = (key_t)(0x5e500000 | (getpid() & 0xfffff));
    size_t size = MIB;
    sysv = shmget(key, size, IPC_CREAT | IPC_EXCL | 0600);
    if (sysv < 0)
        give_up("shmget");
    void *start = shmat(sysv, NULL, 0);
    if (start == (void *)-1)
        give_up("shmat");
    touch(start, size);
    tell_place("sysv", start, size);
    fact_number("sysv_id", (unsigned)sysv);
    fact("sysv_key", "%08x", (unsigned)key);
}

static void *map_file(const char *name, int file, size_t size, int protection, int flags)
{
    void *start = mmap(NULL, size, protection, flags, file, 0);
    if (start == MAP_FAILED)
        give_up(name);
    tell_place(name, start, size);
    return start;
}

static void share_posix(void)
{
    size_t size = 2 * MIB, touched = 512 * KIB;
    snprintf(shm_name, sizeof shm_name, "/residue-layout-%d", getpid());
    int file = shm_open(shm_name, O_CREAT | O_EXCL | O_RDWR, 0600);
    if (file < 0 || ftruncate(file, (off_t)size) != 0)
        give_up("shm_open");
    touch(map_file("shm", file, size, PROT_READ | PROT_WRITE, MAP_SHARED), touched);
    tell_touched("shm", touched);
    fact("shm_name", "%s", shm_name + 1);
    close(file);
}

static void share_memfd(void)
{
    size_t size = 768 * KIB;
    int file = memfd_create("residue layout", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, (off_t)size) != 0)
        give_up("memfd_create");
    touch(map_file("memfd", file, size, PROT_READ | PROT_WRITE, MAP_SHARED), size);
    fact_bytes("memfd_name", "residue layout", 14);
    close(file);
}

static void share_anonymous(void)
{
    size_t size = 640 * KIB;
    touch(map_file("shared", -1, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS), size);
}

/* --- files ------------------------------------------------------------------------------------------------- */

static int written_file(const char *path, size_t size)
{
    static char page[4096] = "a mapped file";
    int file = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
    if (file < 0)
        give_up(path);
    for (size_t at = 0; at < size; at += sizeof page)
        if (write(file, page, sizeof page) != (ssize_t)sizeof page)
            give_up(path);
    return file;
}

static void map_files(void)
{
    char deleted[128];
    strcpy(directory, "/tmp/residue-layout-XXXXXX");
    if (mkdtemp(directory) == NULL)
        give_up("mkdtemp");

    snprintf(odd_path, sizeof odd_path, "%s/a b\nc\xff.dat", directory);
    int odd = written_file(odd_path, 12 * KIB);
    char *start = map_file("odd", odd, 12 * KIB, PROT_READ, MAP_PRIVATE);
    for (size_t at = 0; at < 12 * KIB; at += 4096)
        bss_word[at] = start[at];
    fact_bytes("odd_path", odd_path, strlen(odd_path));
    close(odd);

    snprintf(deleted, sizeof deleted, "%s/gone", directory);
    int gone = written_file(deleted, 20 * KIB);
    touch(map_file("deleted", gone, 20 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED), 20 * KIB);
    fact_bytes("deleted_path", deleted, strlen(deleted));
    unlink(deleted);
    close(gone);
}

/* --- anonymous memory -------------------------------------------------------------------------------------- */

static void map_anonymous(void)
{
    int both = PROT_READ | PROT_WRITE;
    private_island("anon_64k", 64 * KIB, both, 64 * KIB);
    private_island("anon_256k", 256 * KIB, both, 256 * KIB);
    private_island("anon_8m", 8 * MIB, both, 3 * MIB);
    private_island("reserved", 128 * MIB, PROT_NONE, 0);
    private_island("committed", 16 * MIB, both, 16 * MIB);

    char *code = private_island("jit", 16 * KIB, both, 4 * KIB);
    memset(code, 0xc3, 64);
    if (mprotect(code, 16 * KIB, PROT_READ | PROT_EXEC) != 0)
        give_up("mprotect");

    char *lazy = private_island("lazyfree", 4 * MIB, both, 4 * MIB);
    if (madvise(lazy, 4 * MIB, MADV_FREE) != 0)
        give_up("MADV_FREE");

    char *locked = private_island("locked", 32 * KIB, both, 32 * KIB);
    fact_number("locked_works", mlock(locked, 32 * KIB) == 0);

    char *named = private_island("named", 96 * KIB, both, 96 * KIB);
    fact_number("named_works", prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, named, 96 * KIB, "layout cache") == 0);

    void *huge = mmap(NULL, 2 * MIB, both, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    if (huge != MAP_FAILED)
        touch(huge, 2 * MIB);
    tell_place("hugetlb", huge == MAP_FAILED ? NULL : huge, huge == MAP_FAILED ? 0 : 2 * MIB);
}

int main(int count, char **arguments)
{
    /* Before anything allocates: where the heap begins. */
    char *heap = sbrk(0);
    int on_stack = 0;

    atexit(clean);
    for (const int *ends = (const int[]){ SIGTERM, SIGINT, SIGHUP, SIGPIPE, 0 }; *ends; ends++)
        signal(*ends, clean_and_die);

    grow_heap(heap, quantity(count, arguments, "heap_mib", 3) * MIB);
    map_anonymous();
    share_anonymous();
    share_sysv();
    share_posix();
    share_memfd();
    map_files();
    start_threads();

    fact_number("heap_bytes", (size_t)((char *)sbrk(0) - heap));
    fact_address("stack_here", &on_stack);
    fact_address("text_here", (void *)(uintptr_t)main);
    fact_address("data_here", data_word);
    fact_address("bss_here", bss_word);
    fact_address("vdso", (void *)getauxval(AT_SYSINFO_EHDR));
    tell("ready");
    dwell();
    return 0;
}
