/*
 * Residue: the memory of native processes, for every language that can call C.
 *
 *     struct residue_process *self;
 *     struct residue_sample sample = {.size = sizeof sample};
 *     if (residue_open_self(NULL, &self) == RESIDUE_OK && residue_sample(self, &sample) == RESIDUE_OK)
 *         printf("%llu bytes free in one piece\n", (unsigned long long)sample.free_largest);
 *
 * Status    A call that can fail gives a status: negative when it failed, and then residue_last_error tells why.
 * Sizes     A struct with a `size` grows in later versions. Its caller sets `size` to its sizeof before each call, and the
 *           library fills as much of it as both know. Every other struct stays as it is.
 * Unknown   What the system does not give is 0, and its bit of `present` is clear. Unknown is not zero.
 * Memory    Buffers, structs and texts that a caller hands in stay its own. Handles are the library's, from open to close.
 * Threads   A handle may be used by any number of threads: one call at a time works on it, the others wait.
 * Cost      Once open, a call that succeeds allocates nothing unless it says so, or is the first of its thread.
 * Unloading Close every handle first. On Linux a thread that called residue_summary or residue_report_html keeps the
 *           library loaded until it ends.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#ifndef RESIDUE_H
#define RESIDUE_H

/* Made by cbindgen from crates/capi/src: change it there. */

#include <stddef.h>
#include <stdint.h>

/**
 * The version of this interface. It grows when something that was there changes: what is only added leaves it.
 */
#define RESIDUE_ABI_VERSION 1

/**
 * Flag of `residue_options`: samples also hold what takes longer the larger the process or the machine is: PSS and USS
 * on Linux, the private working set and the number of threads on Windows. Samples then allocate.
 */
#define RESIDUE_DETAIL_FULL (1 << 0)

/**
 * Flag of `residue_options`: samples do not walk the regions, which is most of what a sample costs. Calls that ask for
 * regions or free ranges walk all the same.
 */
#define RESIDUE_NO_REGIONS (1 << 1)

/**
 * Bit of `present`: `virtual_size` is known.
 */
#define RESIDUE_HAS_VIRTUAL_SIZE (1 << 0)

/**
 * Bit of `present`: `working_set` is known.
 */
#define RESIDUE_HAS_WORKING_SET (1 << 1)

/**
 * Bit of `present`: `peak_working_set` is known.
 */
#define RESIDUE_HAS_PEAK_WORKING_SET (1 << 2)

/**
 * Bit of `present`: `private_working_set` is known.
 */
#define RESIDUE_HAS_PRIVATE_WORKING_SET (1 << 3)

/**
 * Bit of `present`: `commit` is known.
 */
#define RESIDUE_HAS_COMMIT (1 << 4)

/**
 * Bit of `present`: `peak_commit` is known.
 */
#define RESIDUE_HAS_PEAK_COMMIT (1 << 5)

/**
 * Bit of `present`: `paged_pool` is known.
 */
#define RESIDUE_HAS_PAGED_POOL (1 << 6)

/**
 * Bit of `present`: `nonpaged_pool` is known.
 */
#define RESIDUE_HAS_NONPAGED_POOL (1 << 7)

/**
 * Bit of `present`: `page_faults` is known.
 */
#define RESIDUE_HAS_PAGE_FAULTS (1 << 8)

/**
 * Bit of `present`: `major_faults` is known.
 */
#define RESIDUE_HAS_MAJOR_FAULTS (1 << 9)

/**
 * Bit of `present`: `handles` is known.
 */
#define RESIDUE_HAS_HANDLES (1 << 10)

/**
 * Bit of `present`: `threads` is known.
 */
#define RESIDUE_HAS_THREADS (1 << 11)

/**
 * Bit of `present`: `proportional` is known.
 */
#define RESIDUE_HAS_PROPORTIONAL (1 << 12)

/**
 * Bit of `present`: `swap` is known.
 */
#define RESIDUE_HAS_SWAP (1 << 13)

/**
 * Bit of `present`: `anonymous` is known.
 */
#define RESIDUE_HAS_ANONYMOUS (1 << 14)

/**
 * Bit of `present`: `file` is known.
 */
#define RESIDUE_HAS_FILE (1 << 15)

/**
 * Bit of `present`: `shared` is known.
 */
#define RESIDUE_HAS_SHARED (1 << 16)

/**
 * Bit of `present`: the regions were walked, and everything from `committed` to `allocations` is known.
 */
