/*
 * A heap of a given size with a counted number of lost blocks in it.
 *
 *   mb=       about how much it holds                            (default 16)
 *   leaks=    groups of lost blocks, spread over the heap        (default 1000)
 *   threads=  threads that hold blocks of their own, in arenas   (default 0)
 *
 * The most of it is nodes that point at each other at random, the worst that a cache can meet, and a tenth of them is
 * freed again. Each group is a block that nobody holds, one behind it and a text behind that; each tenth comes with a
 * ring of two. Then blocks large enough for mappings of their own, a map of texts, and one block that is held by its
 * middle. `live` and `live_bytes` count all that the program itself asked for and did not free: the C library has a few
 * blocks more. The line `die` makes it abort, for a core.
 */
#include "heap.h"

#include <atomic>
#include <map>
#include <new>
#include <string>
#include <thread>
#include <vector>

namespace {

std::atomic<size_t> live{0}, live_bytes{0};

void *take(size_t size)
{
    void *block = malloc(size);
    if (block == nullptr)
        give_up("malloc");
    size_t usable = malloc_usable_size(block);
    /* What stood here before, behind the end of a text or under half of it, would hold lost blocks by chance. */
    memset(block, 0, usable);
    live.fetch_add(1, std::memory_order_relaxed);
    live_bytes.fetch_add(usable, std::memory_order_relaxed);
    return block;
}

void drop(void *block)
{
    if (block == nullptr)
        return;
    live.fetch_sub(1, std::memory_order_relaxed);
    live_bytes.fetch_sub(malloc_usable_size(block), std::memory_order_relaxed);
    free(block);
}

} // namespace

void *operator new(size_t size) { return take(size); }
void *operator new[](size_t size) { return take(size); }
void operator delete(void *block) noexcept { drop(block); }
void operator delete[](void *block) noexcept { drop(block); }
void operator delete(void *block, size_t) noexcept { drop(block); }
void operator delete[](void *block, size_t) noexcept { drop(block); }

/* --- what is lost: outside the nameless namespace, so that the types have names to be found by ------------------- */

struct Lost {
    virtual ~Lost() {}
    Lost *next = nullptr;
    char *text = nullptr;
};

static size_t lost, lost_bytes;

static void count_lost(void *block)
{
    lost++;
    lost_bytes += malloc_usable_size(block);
}

__attribute__((noinline)) static void lose_group()
{
    Lost *head = new Lost;
    head->next = new Lost;
    head->next->text = static_cast<char *>(take(500));
    memset(head->next->text, 'L', 500);
    count_lost(head), count_lost(head->next), count_lost(head->next->text);
    KEEP(head);
}

__attribute__((noinline)) static void lose_ring()
{
    Lost *one = new Lost, *other = new Lost;
    one->next = other;
    other->next = one;
    count_lost(one), count_lost(other);
    KEEP(one);
}

/* --- what is held ------------------------------------------------------------------------------------------------- */

struct Node {
    virtual ~Node() {}
    Node *next = nullptr;
    Node *other = nullptr;
    uint64_t values[3] = {};
};

struct BigNode : Node {
    char pad[200] = {};
};

static Node **table;
static std::map<int, std::string> *texts;
static std::vector<char *> *large;
static char *volatile middle;

static uint64_t chance()
{
    static uint64_t state = 88172645463325252ULL;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static Node *node()
{
    uint64_t kind = chance() % 100;
    if (kind < 70)
        return new Node;
    if (kind < 85)
        return new BigNode;
    size_t size = sizeof(Node) + chance() % 200;
    void *room = take(size);
    memset(room, 0, size);
    return new (room) Node;
}

__attribute__((noinline)) static void grow(size_t nodes, size_t groups)
{
    size_t made = 0;
    for (size_t i = 0; i < nodes; i++) {
        for (; made < groups && made * nodes <= i * groups; made++) {
            lose_group();
            if (made % 10 == 9)
                lose_ring();
        }
        table[i] = node();
        if (i > 0) {
            table[i]->next = table[i - 1];
            table[i]->other = table[chance() % i];
        }
    }
}

/* Others still point at what is freed here, as they do in life. */
__attribute__((noinline)) static size_t thin(size_t nodes)
{
    size_t freed = 0;
    for (size_t i = 0; i < nodes; i += 10, freed++) {
        drop(table[i]);
        table[i] = nullptr;
    }
    return freed;
}

__attribute__((noinline)) static void hold_more()
{
    texts = new std::map<int, std::string>;
    for (int i = 0; i < 10000; i++)
        (*texts)[i] = std::string(static_cast<size_t>(i % 60), 's');
    large = new std::vector<char *>;
    for (size_t i = 0; i < 20; i++) {
        large->push_back(static_cast<char *>(take(300000 + i * 4096)));
        memset(large->back(), 'B', 300000);
    }
    char *block = static_cast<char *>(take(1000));
    memset(block, 'M', 1000);
    middle = block + 100;
    fact_number("possible", 1);
    fact_number("possible_bytes", malloc_usable_size(block));
}

static std::atomic<size_t> standing{0};

static void hold_in_thread()
{
    std::vector<char *> blocks;
    for (size_t i = 0; i < 20000; i++) {
        blocks.push_back(static_cast<char *>(take(32 + i % 500)));
        memset(blocks.back(), 'T', 32 + i % 500);
    }
    for (size_t i = 0; i < blocks.size(); i += 3) {
        drop(blocks[i]);
        blocks[i] = nullptr;
    }
    KEEP(blocks.data());
    standing++;
    for (;;)
        pause();
}

int main(int count, char **arguments)
{
    size_t bytes = quantity(count, arguments, "mb", 16) * MIB;
    size_t groups = quantity(count, arguments, "leaks", 1000);
    size_t threads = quantity(count, arguments, "threads", 0);
    size_t nodes = bytes / 104; /* the mean size of a node, with its header */
    if (nodes < groups) {
        errno = EINVAL;
        give_up("so many leaks need more nodes");
    }

    table = static_cast<Node **>(take(nodes * sizeof *table));
    memset(table, 0, nodes * sizeof *table);
    grow(nodes, groups);
    size_t freed = thin(nodes);
    hold_more();
    for (size_t i = 0; i < threads; i++)
        std::thread(hold_in_thread).detach();
    while (standing < threads)
        usleep(1000);
    scrub();

    size_t rings = groups / 10;
    fact_number("nodes", nodes);
    fact_number("freed", freed);
    fact_number("direct", groups);
    fact_number("indirect", 2 * groups);
    fact_number("rings", rings);
    fact_number("ring_blocks", 2 * rings);
    fact_number("lost", lost);
    fact_number("lost_bytes", lost_bytes);
    fact_number("live", live);
    fact_number("live_bytes", live_bytes);
    fact_mallinfo();
    tell("ready");
    for (char line[64]; hear(line, sizeof line);)
        if (strcmp(line, "die") == 0)
            abort();
    return 0;
}
