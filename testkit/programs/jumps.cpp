/*
 * Leaves frames in other ways than by returning, and allocates again at once in others, where the old ones stood.
 *
 *   case=thrown     exceptions, from many depths to many, through destructors that free
 *   case=rethrown   caught, kept and thrown on by another thread
 *   case=jumped     longjmp from many depths to many
 *   case=left       threads that end by pthread_exit and by being cancelled, which unwinds them
 *   rounds=N        (1000)
 */
#include "sites.h"

#include <csetjmp>
#include <exception>
#include <memory>
#include <pthread.h>
#include <stdexcept>
#include <thread>

static std::jmp_buf before;
static volatile bool by_jump;

__attribute__((noinline)) static void lose_leaf()
{
    LOSE(64, malloc(64));
}

/* The same leaf by two ways, in frames of equal size: only the addresses in between tell which. */
__attribute__((noinline)) static void through_left(unsigned depth)
{
    if (depth > 0) {
        through_left(depth - 1);
        __asm__ volatile("");
        return;
    }
    lose_leaf();
    PASS(1, 64);
}

__attribute__((noinline)) static void through_right(unsigned depth)
{
    if (depth > 0) {
        through_right(depth - 1);
        __asm__ volatile("");
        return;
    }
    lose_leaf();
    PASS(1, 64);
}

struct Holder {
    void *volatile block = malloc(32);
    ~Holder() { free(block); }
};

/* Goes down, allocating on every level, and leaves from the bottom. */
__attribute__((noinline)) static void descend(unsigned depth)
{
    if (depth == 0 && by_jump)
        std::longjmp(before, 1);
    if (depth == 0)
        throw std::runtime_error("from the bottom, with a text that is too long to stand in the object itself");
    if (by_jump) {
        spend(depth);
        descend(depth - 1);
    } else {
        Holder holder;
        descend(depth - 1);
    }
    __asm__ volatile("");
}

__attribute__((noinline)) static void catch_at(unsigned above, unsigned below)
{
    if (above > 0) {
        catch_at(above - 1, below);
        __asm__ volatile("");
        return;
    }
    try {
        descend(below);
        give_up("no exception");
    } catch (const std::exception &error) {
        EXPECT(strstr(error.what(), "bottom") != nullptr);
        through_left(below % 3);
    }
    through_right(below % 3);
}

static void thrown(unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++)
        catch_at(round % 7, 1 + round % 23);
}

__attribute__((noinline)) static void jump_at(unsigned above, unsigned below)
{
    if (above > 0) {
        jump_at(above - 1, below);
        __asm__ volatile("");
        return;
    }
    if (setjmp(before) == 0) {
        descend(below);
        give_up("no jump");
    }
    through_left(0);
}

static void jumped(unsigned rounds)
{
    by_jump = true;
    for (unsigned round = 0; round < rounds; round++) {
        jump_at(round % 7, 1 + round % 23);
        through_right(round % 3);
    }
}

static void rethrown(unsigned rounds)
{
    for (unsigned round = 0; round < rounds / 10; round++) {
        std::exception_ptr kept;
        std::thread([&] {
            try {
                descend(1 + round % 23);
            } catch (...) {
                kept = std::current_exception();
            }
        }).join();
        try {
            std::rethrow_exception(kept);
        } catch (const std::runtime_error &) {
            through_left(round % 3);
        }
    }
}

/* --- threads that do not return ----------------------------------------------------------------------------------- */

static void *leave(void *)
{
    Holder holder;
    through_left(2);
    pthread_exit(nullptr);
}

static void *be_cancelled(void *standing)
{
    Holder holder;
    through_right(2);
    __atomic_store_n(static_cast<int *>(standing), 1, __ATOMIC_RELEASE);
    for (;;)
        usleep(100000);
}

static void left(unsigned rounds)
{
    for (unsigned round = 0; round < rounds / 10; round++) {
        int standing = 0;
        pthread_t one, other;
        EXPECT(pthread_create(&one, nullptr, leave, nullptr) == 0);
        EXPECT(pthread_create(&other, nullptr, be_cancelled, &standing) == 0);
        while (!__atomic_load_n(&standing, __ATOMIC_ACQUIRE))
            sched_yield();
        EXPECT(pthread_cancel(other) == 0);
        EXPECT(pthread_join(one, nullptr) == 0 && pthread_join(other, nullptr) == 0);
    }
}

int main(int argument_count, char **arguments)
{
    const char *which = option(argument_count, arguments, "case", "thrown");
    unsigned rounds = static_cast<unsigned>(quantity(argument_count, arguments, "rounds", 1000));
    if (strcmp(which, "thrown") == 0)
        thrown(rounds);
    else if (strcmp(which, "rethrown") == 0)
        rethrown(rounds);
    else if (strcmp(which, "jumped") == 0)
        jumped(rounds);
    else if (strcmp(which, "left") == 0)
        left(rounds);
    fact_sites();
    tell("done");
    return 0;
}