#define RESIDUE_HAS_REGIONS (1 << 17)

/**
 * Bit of `protection`: may be read.
 */
#define RESIDUE_READ (1 << 0)

/**
 * Bit of `protection`: may be written.
 */
#define RESIDUE_WRITE (1 << 1)

/**
 * Bit of `protection`: may be executed.
 */
#define RESIDUE_EXECUTE (1 << 2)

/**
 * Bit of `protection`: writes reach everyone who maps the same memory.
 */
#define RESIDUE_SHARED (1 << 3)

/**
 * Room for a key with its closing zero.
 */
#define RESIDUE_KEY_SIZE 32

/**
 * Bit of `present` of a verdict: the three rates are known.
 */
#define RESIDUE_HAS_RATE (1 << 0)

/**
 * Bit of `present` of a verdict: `need_seconds` is known.
 */
#define RESIDUE_HAS_NEED (1 << 1)

/**
 * How a call went: negative when it failed, and `residue_last_error` tells why.
 */
enum residue_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It is done.
     */
    RESIDUE_OK = 0,
    /**
     * It is done, and there is more than the buffer had room for. No failure.
     */
    RESIDUE_MORE = 1,
    /**
     * A pointer that must not be null is.
     */
    RESIDUE_NULL_POINTER = -1,
    /**
     * The `size` of a struct is smaller than its first version, or larger than any can be: it was not set.
     */
    RESIDUE_BAD_SIZE = -2,
    /**
     * An argument is out of range, or makes no sense here.
     */
    RESIDUE_BAD_ARGUMENT = -3,
    /**
     * There is no such process or file.
     */
    RESIDUE_NOT_FOUND = -4,
    /**
     * The process has ended.
     */
    RESIDUE_ENDED = -5,
    /**
     * The system refuses.
     */
    RESIDUE_DENIED = -6,
    /**
     * This system, this handle or this version cannot do that.
     */
    RESIDUE_UNSUPPORTED = -7,
    /**
     * It is there and cannot be read, or is damaged.
     */
    RESIDUE_UNREADABLE = -8,
    /**
     * A file cannot be written.
     */
    RESIDUE_WRITE_FAILED = -9,
    /**
     * A bug of the library, stopped before it reached the caller. The handle can still be used, and closed.
     */
    RESIDUE_PANIC = -10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum residue_status residue_status;
#else
typedef int32_t residue_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Whether address space can be used as it stands.
 */
enum residue_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It may be touched: pages come when it is. Windows: committed.
     */
    RESIDUE_STATE_MAPPED = 1,
    /**
     * It is only set aside. Windows: reserved. Linux: mapped without any right.
     */
    RESIDUE_STATE_RESERVED = 2,
    /**
     * Nothing stands there.
     */
    RESIDUE_STATE_FREE = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum residue_state residue_state;
#else
typedef uint32_t residue_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What stands behind a region, as far as numbers tell.
 */
enum residue_backing
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Memory of this process alone.
     */
    RESIDUE_BACKING_PRIVATE_ANONYMOUS = 1,
    /**
     * Memory that others can share.
     */
    RESIDUE_BACKING_SHARED_MEMORY = 2,
    /**
     * A file, of which written pages stay private: programs and libraries too.
     */
    RESIDUE_BACKING_PRIVATE_FILE = 3,
    /**
     * A file that writes reach. Windows: any section that is no program.
     */
    RESIDUE_BACKING_SHARED_FILE = 4,
    /**
     * Made by the kernel.
     */
    RESIDUE_BACKING_SPECIAL = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum residue_backing residue_backing;
#else
typedef uint32_t residue_backing;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What kind of growth it is.
 */
enum residue_verdict_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The evidence is too thin, or speaks for two things; also what this interface has no name for.
     */
    RESIDUE_VERDICT_INCONCLUSIVE = 0,
    /**
     * It grows steadily, and nothing speaks for another cause.
     */
    RESIDUE_VERDICT_LIKELY_LEAK = 1,
    /**
     * It grew once or a few times and stood still otherwise.
     */
    RESIDUE_VERDICT_STEP = 2,
    /**
     * It does not grow.
     */
    RESIDUE_VERDICT_STABLE = 3,
    /**
     * It shrinks.
     */
    RESIDUE_VERDICT_SHRINKING = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum residue_verdict_kind residue_verdict_kind;
