/*
 * Shuts itself off from the system in the middle, and goes on allocating.
 *
 *   case=files    closes every file that may be open, one by one, except for the first three
 *   case=range    the same in one call (close_range)
 *   case=filter   seccomp: lets through only what an allocator asks of the kernel, and is killed by everything else
 *   case=strict   seccomp: nothing but read, write and the end. The heap has grown before
 *   case=undumped no core, and nobody else may look (PR_SET_DUMPABLE)
 *   count=N       blocks that are lost after it, and twenty times as many that are freed (1000)
 */
#include "sites.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static void lose_before(void)
{
    LOSE(100, malloc(100));
}

static void lose_after(void)
{
    LOSE(120, malloc(120));
}

static void *lend(size_t size)
{
    return LEND(malloc(size));
}

static void go_on(unsigned long long count)
{
    for (unsigned long long i = 0; i < count; i++) {
        lose_after();
        for (size_t size = 1; size <= 20; size++)
            free(lend(16 * size));
    }
}

static void close_files(void)
{
    for (int file = 3; file < 65536; file++)
        close(file);
}

static void close_all(void)
{
    EXPECT(syscall(SYS_close_range, 3u, ~0u, 0u) == 0 || errno == ENOSYS);
}

/* --- seccomp ------------------------------------------------------------------------------------------------------ */

#define LET(call)                                                                                                      \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void filter(void)
{
    static struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        LET(brk), LET(mmap), LET(munmap), LET(mremap), LET(mprotect), LET(madvise), LET(futex),
        LET(write), LET(exit), LET(exit_group),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    static struct sock_fprog program = { sizeof rules / sizeof *rules, rules };
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* What is freed at the top stays with the process, so that the heap need not grow again. */
static void strict(unsigned long long count)
{
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    free(lend(MIB + 256 * count));
    EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
}

int main(int argument_count, char **arguments)
{
    const char *which = option(argument_count, arguments, "case", "files");
    unsigned long long count = quantity(argument_count, arguments, "count", 1000);
    for (int i = 0; i < 10; i++)
        lose_before();
    if (strcmp(which, "files") == 0)
        close_files();
    else if (strcmp(which, "range") == 0)
        close_all();
    else if (strcmp(which, "filter") == 0)
        filter();
    else if (strcmp(which, "strict") == 0)
        strict(count);
    else if (strcmp(which, "undumped") == 0)
        EXPECT(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
    go_on(count);
    fact_sites();
    tell("done");
    if (strcmp(which, "strict") == 0)
        syscall(SYS_exit, 0);
    return 0;
}
