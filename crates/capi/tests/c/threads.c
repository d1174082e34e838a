/* Eight threads use one handle, an alarm on it included: each gets whole answers. */
#include <pthread.h>
#include <stdio.h>
#include "residue.h"

#define THREADS 8

static struct residue_process *process;
static int alarms; /* only the thread that sets it off writes it, and once */

static void went_off(const struct residue_alarm_event *event, void *user) {
    struct residue_range hole;
    (void)user;
    /* The handle is not locked: a callback may use it. */
    if (residue_largest_free(process, &hole) == RESIDUE_OK && event->value > event->threshold)
        alarms++;
}

static void *call(void *faults) {
    struct residue_sample sample = {.size = sizeof sample};
    struct residue_range holes[10];
    struct residue_region regions[512];
    size_t held, there;
    for (int at = 0; at < 500; at++) {
        int is_well = residue_sample_and_free(process, &sample, holes, 10, &held) == RESIDUE_OK &&
                      sample.size == sizeof sample && holes[0].size == sample.free_largest &&
                      sample.free_largest_start == holes[0].start && held > 1 && holes[0].size >= holes[1].size &&
                      residue_regions(process, regions, 512, &there) == RESIDUE_OK && there > 10;
        for (size_t region = 1; is_well && region < there; region++)
            is_well = regions[region - 1].start < regions[region].start;
        *(int *)faults += !is_well;
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    int faults[THREADS] = {0}, all = 0;
    struct residue_alarm alarm = {.size = sizeof alarm, .kind = RESIDUE_ALARM_WORKING_SET_ABOVE, .threshold = 4096};
    if (residue_open_self(NULL, &process) != RESIDUE_OK ||
        residue_set_alarm(process, &alarm, went_off, NULL, NULL) != RESIDUE_OK)
        return 1;
    for (int at = 0; at < THREADS; at++)
        if (pthread_create(&threads[at], NULL, call, &faults[at]) != 0)
            return 1;
    for (int at = 0; at < THREADS; at++) {
        pthread_join(threads[at], NULL);
        all += faults[at];
    }
    residue_close(process);
    printf("%d threads, %d faults, alarms %d\n", THREADS, all, alarms);
    return 0;
}
