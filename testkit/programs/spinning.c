/*
 * A thread that never makes a system call, in a process of no other: it adds up numbers in its registers until a signal
 * comes, and says whether the sum was ever wrong.
 */
#include "truth.h"

#include <signal.h>
#include <sys/prctl.h>

static volatile sig_atomic_t over;

static void on_signal(int number)
{
    (void)number;
    over = 1;
}

int main(void)
{
    /* It does not listen: it ends with its parent. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGUSR1, &action, NULL);
    tell("ready");
    unsigned long long wrong = 0;
    while (!over) {
        double halves = 0;
        unsigned long long sum = 0;
        for (unsigned long long i = 1; i <= 100000; i++) {
            sum += i;
            halves += 0.5;
        }
        wrong += sum != 5000050000ULL || halves != 50000.0;
    }
    fact_number("wrong", wrong);
    tell("spinning");
    return 0;
}
