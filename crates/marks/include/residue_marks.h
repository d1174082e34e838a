/*
 * Names phases of a program for `residue record`: the report tells what was allocated within each and still lives.
 *
 *     #include "residue_marks.h"
 *
 *     residue_mark_begin("request");
 *     handle(request);
 *     residue_mark_end("request");
 *
 * There is nothing to link to. In a program that is not recorded each is a test of a pointer. Phases may nest, overlap and
 * be used by any thread; names of more than 255 bytes are cut. For Linux with GCC or Clang; elsewhere they do nothing.
 */
#ifndef RESIDUE_MARKS_H
#define RESIDUE_MARKS_H

#if defined(__linux__) && defined(__GNUC__)

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The recorder is asked for by name while the program runs: a weak reference to it would be made zero when a program that
 * is not position-independent is linked. Missing in static programs, which have no recorder.
 */
extern void *residue_mark_dlsym(void *scope, const char *name) __asm__("dlsym") __attribute__((weak));

#ifdef __cplusplus
}
#endif

typedef void (*residue_mark_function)(const char *name);

static inline void residue_mark_say(residue_mark_function *known, const char *function, const char *name)
{
    /* Not yet looked for: no function has this address. */
    residue_mark_function found = __atomic_load_n(known, __ATOMIC_RELAXED);
    if (found == (residue_mark_function)1) {
        void *address = residue_mark_dlsym ? residue_mark_dlsym((void *)0, function) : (void *)0;
        found = __extension__(residue_mark_function)address;
        __atomic_store_n(known, found, __ATOMIC_RELAXED);
    }
    if (found)
        found(name);
}

static inline void residue_mark_begin(const char *name)
{
    static residue_mark_function known = (residue_mark_function)1;
    residue_mark_say(&known, "residue_mark_begin", name);
}

static inline void residue_mark_end(const char *name)
{
    static residue_mark_function known = (residue_mark_function)1;
    residue_mark_say(&known, "residue_mark_end", name);
}

#else

static inline void residue_mark_begin(const char *name)
{
    (void)name;
}

static inline void residue_mark_end(const char *name)
{
    (void)name;
}

#endif

#endif
