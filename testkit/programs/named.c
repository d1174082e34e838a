/*
 * Variables, functions and a stack whose names are known: three calls deep, with a mark in the frame of each, it waits.
 *
 * Every fact that ends in `_at` is an address: of what has that name, or of a mark in a frame.
 */
#include "truth.h"

#include <pthread.h>
#include <signal.h>

struct cache {
    void *first;
    char name[56];
};

struct cache g_cache = { .name = "cache" };
static long hidden_count = 4711;
static char spare[4096];
const char g_words[32] = "only read";
__thread long g_of_thread = 1;

__attribute__((noinline)) static void at_rest(void)
{
    volatile char mark[64] = "innermost";
    fact_address("innermost_at", mark);
    tell("ready");
    dwell();
    mark[0] = 0;
}

__attribute__((noinline)) static void parse_request(long depth)
{
    volatile char mark[200] = "middle";
    fact_address("middle_at", mark);
    at_rest();
    mark[0] = (char)depth;
}

static void on_signal(int number)
{
    volatile char mark[100] = "handler";
    (void)number;
    fact_address("handler_at", mark);
    parse_request(2);
    mark[0] = 0;
}

__attribute__((noinline)) static void serve(int by_signal)
{
    volatile char mark[300] = "outermost";
    fact_address("outermost_at", mark);
    if (by_signal)
        raise(SIGUSR1);
    else
        parse_request(1);
    mark[0] = 0;
}

int main(int count, char **arguments)
{
    fact_address("g_cache_at", g_cache.name);
    fact_address("hidden_count_at", &hidden_count);
    fact_address("spare_at", spare + 100);
    fact_address("g_words_at", g_words);
    fact_address("parse_request_at", (char *)(uintptr_t)parse_request + 1);
    fact_address("malloc_at", (void *)(uintptr_t)malloc);
    fact_address("heap_at", malloc(16));
    hidden_count += count;
    spare[0] = (char)g_of_thread;
    signal(SIGUSR1, on_signal);
    serve(quantity(count, arguments, "signal", 0) != 0);
    return (int)hidden_count;
}
