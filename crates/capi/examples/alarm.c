/* A service that watches itself: when its address space runs short, it writes a page for whoever will look.
 *
 *     alarm PAGE.html
 *
 * cc alarm.c $(pkg-config --cflags --libs residue) -o alarm */
#include <inttypes.h>
#include <stdio.h>
#include "residue.h"
#ifdef _WIN32
#include <windows.h>
#define take(address) VirtualAlloc((void *)(uintptr_t)(address), 0x10000, MEM_RESERVE, PAGE_NOACCESS)
#else
#include <sys/mman.h>
#define take(address) mmap((void *)(uintptr_t)(address), 0x10000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
#endif

struct service {
    struct residue_process *self;
    const char *page;
    int reports;
};

/* Called by the library when the threshold is crossed, on the thread that took the sample. */
static void went_off(const struct residue_alarm_event *event, void *user) {
    struct service *service = user;
    printf("the largest free range is %" PRIu64 " MiB, and should be %" PRIu64 " MiB\n", event->value >> 20,
           event->threshold >> 20);
    if (residue_report_html(service->self, service->page) == RESIDUE_OK)
        printf("see %s\n", service->page);
    service->reports++;
}

int main(int argc, char **argv) {
    struct service service = {NULL, argc > 1 ? argv[1] : "service.html", 0};
    struct residue_sample sample = {.size = sizeof sample};
    struct residue_range hole;
    uint32_t id;
    if (residue_open_self(NULL, &service.self) != RESIDUE_OK || residue_largest_free(service.self, &hole) != RESIDUE_OK)
        return 1;
    /* A real service knows its limit; here it is three quarters of what there is. */
    struct residue_alarm alarm = {.size = sizeof alarm,
                                  .kind = RESIDUE_ALARM_LARGEST_FREE_BELOW,
                                  .threshold = hole.size / 4 * 3};
    if (residue_set_alarm(service.self, &alarm, went_off, &service, &id) != RESIDUE_OK)
        return 1;
    for (int minute = 0; minute < 20; minute++) { /* what a service does now and then: here it does not wait */
        residue_sample(service.self, &sample);
        if (minute == 5) /* One small block in the middle of the largest free range makes two of it. */
            take((hole.start + hole.size / 2) & ~(uint64_t)0xffff);
    }
    printf("%d report(s) in 20 samples; largest now %" PRIu64 " MiB\n", service.reports, sample.free_largest >> 20);
    residue_close(service.self); /* the alarm goes with it */
    return service.reports == 1 ? 0 : 2;
}
