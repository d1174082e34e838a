/* A service that leaks and watches itself: it gets to know, and its page shows the curve.
 *
 *     leaky PAGE.html */
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

static void went_off(const struct residue_alarm_event *event, void *user) {
    ++*(int *)user;
    printf("alarm %u: %" PRIu64 " bytes an hour\n", event->id, event->value);
}

int main(int argc, char **argv) {
    struct residue_process *self;
    struct residue_sample sample = {.size = sizeof sample};
    struct residue_alarm alarm = {.size = sizeof alarm, .kind = RESIDUE_ALARM_GROWTH};
    struct residue_verdict_result verdict = {.size = sizeof verdict};
    int alarms = 0;
    uint32_t id;
    if (argc != 2 || residue_open_self(NULL, &self) != RESIDUE_OK ||
        residue_set_alarm(self, &alarm, went_off, &alarms, &id) != RESIDUE_OK)
        return 1;
    for (int at = 0; at < 112; at++) {
        char *lost = malloc(200000);
        if (!lost || residue_sample(self, &sample) != RESIDUE_OK)
            return 1;
        memset(lost, at, 200000);
        rest(100);
    }
    if (residue_verdict_of(self, &verdict) != RESIDUE_OK || residue_report_html(self, argv[1]) != RESIDUE_OK)
        return 1;
    printf("%s, %.0f bytes an hour, %" PRIu64 " samples; alarms %d\n",
           verdict.kind == RESIDUE_VERDICT_LIKELY_LEAK ? "likely leak" : "no leak", verdict.rate_per_hour,
           verdict.samples, alarms);
    residue_close(self);
    return 0;
}
