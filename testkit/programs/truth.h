/*
 * What the programs of the testkit share: each tells its own truth, on one line, and ends with its parent.
 *
 * The truth is gathered in a static buffer and written with write(2): stdio would allocate its buffers on the
 * heap that the program has just described.
 */
#ifndef TRUTH_H
#define TRUTH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifdef _WIN32
#define __USE_MINGW_ANSI_STDIO 1
#endif
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#include <windows.h>
#define tell tell_truth /* the C library has a tell of its own */
#else
#include <poll.h>
#include <sys/mman.h>
#endif

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)

#ifndef MADV_NOHUGEPAGE
#define MADV_NOHUGEPAGE 15
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static char truth_text[1 << 16];
static size_t truth_length;

/* Ends the program with the reason, where the test that started it shows it. */
__attribute__((unused, noreturn)) static void give_up(const char *what)
{
#ifdef _WIN32
    fprintf(stderr, "%s: error %lu\n", what, GetLastError());
#else
    dprintf(STDERR_FILENO, "%s: %s\n", what, strerror(errno));
#endif
    _exit(70);
}

__attribute__((unused)) static void put(const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            _exit(71);
        text += written;
        length -= (size_t)written;
    }
}

/* Adds ` name=value`. Values hold no space: bytes that are not plain text go through `fact_bytes`. */
__attribute__((unused, format(printf, 2, 3))) static void fact(const char *name, const char *format, ...)
{
    size_t room = sizeof truth_text - truth_length;
    int length = snprintf(truth_text + truth_length, room, " %s=", name);
    va_list arguments;
    va_start(arguments, format);
    length += vsnprintf(truth_text + truth_length + length, room - (size_t)length, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room) {
        errno = ENOSPC;
        give_up("facts");
    }
    truth_length += (size_t)length;
}

__attribute__((unused)) static void fact_number(const char *name, unsigned long long value)
{
    fact(name, "%llu", value);
}

__attribute__((unused)) static void fact_address(const char *name, const volatile void *value)
{
    fact(name, "%#llx", (unsigned long long)(uintptr_t)value);
}

__attribute__((unused)) static void fact_bytes(const char *name, const void *bytes, size_t length)
{
    fact(name, "%s", "");
    for (size_t i = 0; i < length && truth_length + 3 < sizeof truth_text; i++)
        truth_length += (size_t)sprintf(truth_text + truth_length, "%02x", ((const unsigned char *)bytes)[i]);
}

/* Writes what was gathered as one line that begins with `word`, and forgets it. */
__attribute__((unused)) static void tell(const char *word)
{
#ifdef _WIN32
    _setmode(STDOUT_FILENO, _O_BINARY);
#endif
    put(word, strlen(word));
    put(truth_text, truth_length);
    put("\n", 1);
    truth_length = 0;
}

/* Reads a line without its end; 0 when stdin is closed, which means that the parent is gone. */
__attribute__((unused)) static int hear(char *line, size_t size)
{
    size_t length = 0;
    for (;;) {
        char letter;
        ssize_t got = read(STDIN_FILENO, &letter, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        if (letter == '\n')
            break;
        if (length + 1 < size)
            line[length++] = letter;
    }
    line[length] = 0;
    return 1;
}

/* Stands still until stdin closes. */
__attribute__((unused)) static void dwell(void)
{
    char line[64];
    while (hear(line, sizeof line))
        ;
}

#ifndef _WIN32
/* Whether a line or the end of stdin waits, for programs that are busy with something else. */
__attribute__((unused)) static int spoken_to(int timeout_ms)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN, .revents = 0 };
    return poll(&input, 1, timeout_ms) > 0;
}

/*
 * Maps private anonymous memory at `where`, far from everything else, so that the kernel cannot merge it with
 * a neighbour and the region has exactly this start and size.
 */
__attribute__((unused)) static void *island(uintptr_t where, size_t size, int protection, int flags, int file)
{
    void *start = mmap((void *)where, size, protection, flags | MAP_FIXED_NOREPLACE, file, 0);
    if (start == MAP_FAILED)
        give_up("mmap");
    if ((uintptr_t)start != where) {
        errno = EEXIST;
        give_up("island");
    }
    return start;
}

__attribute__((unused)) static void touch(void *start, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t at = 0; at < size; at += page)
        ((volatile char *)start)[at] = 1;
}
#endif

/* `name=value` among the arguments, or `otherwise`. */
__attribute__((unused)) static const char *option(int count, char **arguments, const char *name, const char *otherwise)
{
    size_t length = strlen(name);
    for (int i = 1; i < count; i++)
        if (strncmp(arguments[i], name, length) == 0 && arguments[i][length] == '=')
            return arguments[i] + length + 1;
    return otherwise;
}

__attribute__((unused)) static unsigned long long
quantity(int count, char **arguments, const char *name, unsigned long long otherwise)
{
    const char *value = option(count, arguments, name, NULL);
    return value ? strtoull(value, NULL, 0) : otherwise;
}

#endif
