/* A host that calls for hours must not grow: 200 000 calls, and the system's word on our memory before and after. */
#include <stdio.h>
#include <stdlib.h>
#include "residue.h"
#include "memory.h"

static void nothing(const struct residue_alarm_event *event, void *user) { (void)event, (void)user; }

static int call(struct residue_process *process, long times) {
    struct residue_sample sample = {.size = sizeof sample};
    struct residue_range holes[10];
    size_t count;
    for (long at = 0; at < times; at++)
        if (residue_sample_and_free(process, &sample, holes, 10, &count) != RESIDUE_OK || count == 0)
            return 0;
    return 1;
}

int main(int argc, char **argv) {
    long times = argc > 1 ? atol(argv[1]) : 200000;
    struct residue_process *process;
    struct residue_alarm alarm = {.size = sizeof alarm, .kind = RESIDUE_ALARM_LARGEST_FREE_BELOW, .threshold = 1};
    uint32_t id;
    if (residue_open_self(NULL, &process) != RESIDUE_OK ||
        residue_set_alarm(process, &alarm, nothing, NULL, &id) != RESIDUE_OK || !call(process, 1000))
        return 1;
    unsigned long long before = own_memory();
    if (!call(process, times))
        return 1;
    unsigned long long after = own_memory();
    residue_close(process);
    printf("%ld calls: %llu KiB before, %llu KiB after\n", times, before >> 10, after >> 10);
    return before > 0 && after < before + (256 << 10) ? 0 : 2;
}
