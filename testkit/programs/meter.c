/*
 * Runs a command with its output to /dev/null and tells what it cost.
 *
 * A program of its own because the peak of a child begins at that of whoever started it: this one is small
 * enough not to show.
 */
#include "truth.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static unsigned long long micros(struct timeval time)
{
    return (unsigned long long)time.tv_sec * 1000000ULL + (unsigned long long)time.tv_usec;
}

int main(int count, char **arguments)
{
    struct timespec begin, end;
    struct rusage cost;
    int status;

    if (count < 2)
        return 64;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t child = vfork();
    if (child < 0)
        give_up("vfork");
    if (child == 0) {
        int nowhere = open("/dev/null", O_RDWR);
        dup2(nowhere, STDIN_FILENO);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        execvp(arguments[1], arguments + 1);
        _exit(127);
    }
    if (wait4(child, &status, 0, &cost) != child)
        give_up("wait4");
    clock_gettime(CLOCK_MONOTONIC, &end);

    fact_number("cpu_us", micros(cost.ru_utime) + micros(cost.ru_stime));
    fact_number("wall_us", (unsigned long long)((end.tv_sec - begin.tv_sec) * 1000000LL
                                                + (end.tv_nsec - begin.tv_nsec) / 1000));
    fact_number("peak_bytes", (unsigned long long)cost.ru_maxrss * KIB);
    fact_number("exit", WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : 128u + (unsigned)WTERMSIG(status));
    tell("ready");
    return 0;
}
