/*
 * Loses blocks in the ways of C++: by operator new in all its forms, and by what the standard library does on behalf of
 * the function that calls it.
 */
#include "sites.h"

#include <list>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

struct Plain {
    char bytes[72];
};

struct alignas(128) Aligned {
    char bytes[256];
};

/* An array of it begins with a count: its elements have something to do when they go. */
struct Counted {
    char bytes[40];
    ~Counted() { __asm__ volatile("" : : "r"(this) : "memory"); }
};

static void lose_new()
{
    for (int i = 0; i < 10; i++)
        LOSE(sizeof(Plain), new Plain);
}

static void lose_new_array()
{
    for (int i = 0; i < 9; i++)
        LOSE(5 * sizeof(Plain), new Plain[5]);
}

static void lose_new_counted()
{
    for (int i = 0; i < 8; i++)
        LOSE(sizeof(size_t) + 4 * sizeof(Counted), new Counted[4]);
}

static void lose_new_aligned()
{
    for (int i = 0; i < 7; i++)
        LOSE(sizeof(Aligned), new Aligned);
}

static void lose_new_nothrow()
{
    for (int i = 0; i < 6; i++)
        LOSE(sizeof(Plain), new (std::nothrow) Plain);
}

static void lose_unique()
{
    for (int i = 0; i < 5; i++)
        LOSE(sizeof(Plain), std::make_unique<Plain>().release());
}

/* Nobody destroys what is made in such a room: what it owns is lost. */
template <typename Thing> struct Room {
    alignas(Thing) char bytes[sizeof(Thing)];
    Thing *make() { return ::new (bytes) Thing; }
};

static void lose_vector()
{
    static Room<std::vector<int>> rooms[4];
    for (auto &room : rooms)
        LOSE(100 * sizeof(int), (room.make()->resize(100), &room));
}

/* Grows three times on the same line, and loses the last of its blocks alone. */
static void lose_pushed()
{
    static Room<std::vector<long>> room;
    auto *longs = room.make();
    SITE(__LINE__ + 2);
    for (long value : { 1, 2, 3 })
        longs->push_back(value);
    here = { here.function, here.line, 3, 1, 4 * sizeof(long) };
}

static void lose_string()
{
    static Room<std::string> rooms[3];
    for (auto &room : rooms)
        LOSE(100 + 1, (room.make()->assign(100, 's'), &room));
}

static void lose_list()
{
    static Room<std::list<Plain>> room;
    auto *list = room.make();
    for (int i = 0; i < 6; i++)
        LOSE(2 * sizeof(void *) + sizeof(Plain), (list->emplace_back(), list));
}

static void lose_map()
{
    static Room<std::map<long, long>> room;
    auto *map = room.make();
    for (long i = 0; i < 5; i++)
        LOSE(4 * sizeof(void *) + 2 * sizeof(long), &(*map)[i]);
}

namespace deep::inside {
struct Loser {
    virtual ~Loser() {}
    virtual void lose_virtually(int count);
};

void Loser::lose_virtually(int count)
{
    for (int i = 0; i < count; i++)
        LOSE(sizeof(Plain), new Plain);
}
} // namespace deep::inside

int main()
{
    lose_new();
    lose_new_array();
    lose_new_counted();
    lose_new_aligned();
    lose_new_nothrow();
    lose_unique();
    lose_vector();
    lose_pushed();
    lose_string();
    lose_list();
    lose_map();
    std::make_unique<deep::inside::Loser>()->lose_virtually(4);
    fact_sites();
    tell("done");
    return 0;
}