#else
typedef uint32_t residue_verdict_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What an alarm watches.
 */
enum residue_alarm_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The largest free range falls below the threshold, in bytes. Not with `RESIDUE_NO_REGIONS`.
     */
    RESIDUE_ALARM_LARGEST_FREE_BELOW = 1,
    /**
     * The private memory exceeds the threshold, in bytes: on Windows the commit, on Linux anonymous memory in RAM and
     * swapped out.
     */
    RESIDUE_ALARM_COMMIT_ABOVE = 2,
    /**
     * The working set exceeds the threshold, in bytes.
     */
    RESIDUE_ALARM_WORKING_SET_ABOVE = 3,
    /**
     * The samples of the handle look like a leak that exceeds the threshold, in bytes an hour; 0 for any leak. Judged
     * once 16 more samples have been kept, and at most once in 5 seconds.
     */
    RESIDUE_ALARM_GROWTH = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum residue_alarm_kind residue_alarm_kind;
#else
typedef uint32_t residue_alarm_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A process or a dump that is open.
 *
 * Any number of threads may use it: one call at a time works on it, the others wait. It belongs to the process that opened
 * it: after `fork` the child opens its own, and every call on this one fails there with `RESIDUE_BAD_ARGUMENT`.
 */
struct residue_process;

/**
 * A series of sizes that is judged. Any number of threads may use it: one call at a time works on it.
 */
struct residue_verdict;

/**
 * How a handle reads. Set all of it to 0 but `size`; null stands for that.
 */
struct residue_options {
    /**
     * `sizeof (struct residue_options)`.
     */
    uint32_t size;
    /**
     * `RESIDUE_DETAIL_FULL`, `RESIDUE_NO_REGIONS`, both or 0.
     */
    uint32_t flags;
    /**
     * For later versions: 0.
     */
    uint64_t reserved[3];
};

/**
 * All counters of a process at one moment. Sizes are in bytes. What is not known is 0, and its bit of `present` is clear.
 */
struct residue_sample {
    /**
     * `sizeof (struct residue_sample)`; afterwards, how much of it was filled.
     */
    uint32_t size;
    /**
     * How wide an address of the process is: 32 or 64.
     */
    uint32_t bits;
    /**
     * Which of what follows is known: `RESIDUE_HAS_...`.
     */
    uint64_t present;
    /**
     * Seconds since the handle was opened; 0 of a dump.
     */
    double seconds;
    /**
     * Address space in use. Linux: VSS.
     */
    uint64_t virtual_size;
    /**
     * In RAM, shared memory in full. Linux: RSS.
     */
    uint64_t working_set;
    /**
     * The largest working set so far.
     */
    uint64_t peak_working_set;
    /**
     * The part of the working set that is of no other process. Linux: USS. With `RESIDUE_DETAIL_FULL`; on newer
     * Windows always.
     */
    uint64_t private_working_set;
    /**
     * Windows: private bytes, which the system has promised to this process alone, in RAM or page file.
     */
    uint64_t commit;
    /**
     * Windows: the largest commit so far.
     */
    uint64_t peak_commit;
    /**
     * Windows: memory of the kernel for its objects that can be paged out.
     */
    uint64_t paged_pool;
    /**
     * Windows: memory of the kernel for its objects that cannot.
     */
    uint64_t nonpaged_pool;
    /**
     * Page faults since the process started, of all kinds.
     */
    uint64_t page_faults;
    /**
     * Linux: those of them that had to wait for a disk.
     */
    uint64_t major_faults;
    /**
     * Windows: open handles.
     */
    uint64_t handles;
    /**
     * Threads. On Windows with `RESIDUE_DETAIL_FULL`.
     */
    uint64_t threads;
    /**
     * Linux: PSS, shared pages divided among those who map them. With `RESIDUE_DETAIL_FULL`.
     */
    uint64_t proportional;
    /**
     * Linux: swapped out.
     */
    uint64_t swap;
    /**
     * Linux: the anonymous part of the working set.
     */
    uint64_t anonymous;
    /**
     * Linux: the file part of the working set.
     */
    uint64_t file;
    /**
     * Linux: the shared memory part of the working set.
     */
    uint64_t shared;
    /**
     * Address space that can be used as it stands. Windows: committed.
     */
    uint64_t committed;
    /**
     * Address space that is only set aside. Windows: reserved. Linux: mapped without any right.
     */
    uint64_t reserved;
    /**
     * Address space that nothing uses.
     */
    uint64_t free_total;
    /**
     * The largest free range: nothing larger can be allocated in one piece.
     */
    uint64_t free_largest;
    /**
     * Where that begins.
     */
    uint64_t free_largest_start;
    /**
     * Free ranges; neighbours count as one.
     */
    uint64_t free_ranges;
    /**
     * Regions: ranges of one state and protection.
     */
    uint64_t regions;
    /**
     * Windows: what was reserved at once, of which a region is a part. Linux: as many as regions.
     */
    uint64_t allocations;
};

