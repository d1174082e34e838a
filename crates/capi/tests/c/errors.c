/* What callers do wrong: each wrong call gives its status and a text, and changes nothing.
 *
 *     errors DUMP FILE-THAT-IS-NO-DUMP */
#include <stdio.h>
#include <string.h>
#include "residue.h"

static int faults;

#define EXPECT(status, call)                                                                        \
    do {                                                                                            \
        residue_status got_ = (call);                                                               \
        if (got_ != (status)) {                                                                     \
            char why_[1024];                                                                        \
            residue_last_error(why_, sizeof why_);                                                  \
            printf("%d: %s: %s, not %s (%s)\n", __LINE__, #call, residue_status_text(got_),         \
                   residue_status_text(status), why_);                                              \
            faults++;                                                                               \
        }                                                                                           \
    } while (0)
#define HOLDS(condition)                                                                            \
    do {                                                                                            \
        if (!(condition)) {                                                                         \
            printf("%d: %s\n", __LINE__, #condition);                                               \
            faults++;                                                                               \
        }                                                                                           \
    } while (0)

static struct residue_process *process;

static void nothing(const struct residue_alarm_event *event, void *user) { (void)event, (void)user; }

static int stop_at_once(const struct residue_region *region, void *user) {
    (void)region;
    return ++*(int *)user;
}

static int call_back(const struct residue_region *region, void *user) {
    struct residue_range range;
    (void)region;
    *(residue_status *)user = residue_largest_free(process, &range);
    return 1;
}

static void null_pointers(void) {
    struct residue_sample sample = {.size = sizeof sample};
    struct residue_alarm alarm = {.size = sizeof alarm, .kind = RESIDUE_ALARM_COMMIT_ABOVE};
    struct residue_range range;
    struct residue_region region;
    size_t count;
    EXPECT(RESIDUE_NULL_POINTER, residue_open_self(NULL, NULL));
    EXPECT(RESIDUE_NULL_POINTER, residue_open(1, NULL, NULL));
    EXPECT(RESIDUE_NULL_POINTER, residue_open_dump(NULL, NULL, &(struct residue_process *){NULL}));
    EXPECT(RESIDUE_NULL_POINTER, residue_sample(NULL, &sample));
    EXPECT(RESIDUE_NULL_POINTER, residue_sample(process, NULL));
    EXPECT(RESIDUE_NULL_POINTER, residue_sample_delta(process, NULL));
    EXPECT(RESIDUE_NULL_POINTER, residue_sample_and_free(process, &sample, NULL, 3, &count));
    EXPECT(RESIDUE_NULL_POINTER, residue_sample_and_free(process, &sample, &range, 1, NULL));
    EXPECT(RESIDUE_NULL_POINTER, residue_free_regions(process, NULL, 1, &count));
    EXPECT(RESIDUE_NULL_POINTER, residue_free_regions(process, &range, 1, NULL));
    EXPECT(RESIDUE_NULL_POINTER, residue_largest_free(process, NULL));
    EXPECT(RESIDUE_NULL_POINTER, residue_regions(process, NULL, 1, &count));
    EXPECT(RESIDUE_NULL_POINTER, residue_regions(process, &region, 1, NULL));
    EXPECT(RESIDUE_NULL_POINTER, residue_regions_visit(process, NULL, NULL));
    EXPECT(RESIDUE_NULL_POINTER, residue_summary(process, NULL, 1, &count));
    EXPECT(RESIDUE_NULL_POINTER, residue_report_html(process, NULL));
    EXPECT(RESIDUE_NULL_POINTER, residue_set_alarm(process, NULL, nothing, NULL, NULL));
    EXPECT(RESIDUE_NULL_POINTER, residue_set_alarm(process, &alarm, NULL, NULL, NULL));
    EXPECT(RESIDUE_NULL_POINTER, residue_verdict_open(NULL));
    EXPECT(RESIDUE_NULL_POINTER, residue_verdict_feed(NULL, 0, 0));
    EXPECT(RESIDUE_NULL_POINTER, residue_verdict_of(process, NULL));
    EXPECT(RESIDUE_NULL_POINTER, residue_heaps(NULL, 0, NULL));
    residue_close(NULL);
    residue_verdict_close(NULL);
}

static void wrong_sizes(void) {
    struct residue_sample sample = {.size = 0, .regions = 7};
    struct residue_delta delta = {.size = sizeof delta - 1};
    struct residue_options options = {.size = 4};
    struct residue_alarm alarm = {.size = 1};
    struct residue_process *other = process;
    struct {
        struct residue_sample sample;
        unsigned char more[64]; /* of a header that is newer than the library */
    } newer = {.sample = {.size = sizeof newer}};
    EXPECT(RESIDUE_BAD_SIZE, residue_sample(process, &sample));
    HOLDS(sample.regions == 7);
    EXPECT(RESIDUE_BAD_SIZE, residue_sample_delta(process, &delta));
    EXPECT(RESIDUE_BAD_SIZE, residue_open_self(&options, &other));
    HOLDS(other == NULL);
    EXPECT(RESIDUE_BAD_SIZE, residue_set_alarm(process, &alarm, nothing, NULL, NULL));
    memset(newer.more, 0xaa, sizeof newer.more);
    EXPECT(RESIDUE_OK, residue_sample(process, &newer.sample));
    HOLDS(newer.sample.size == sizeof newer.sample && newer.more[0] == 0xaa && newer.sample.regions > 0);
}

static void wrong_arguments(void) {
    struct residue_options options = {.size = sizeof options, .flags = 0x80};
    struct residue_options blind = {.size = sizeof blind, .flags = RESIDUE_NO_REGIONS};
    struct residue_alarm alarm = {.size = sizeof alarm, .kind = 99};
    struct residue_sample sample = {.size = sizeof sample};
    struct residue_process *other;
    struct residue_verdict *verdict;
    uint32_t id;
    EXPECT(RESIDUE_BAD_ARGUMENT, residue_open_self(&options, &other));
    EXPECT(RESIDUE_BAD_ARGUMENT, residue_set_alarm(process, &alarm, nothing, NULL, &id));
    EXPECT(RESIDUE_NOT_FOUND, residue_clear_alarm(process, 12345));
    alarm.kind = RESIDUE_ALARM_LARGEST_FREE_BELOW;
    EXPECT(RESIDUE_OK, residue_open_self(&blind, &other));
    EXPECT(RESIDUE_BAD_ARGUMENT, residue_set_alarm(other, &alarm, nothing, NULL, &id));
    EXPECT(RESIDUE_OK, residue_sample(other, &sample));
    HOLDS((sample.present & RESIDUE_HAS_REGIONS) == 0 && sample.regions == 0 && sample.working_set > 0);
    residue_close(other);
    EXPECT(RESIDUE_OK, residue_verdict_open(&verdict));
    EXPECT(RESIDUE_OK, residue_verdict_feed(verdict, 5, 100));
    EXPECT(RESIDUE_BAD_ARGUMENT, residue_verdict_feed(verdict, 4, 100));
    residue_verdict_close(verdict);
}

static void wrong_targets(const char *no_dump) {
    struct residue_process *other = process;
    char why[1024], cut[8];
    EXPECT(RESIDUE_NOT_FOUND, residue_open(0x7ffffff0, NULL, &other));
    HOLDS(other == NULL);
    HOLDS(residue_last_error(why, sizeof why) == strlen(why) + 1 && strstr(why, "there is no process"));
    HOLDS(residue_last_error(cut, sizeof cut) == strlen(why) + 1 && strlen(cut) == sizeof cut - 1);
    HOLDS(residue_last_error(NULL, 0) == strlen(why) + 1);
    EXPECT(RESIDUE_NOT_FOUND, residue_open_dump("no/such/dump", NULL, &other));
    EXPECT(RESIDUE_BAD_ARGUMENT, residue_open_dump("", NULL, &other));
    EXPECT(RESIDUE_BAD_ARGUMENT, residue_open_dump("\xff\xfe", NULL, &other));
    EXPECT(RESIDUE_UNSUPPORTED, residue_open_dump(no_dump, NULL, &other));
    EXPECT(RESIDUE_WRITE_FAILED, residue_report_html(process, "no/such/folder/page.html"));
}

static void small_buffers(void) {
    struct residue_region regions[4] = {{.start = 0}};
    struct residue_summary_row rows[2];
    struct residue_range ranges[2];
    size_t counted = 0, count = 0;
    int visits = 0;
    residue_status inside = RESIDUE_OK;
    EXPECT(RESIDUE_OK, residue_regions(process, NULL, 0, &counted));
    EXPECT(RESIDUE_MORE, residue_regions(process, regions, 3, &count));
    HOLDS(counted > 4 && count > 4 && regions[0].start < regions[1].start && regions[3].size == 0);
    EXPECT(RESIDUE_MORE, residue_summary(process, rows, 2, &count));
    HOLDS(count > 2 && rows[0].size >= rows[1].size && strlen(rows[0].key) > 0);
    EXPECT(RESIDUE_OK, residue_free_regions(process, ranges, 2, &count));
    HOLDS(count == 2 && ranges[0].size >= ranges[1].size);
    EXPECT(RESIDUE_OK, residue_free_regions(process, NULL, 0, &count));
    HOLDS(count == 0);
    EXPECT(RESIDUE_OK, residue_regions_visit(process, stop_at_once, &visits));
    HOLDS(visits == 1);
    EXPECT(RESIDUE_OK, residue_regions_visit(process, call_back, &inside));
    HOLDS(inside == RESIDUE_BAD_ARGUMENT);
}

static void a_dump(const char *path) {
    struct residue_process *dump;
    struct residue_sample sample = {.size = sizeof sample};
    struct residue_delta delta = {.size = sizeof delta};
    struct residue_verdict_result verdict = {.size = sizeof verdict};
    struct residue_alarm alarm = {.size = sizeof alarm, .kind = RESIDUE_ALARM_COMMIT_ABOVE};
    struct residue_range hole;
    struct residue_summary_row rows[64];
    size_t count;
    uint32_t id;
    EXPECT(RESIDUE_OK, residue_open_dump(path, NULL, &dump));
    EXPECT(RESIDUE_OK, residue_sample(dump, &sample));
    HOLDS(sample.regions > 0 && sample.seconds == 0);
    EXPECT(RESIDUE_OK, residue_sample_delta(dump, &delta));
    HOLDS((delta.present & RESIDUE_HAS_REGIONS) && delta.regions == 0);
    EXPECT(RESIDUE_OK, residue_largest_free(dump, &hole));
    HOLDS(hole.size == sample.free_largest && hole.start == sample.free_largest_start);
    EXPECT(RESIDUE_OK, residue_regions(dump, NULL, 0, &count));
    HOLDS(count == sample.regions);
    EXPECT(RESIDUE_OK, residue_summary(dump, rows, 64, &count));
    HOLDS(count > 0);
    EXPECT(RESIDUE_UNSUPPORTED, residue_verdict_of(dump, &verdict));
    EXPECT(RESIDUE_UNSUPPORTED, residue_set_alarm(dump, &alarm, nothing, NULL, &id));
    residue_close(dump);
}

static void heaps(void) {
    size_t count = 0;
#ifdef _WIN32
    struct residue_heap heap;
    EXPECT(RESIDUE_OK, residue_heaps(NULL, 0, &count));
    HOLDS(count >= 1);
    HOLDS(residue_heaps(&heap, 1, &count) >= 0);
    HOLDS(heap.address != 0 && heap.live_blocks > 0 && heap.live_bytes > 0);
#else
    EXPECT(RESIDUE_UNSUPPORTED, residue_heaps(NULL, 0, &count));
#endif
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    HOLDS(residue_abi_version() == RESIDUE_ABI_VERSION);
    HOLDS(strlen(residue_version()) > 0);
    HOLDS(strcmp(residue_status_text(12345), "unknown status") == 0);
    EXPECT(RESIDUE_OK, residue_open_self(NULL, &process));
    null_pointers();
    wrong_sizes();
    wrong_arguments();
    wrong_targets(argv[2]);
    small_buffers();
    a_dump(argv[1]);
    heaps();
    residue_close(process);
    printf("%d faults\n", faults);
    return faults ? 1 : 0;
}
