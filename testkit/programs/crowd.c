/*
 * Many processes alike: each with its own memory in small regions and a share of one larger piece, as the
 * workers of a server have them. Answers `pids` with the children's PIDs.
 */
#include "truth.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Regions that a dynamically linked program has before it does anything: its image, libc, the loader, stack. */
#define OWN_REGIONS 25

static volatile unsigned sum;

static void sit(pid_t parent, const char *shared, size_t shared_size, size_t private_size, size_t slices, int done)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);

    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t slice = private_size / slices / page * page;
    char *own = mmap(NULL, private_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (own == MAP_FAILED)
        give_up("mmap");
    madvise(own, private_size, MADV_NOHUGEPAGE);
    touch(own, private_size);
    for (size_t i = 1; i < slices; i += 2)
        mprotect(own + i * slice, slice, PROT_READ);
    for (size_t at = 0; at < shared_size; at += page)
        sum += (unsigned char)shared[at];

    if (write(done, "+", 1) != 1)
        _exit(1);
    close(done);
    for (;;)
        pause();
}

int main(int count, char **arguments)
{
    size_t children = quantity(count, arguments, "count", 1000);
    size_t regions = quantity(count, arguments, "regions", 85);
    size_t private_size = quantity(count, arguments, "private_kib", 2048) * KIB;
    size_t shared_size = quantity(count, arguments, "shared_kib", 8192) * KIB;
    size_t slices = regions > OWN_REGIONS ? regions - OWN_REGIONS : 1;

    char *shared = mmap(NULL, shared_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t *pids = mmap(NULL, children * sizeof *pids, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int done[2];
    if (shared == MAP_FAILED || pids == MAP_FAILED || pipe(done) != 0)
        give_up("crowd");
    touch(shared, shared_size);

    pid_t self = getpid();
    for (size_t i = 0; i < children; i++) {
        pids[i] = fork();
        if (pids[i] < 0)
            give_up("fork");
        if (pids[i] == 0)
            sit(self, shared, shared_size, private_size, slices, done[1]);
    }
    close(done[1]);
    for (size_t i = 0; i < children; i++) {
        char sign;
        if (read(done[0], &sign, 1) != 1)
            give_up("a child did not come up");
    }

    fact_number("count", children);
    fact_number("slices", slices);
    fact_number("private_bytes", private_size);
    fact_number("shared_bytes", shared_size);
    tell("ready");

    char line[64];
    while (hear(line, sizeof line)) {
        fact("pids", "%s", "");
        for (size_t i = 0; i < children && truth_length + 16 < sizeof truth_text; i++)
            truth_length += (size_t)sprintf(truth_text + truth_length, i ? ",%d" : "%d", pids[i]);
        tell("crowd");
    }
    for (size_t i = 0; i < children; i++)
        kill(pids[i], SIGKILL);
    while (wait(NULL) > 0)
        ;
    return 0;
}