/**
 * A free range of an address space. It never changes within `RESIDUE_ABI_VERSION` 1.
 */
struct residue_range {
    /**
     * Its first address.
     */
    uint64_t start;
    /**
     * How many bytes it has.
     */
    uint64_t size;
};

/**
 * How the counters moved between two samples: what is now, less what was. The fields are those of `residue_sample`; a
 * difference is known when both samples know the counter.
 */
struct residue_delta {
    /**
     * `sizeof (struct residue_delta)`; afterwards, how much of it was filled.
     */
    uint32_t size;
    /**
     * 0.
     */
    uint32_t unused;
    /**
     * Which of what follows is known: `RESIDUE_HAS_...`.
     */
    uint64_t present;
    /**
     * Seconds between the two samples.
     */
    double seconds;
    int64_t virtual_size;
    int64_t working_set;
    int64_t peak_working_set;
    int64_t private_working_set;
    int64_t commit;
    int64_t peak_commit;
    int64_t paged_pool;
    int64_t nonpaged_pool;
    int64_t page_faults;
    int64_t major_faults;
    int64_t handles;
    int64_t threads;
    int64_t proportional;
    int64_t swap;
    int64_t anonymous;
    int64_t file;
    int64_t shared;
    int64_t committed;
    int64_t reserved;
    int64_t free_total;
    int64_t free_largest;
    int64_t free_ranges;
    int64_t regions;
    int64_t allocations;
};

/**
 * A region: a range of one state and protection. It never changes within `RESIDUE_ABI_VERSION` 1.
 */
struct residue_region {
    /**
     * Its first address.
     */
    uint64_t start;
    /**
     * How many bytes it has.
     */
    uint64_t size;
    /**
     * Where what was reserved together with it begins. Linux: `start`.
     */
    uint64_t allocation_base;
    /**
     * Mapped or reserved.
     */
    residue_state state;
    /**
     * `RESIDUE_READ`, `RESIDUE_WRITE`, `RESIDUE_EXECUTE`, `RESIDUE_SHARED`.
     */
    uint32_t protection;
    /**
     * What stands behind it.
     */
    residue_backing backing;
    /**
     * Windows: `State` of `MEMORY_BASIC_INFORMATION`; 0 elsewhere.
     */
    uint32_t os_state;
    /**
     * Windows: its `Type`; 0 where that is not known, and elsewhere.
     */
    uint32_t os_type;
    /**
     * Windows: its `Protect`; 0 where that is not known, and elsewhere.
     */
    uint32_t os_protection;
};

/**
 * Is shown a region, which is there until it returns. What it returns but 0 stops.
 */
typedef int (*residue_region_callback)(const struct residue_region *region, void *user);

/**
 * The regions of one use, summed. Sizes are in bytes. It never changes within `RESIDUE_ABI_VERSION` 1.
 */
struct residue_summary_row {
    /**
     * What they are used for, such as "heap" or "Image": a word that does not change, and ends in zero.
     */
    char key[RESIDUE_KEY_SIZE];
    /**
     * Which of the last four are known: `RESIDUE_HAS_WORKING_SET`, `RESIDUE_HAS_PROPORTIONAL`,
     * `RESIDUE_HAS_PRIVATE_WORKING_SET`, `RESIDUE_HAS_SWAP`.
     */
    uint64_t present;
    /**
     * How many.
     */
    uint64_t regions;
    /**
     * Their address space.
     */
    uint64_t size;
    /**
     * The largest of them.
     */
    uint64_t largest;
    /**
     * Where that begins.
     */
    uint64_t largest_start;
    /**
     * In RAM, shared memory in full.
     */
    uint64_t working_set;
    /**
     * In RAM, shared pages divided among those who map them.
     */
    uint64_t proportional;
    /**
     * In RAM, of no other process.
     */
    uint64_t private_working_set;
    /**
     * Swapped out.
     */
    uint64_t swap;
};

