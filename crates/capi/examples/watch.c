/* Watches a process: what it holds, its largest free range, and how both move.
 * watch [PID|self] [times] [milliseconds between]
 * cc watch.c $(pkg-config --cflags --libs residue) -o watch */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "residue.h"
#ifdef _WIN32
#include <windows.h>
#define rest(milliseconds) Sleep(milliseconds)
#else
#include <unistd.h>
#define rest(milliseconds) usleep(1000 * (milliseconds))
#endif

/* Tells why the last call failed. The text is ours: it was copied into our buffer. */
static int failed(residue_status status) {
    char why[1024];
    residue_last_error(why, sizeof why);
    return fprintf(stderr, "%s: %s\n", residue_status_text(status), why), 1;
}

/* What the system does not give is unknown, which is not 0. */
static void show(const char *name, uint64_t bytes, uint64_t is_known) {
    if (is_known)
        printf("%-20s%14" PRIu64 " KiB\n", name, bytes / 1024);
    else
        printf("%-20s%14s\n", name, "-");
}

int main(int argc, char **argv) {
    int is_self = argc < 2 || strcmp(argv[1], "self") == 0;
    unsigned times = argc > 2 ? (unsigned)atoi(argv[2]) : 3, pause = argc > 3 ? (unsigned)atoi(argv[3]) : 1000;
    /* Every struct that grows in later versions is told its size, and the rest of it is 0. */
    struct residue_options options = {.size = sizeof options, .flags = RESIDUE_DETAIL_FULL};
    struct residue_sample now = {.size = sizeof now};
    struct residue_delta moved = {.size = sizeof moved};
    struct residue_range holes[3]; /* where the largest free ranges will stand */
    size_t count;                  /* and how many of them there are */
    struct residue_process *process;
    residue_status status = is_self ? residue_open_self(&options, &process)
                                    : residue_open((uint32_t)strtoul(argv[1], NULL, 10), &options, &process);
    if (status != RESIDUE_OK)
        return failed(status);
    /* Counters and free ranges in one walk: what to call often. */
    if ((status = residue_sample_and_free(process, &now, holes, 3, &count)) < 0)
        return failed(status);
    show("working set", now.working_set, now.present & RESIDUE_HAS_WORKING_SET);
    show("unique", now.private_working_set, now.present & RESIDUE_HAS_PRIVATE_WORKING_SET);
    show("commit", now.commit, now.present & RESIDUE_HAS_COMMIT);
    printf("%-20s%14" PRIu64 "\n", "regions", now.regions);
    for (size_t at = 0; at < count; at++)
        printf("free at 0x%012" PRIx64 " %14" PRIu64 " KiB\n", holes[at].start, holes[at].size / 1024);
    while (times-- > 0 && (rest(pause), status = residue_sample_delta(process, &moved)) == RESIDUE_OK)
        printf("%+.1f s: working set %+" PRId64 ", largest free %+" PRId64 "\n", moved.seconds, moved.working_set,
               moved.free_largest);
    residue_close(process);
    return status == RESIDUE_OK || status == RESIDUE_ENDED ? 0 : failed(status);
}
