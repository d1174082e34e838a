/* Handles that have outlived what they were for: a process that has ended, and one that was copied by fork.
 *
 *     late MAP.html */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "residue.h"

static int faults;

static void expect(residue_status wanted, residue_status got, const char *call) {
    char why[1024];
    if (got == wanted)
        return;
    residue_last_error(why, sizeof why);
    printf("%s: %s, not %s (%s)\n", call, residue_status_text(got), residue_status_text(wanted), why);
    faults++;
}
#define EXPECT(status, call) expect(status, call, #call)

static void an_ended_process(const char *page) {
    struct residue_sample sample = {.size = sizeof sample};
    struct residue_verdict_result verdict = {.size = sizeof verdict};
    struct residue_process *process;
    struct residue_range hole;
    size_t count;
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    EXPECT(RESIDUE_OK, residue_open((uint32_t)child, NULL, &process));
    for (int i = 0; i < 20; i++)
        EXPECT(RESIDUE_OK, residue_sample(process, &sample));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    EXPECT(RESIDUE_ENDED, residue_sample(process, &sample));
    EXPECT(RESIDUE_ENDED, residue_largest_free(process, &hole));
    EXPECT(RESIDUE_ENDED, residue_regions(process, NULL, 0, &count));
    EXPECT(RESIDUE_ENDED, residue_summary(process, NULL, 0, &count));
    EXPECT(RESIDUE_ENDED, residue_map_html(process, page));
    EXPECT(RESIDUE_ENDED, residue_report_html(process, page));
    /* What was gathered while it ran is not lost. */
    EXPECT(RESIDUE_OK, residue_verdict_of(process, &verdict));
    residue_close(process);
}

static void a_forked_process(void) {
    struct residue_sample sample = {.size = sizeof sample};
    struct residue_process *process;
    int status = 0;
    pid_t child;
    EXPECT(RESIDUE_OK, residue_open_self(NULL, &process));
    child = fork();
    if (child == 0) {
        residue_status inherited = residue_sample(process, &sample);
        residue_close(process);
        _exit(inherited == RESIDUE_BAD_ARGUMENT && residue_open_self(NULL, &process) == RESIDUE_OK
              && residue_sample(process, &sample) == RESIDUE_OK);
    }
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
        printf("the forked process: %#x\n", status), faults++;
    EXPECT(RESIDUE_OK, residue_sample(process, &sample));
    residue_close(process);
}

static void a_map(const char *page) {
    struct residue_sample sample = {.size = sizeof sample};
    struct residue_process *process;
    EXPECT(RESIDUE_OK, residue_open_self(NULL, &process));
    for (int i = 0; i < 20; i++)
        EXPECT(RESIDUE_OK, residue_sample(process, &sample));
    EXPECT(RESIDUE_OK, residue_map_html(process, page));
    residue_close(process);
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    an_ended_process(argv[1]);
    a_forked_process();
    a_map(argv[1]);
    printf("%d faults\n", faults);
    return faults ? 1 : 0;
}