/**
 * A judgement. Rates are in bytes an hour, negative when it shrinks.
 */
struct residue_verdict_result {
    /**
     * `sizeof (struct residue_verdict_result)`; afterwards, how much of it was filled.
     */
    uint32_t size;
    /**
     * What kind of growth it is.
     */
    residue_verdict_kind kind;
    /**
     * `RESIDUE_HAS_RATE`, `RESIDUE_HAS_NEED`.
     */
    uint64_t present;
    /**
     * How sure that is, 0 to 1, never 1.
     */
    double confidence;
    /**
     * The growth.
     */
    double rate_per_hour;
    /**
     * It is at least that, with 95 % probability...
     */
    double rate_low;
    /**
     * ...and at most that.
     */
    double rate_high;
    /**
     * How many seconds in all to watch to know more; only of what is inconclusive.
     */
    double need_seconds;
    /**
     * How many samples it rests on: the past is kept in windows of 256, the longer the coarser.
     */
    uint64_t samples;
};

/**
 * An alarm to be set. Set all of it to 0 first.
 */
struct residue_alarm {
    /**
     * `sizeof (struct residue_alarm)`.
     */
    uint32_t size;
    /**
     * One of `enum residue_alarm_kind`.
     */
    uint32_t kind;
    /**
     * The threshold, in the unit that the kind says.
     */
    uint64_t threshold;
    /**
     * How far the value must be back on the good side of the threshold before the alarm can go off again, in the same
     * unit; 0 for as soon as it is.
     */
    uint64_t hysteresis;
};

/**
 * An alarm that goes off.
 */
struct residue_alarm_event {
    /**
     * How much of it the library knows: what stands behind `size` bytes is not there.
     */
    uint32_t size;
    /**
     * The alarm, by the number that `residue_set_alarm` gave it.
     */
    uint32_t id;
    /**
     * What it watches.
     */
    residue_alarm_kind kind;
    /**
     * 0.
     */
    uint32_t unused;
    /**
     * Its threshold.
     */
    uint64_t threshold;
    /**
     * The value that crossed it, in the same unit.
     */
    uint64_t value;
    /**
     * When that was, in seconds since the handle was opened.
     */
    double seconds;
};

/**
 * Is told of an alarm. The event is there until it returns.
 */
typedef void (*residue_alarm_callback)(const struct residue_alarm_event *event, void *user);

/**
 * What one heap holds. Sizes are in bytes. It never changes within `RESIDUE_ABI_VERSION` 1.
 */
