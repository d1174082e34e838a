/* How many times a second: counters and the 10 largest free ranges.
 *
 *     speed PID|self [regions that we make first] [seconds]
 *     speed hold REGIONS            makes regions, says its pid, and waits until its input ends */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "residue.h"
#ifdef _WIN32
#include <windows.h>
#define own_pid() ((int)GetCurrentProcessId())
static double now(void) {
    LARGE_INTEGER at, frequency;
    QueryPerformanceCounter(&at);
    QueryPerformanceFrequency(&frequency);
    return (double)at.QuadPart / (double)frequency.QuadPart;
}
static void make(int regions) {
    for (int at = 0; at < regions; at++)
        VirtualAlloc(NULL, 0x10000, at % 2 ? MEM_RESERVE : MEM_COMMIT, PAGE_READWRITE);
}
#else
#include <sys/mman.h>
#include <unistd.h>
#define own_pid() ((int)getpid())
static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}
static void make(int regions) {
    for (int at = 0; at < regions; at++)
        mmap(NULL, 0x10000, at % 2 ? PROT_NONE : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
#endif

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "hold") == 0) {
        make(atoi(argv[2]));
        printf("%d\n", own_pid());
        fflush(stdout);
        while (getchar() != EOF)
            ;
        return 0;
    }
    int is_self = argc < 2 || strcmp(argv[1], "self") == 0;
    make(argc > 2 ? atoi(argv[2]) : 0);
    double seconds = argc > 3 ? atof(argv[3]) : 1;
    struct residue_process *process;
    struct residue_sample sample = {.size = sizeof sample};
    struct residue_range holes[10];
    size_t count;
    residue_status status = is_self ? residue_open_self(NULL, &process)
                                    : residue_open((uint32_t)strtoul(argv[1], NULL, 10), NULL, &process);
    if (status != RESIDUE_OK)
        return 1;
    double began = now();
    long calls = 0;
    for (; now() - began < seconds; calls++)
        if (residue_sample_and_free(process, &sample, holes, 10, &count) != RESIDUE_OK)
            return 1;
    printf("%.0f calls/s at %" PRIu64 " regions, of %s\n", (double)calls / (now() - began), sample.regions,
           is_self ? "ourselves" : "another process");
    residue_close(process);
    return 0;
}
