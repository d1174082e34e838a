/* A child that has ended and that nobody waits for: it has a PID and no memory. */
#include "truth.h"

#include <sys/wait.h>

int main(void)
{
    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child == 0)
        _exit(0);

    siginfo_t end;
    if (waitid(P_PID, (id_t)child, &end, WEXITED | WNOWAIT) != 0)
        give_up("waitid");
    fact_number("zombie", (unsigned)child);
    tell("ready");
    dwell();
    return 0;
}