struct residue_heap {
    /**
     * Its handle, which is where it begins.
     */
    uint64_t address;
    /**
     * Blocks that the program holds.
     */
    uint64_t live_blocks;
    /**
     * What they take, as they were asked for; a block counts modulo 4 GiB, for Windows tells no more.
     */
    uint64_t live_bytes;
    /**
     * Blocks that are free.
     */
    uint64_t free_blocks;
    /**
     * What these take.
     */
    uint64_t free_bytes;
    /**
     * What the heap keeps for itself.
     */
    uint64_t overhead;
    /**
     * Memory that it has committed.
     */
    uint64_t committed;
    /**
     * Address space that it has set aside and not committed.
     */
    uint64_t uncommitted;
    /**
     * Pieces of address space that it has grown by.
     */
    uint64_t regions;
    /**
     * 1 when every block was seen. 0 when the heap could not be locked or is damaged: the sums are of what came before.
     */
    uint64_t is_whole;
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * What went wrong in the last call that failed on this thread: "what; cause: why; help: what to do", in UTF-8, at most
 * 1023 bytes. Empty when none has failed. A call that succeeds leaves it as it is.
 *
 * Gives how many bytes the whole text needs with its closing zero. As much of it as fits stands in `buffer`, and it ends
 * in zero whenever `capacity` is above 0. With a capacity of 0, `buffer` may be null.
 *
 * # Safety
 * `buffer` points to `capacity` bytes that may be written.
 */
size_t residue_last_error(char *buffer,
                          size_t capacity);

/**
 * A status in a few words. The text is the library's own: it is not freed. Any number may be asked for.
 */
const char *residue_status_text(int32_t status);

/**
 * The `RESIDUE_ABI_VERSION` that the library was built with.
 *
 * Call it first where the library is loaded at run time: another number than the header's is another interface.
 */
uint32_t residue_abi_version(void);

/**
 * The version of Residue, such as "0.1.0". The text is the library's own: it is not freed.
 */
const char *residue_version(void);

/**
 * Opens a running process by its number. Nothing in it is changed or stopped.
 *
 * `options` may be null. `*out` is the handle, to be closed with `residue_close`; null when it fails.
 *
 * Fails with `RESIDUE_NOT_FOUND` when there is no such process, `RESIDUE_DENIED` when it may not be read,
 * `RESIDUE_UNSUPPORTED` when it has no memory of its own (a zombie, a kernel thread).
 *
 * # Safety
 * `options` is null or points to a `residue_options`, `out` to a pointer that may be written.
 */
residue_status residue_open(uint32_t pid,
                            const struct residue_options *options,
                            struct residue_process **out);

/**
 * Opens the process that calls. Otherwise as `residue_open`.
 *
 * # Safety
 * As for `residue_open`.
 */
residue_status residue_open_self(const struct residue_options *options,
                                 struct residue_process **out);

/**
 * Opens a dump: an ELF core or a minidump, also packed by zstd, xz, gzip or lz4. `path` is UTF-8 and ends in zero.
 *
 * A dump is one moment: every sample of it is the same, and it has no verdict and no alarms. Fails with
 * `RESIDUE_NOT_FOUND` or `RESIDUE_DENIED` when the file cannot be opened, `RESIDUE_UNSUPPORTED` when it is no dump,
 * `RESIDUE_UNREADABLE` when it is too damaged. Otherwise as `residue_open`.
 *
 * # Safety
 * As for `residue_open`; `path` is null or points to bytes that end in zero.
 */
residue_status residue_open_dump(const char *path_utf8,
                                 const struct residue_options *options,
                                 struct residue_process **out);

/**
 * Closes a handle and frees what belongs to it. Null is fine.
 *
 * No other call may use the handle meanwhile or afterwards; a callback may not close the handle that called it.
 *
 * # Safety
 * `process` is null, or was opened by this library and has not been closed.
 */
void residue_close(struct residue_process *process);

/**
 * Reads all counters. Alarms of the handle that this sets off are called before it returns.
 *
 * Allocates nothing, but with `RESIDUE_DETAIL_FULL` and where an alarm for growth is due to be judged.
 *
 * Fails with `RESIDUE_ENDED` when the process has ended; `out` is left as it was whenever it fails.
 *
 * # Safety
 * `process` is open; `out` points to a `residue_sample` with its `size` set, that nobody else uses meanwhile.
 */
residue_status residue_sample(struct residue_process *process,
                              struct residue_sample *out);

/**
 * Reads all counters and the `capacity` largest free ranges, the largest first, in one walk: what a service calls that
 * watches its address space.
 *
 * `*count` is how many ranges stand in `buffer`: fewer than `capacity` when there are fewer. Walks also when the handle
 * was opened with `RESIDUE_NO_REGIONS`. Allocates nothing, but as `residue_sample`, and when `capacity` is above 64 and
 * above that of every call before. At most 65536 ranges are told.
 *
 * Fails as `residue_sample`.
 *
 * # Safety
 * As for `residue_sample`; `buffer` points to `capacity` ranges, or is null with a capacity of 0; `count` points to a
 * number that may be written.
 */
residue_status residue_sample_and_free(struct residue_process *process,
                                       struct residue_sample *out,
                                       struct residue_range *buffer,
                                       size_t capacity,
                                       size_t *count);

/**
 * Takes a sample and tells how it differs from the last one of this handle, whichever call took that.
 *
 * The first sample of a handle differs from nothing: `present` is 0. Otherwise as `residue_sample`.
 *
 * # Safety
 * `process` is open; `out` points to a `residue_delta` with its `size` set, that nobody else uses meanwhile.
 */
residue_status residue_sample_delta(struct residue_process *process,
                                    struct residue_delta *out);

/**
 * The `capacity` largest free ranges, the largest first, of equal ones the lower first. Neighbours are one range.
 *
 * `*count` is how many stand in `buffer`: fewer than `capacity` when there are fewer. Allocates nothing, but when
 * `capacity` is above 64 and above that of every call before. At most 65536 ranges are told.
 *
 * Fails with `RESIDUE_ENDED` when the process has ended.
 *
 * # Safety
 * `process` is open; `buffer` points to `capacity` ranges, or is null with a capacity of 0; `count` points to a number
 * that may be written.
 */
residue_status residue_free_regions(struct residue_process *process,
                                    struct residue_range *buffer,
                                    size_t capacity,
                                    size_t *count);

/**
 * The largest free range, the lowest of several: nothing larger can be allocated in one piece. Allocates nothing.
 *
 * A size of 0 says that nothing is free. Fails with `RESIDUE_ENDED` when the process has ended.
 *
 * # Safety
 * `process` is open; `out` points to a range that may be written.
 */
residue_status residue_largest_free(struct residue_process *process,
                                    struct residue_range *out);

/**
 * All regions, in order of address. Allocates nothing.
 *
 * `*count` is how many there are. When there are more than `capacity`, the first of them stand in `buffer` and it gives
 * `RESIDUE_MORE`. A null buffer with a capacity of 0 only counts, and gives `RESIDUE_OK`.
 *
 * A running process may map and unmap meanwhile: call again with room to spare. Fails with `RESIDUE_ENDED` when the
 * process has ended.
 *
 * # Safety
 * `process` is open; `buffer` points to `capacity` regions, or is null with a capacity of 0; `count` points to a number
 * that may be written.
 */
residue_status residue_regions(struct residue_process *process,
                               struct residue_region *buffer,
                               size_t capacity,
                               size_t *count);

/**
 * Shows all regions to a callback, in order of address, until it returns another number than 0. Allocates nothing.
 *
 * The callback runs on the calling thread, and other threads wait for the handle meanwhile. A call of the library on the
 * same handle from the callback fails with `RESIDUE_BAD_ARGUMENT`. On another handle it works, unless another thread shows
 * the regions of that one to a callback that uses this one: then both wait for ever. `user` is handed through.
 *
 * Fails with `RESIDUE_ENDED` when the process has ended.
 *
 * # Safety
 * `process` is open, and `callback` neither closes it nor unwinds nor jumps out of its call.
 */
residue_status residue_regions_visit(struct residue_process *process,
                                     residue_region_callback callback,
                                     void *user);

/**
 * The address space by what it is used for (heaps, stacks, programs, files), most address space first.
 *
 * `*count` is how many rows there are, at most some 40. When there are more than `capacity`, the first of them stand in
 * `rows` and it gives `RESIDUE_MORE`. Null rows with a capacity of 0 only count, and give `RESIDUE_OK`.
 *
 * This understands every region: it takes milliseconds, allocates meanwhile, and frees that before it returns. Other
 * threads can use the handle meanwhile. Fails with `RESIDUE_ENDED` when the process has ended, `RESIDUE_DENIED` when
 * more of it would have to be read than may be.
 *
 * # Safety
 * `process` is open; `rows` points to `capacity` rows, or is null with a capacity of 0; `count` points to a number that
 * may be written.
 */
residue_status residue_summary(struct residue_process *process,
                               struct residue_summary_row *rows,
                               size_t capacity,
                               size_t *count);

/**
 * Writes the address space as a page that a browser opens: a picture to zoom, its sums and every region.
 *
 * `path_utf8` is UTF-8 and ends in zero. The page is written beside it under another name and takes its place when it is
 * whole: whatever fails, what stood there before still does. Only its owner can read it. What stands there and is no
 * regular file is left alone.
 *
 * This understands every region: it takes milliseconds to seconds, allocates meanwhile, and frees that before it
 * returns. Other threads can use the handle meanwhile. Fails with `RESIDUE_WRITE_FAILED` when the file cannot be written,
 * otherwise as `residue_summary`.
 *
 * # Safety
 * `process` is open; `path_utf8` is null or points to bytes that end in zero.
 */
residue_status residue_map_html(struct residue_process *process,
                                const char *path_utf8);

/**
 * Writes the diagnosis as a page that a browser opens: the verdict on the samples that the handle has taken, the memory
 * over time, findings and sums. With fewer than 12 samples, and of a dump, it is the page of `residue_map_html`.
 *
 * Otherwise as `residue_map_html`.
 *
 * # Safety
 * As for `residue_map_html`.
 */
residue_status residue_report_html(struct residue_process *process,
                                   const char *path_utf8);

/**
 * Begins a series. `*out` is to be closed with `residue_verdict_close`; null when it fails.
 *
 * # Safety
 * `out` points to a pointer that may be written.
 */
residue_status residue_verdict_open(struct residue_verdict **out);

/**
 * Adds a sample: a size in bytes and when it was measured, in seconds since any moment that stays the same. Allocates
 * nothing, however many there are.
 *
 * Fails with `RESIDUE_BAD_ARGUMENT` when `seconds` is before the last one, or no number.
 *
 * # Safety
 * `verdict` is open.
 */
residue_status residue_verdict_feed(struct residue_verdict *verdict,
                                    double seconds,
                                    uint64_t bytes);

/**
 * Judges what was fed so far. It takes milliseconds and allocates meanwhile.
 *
 * Too little to judge is no failure: the verdict is inconclusive, and `need_seconds` says how long to go on.
 *
 * # Safety
 * `verdict` is open; `out` points to a `residue_verdict_result` with its `size` set, that nobody else uses meanwhile.
 */
residue_status residue_verdict_read(struct residue_verdict *verdict,
                                    struct residue_verdict_result *out);

/**
 * Ends a series and frees what belongs to it. Null is fine. No other call may use it meanwhile or afterwards.
 *
 * # Safety
 * `verdict` is null, or was opened by this library and has not been closed.
 */
void residue_verdict_close(struct residue_verdict *verdict);

/**
 * Judges the samples that a handle has taken so far, by private memory: on Windows the commit, on Linux anonymous memory
 * in RAM and swapped out. It takes milliseconds and allocates meanwhile. Other threads can use the handle meanwhile.
 *
 * Samples that are seconds apart tell most: a judgement needs 12 over at least 8 seconds. Fails with
 * `RESIDUE_UNSUPPORTED` on a dump.
 *
 * # Safety
 * `process` is open; `out` points to a `residue_verdict_result` with its `size` set, that nobody else uses meanwhile.
 */
residue_status residue_verdict_of(struct residue_process *process,
                                  struct residue_verdict_result *out);

/**
 * Sets an alarm. It is checked on each sample that any of the calls `residue_sample...` takes of this handle, goes off
 * once when the value crosses the threshold, and can go off again when the value has been back.
 *
 * The callback runs on the thread that takes the sample, when the sample stands in its caller's buffer and the handle is
 * not locked: it may call the library on the same handle, but not close that. It must not unwind or jump out of its call.
 * `user` is handed through. `*id` is the alarm's number for `residue_clear_alarm`; `id` may be null.
 *
 * A value that the system does not give sets nothing off. At most 16 alarms stand on a handle at once: one more fails
 * with `RESIDUE_BAD_ARGUMENT`. Fails with `RESIDUE_UNSUPPORTED` on a dump.
 *
 * # Safety
 * `process` is open; `alarm` points to a `residue_alarm`; `id` is null or points to a number that may be written.
 * `callback` and `user` stay valid until the handle is closed or, after `residue_clear_alarm`, every sample that was being
 * taken meanwhile is; samples may be taken by several threads, and then the callback runs on each of them.
 */
residue_status residue_set_alarm(struct residue_process *process,
                                 const struct residue_alarm *alarm,
                                 residue_alarm_callback callback,
                                 void *user,
                                 uint32_t *id);

/**
 * Takes an alarm away. A callback that is running on another thread, or about to, still does.
 *
 * Fails with `RESIDUE_NOT_FOUND` when the handle has no alarm of that number.
 *
 * # Safety
 * `process` is open.
 */
residue_status residue_clear_alarm(struct residue_process *process, uint32_t id);

/**
 * Walks the heaps of the process that calls: Windows only, elsewhere it fails with `RESIDUE_UNSUPPORTED`.
 *
 * `*count` is how many there are. When there are more than `capacity`, the first of them stand in `buffer` and it gives
 * `RESIDUE_MORE`; at most 256 are walked. A null buffer with a capacity of 0 only counts, and gives `RESIDUE_OK`.
 *
 * Each heap is locked while it is walked: threads that allocate from it wait, the longer the more blocks it has. Before
 * that it allocates as much as `buffer` has, and frees it afterwards.
 *
 * # Safety
 * `buffer` points to `capacity` heaps, or is null with a capacity of 0; `count` points to a number that may be written.
 * No thread destroys a heap meanwhile, and none uses a heap that was made with `HEAP_NO_SERIALIZE`: a lock keeps nobody
 * out of those.
 */
residue_status residue_heaps(struct residue_heap *buffer,
                             size_t capacity,
                             size_t *count);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* RESIDUE_H */
