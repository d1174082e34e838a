/*
 * What C++ makes of pointers: to the middle of blocks, to rings behind smart pointers, to nodes of containers.
 *
 * As leakkinds.c tells them. memcheck knows four ways in which a pointer to the middle is as good as one to the start;
 * a block held in one of them is `reachable`, its NAME_heuristic says in which, and without them it is `possible`.
 * Objects with virtual functions say their class in NAME_class.
 */
#include "heap.h"

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

static struct {
    const char *name, *word, *value;
} remarks[32];
static size_t remark_count;

static void remark(const char *name, const char *word, const char *value)
{
    remarks[remark_count++] = { name, word, value };
}

__attribute__((noinline)) static void note_object(const char *name, const char *kind,
                                                  const void *block, const char *type)
{
    note(name, kind, block);
    remark(name, "class", type);
}

/* --- classes, with names to be found by --------------------------------------------------------------------------- */

struct Widget {
    virtual ~Widget() {}
    Widget *child = nullptr;
    uint64_t values[7] = {};
};

namespace shop {
struct Order {
    virtual ~Order() {}
    std::string customer;
    Order *next = nullptr;
    uint64_t values[7] = {};
};
} // namespace shop

struct Left {
    virtual ~Left() {}
    uint64_t left[5] = {};
};

struct Right {
    virtual ~Right() {}
    uint64_t right[6] = {};
};

struct Both : Left, Right {
    uint64_t both[6] = {};
};

/* An array of it begins with a count: its elements have something to do when they go. */
struct Item {
    uint64_t value = 0x6b6b6b6b;
    ~Item() { KEEP(this); }
};

struct Peer {
    std::shared_ptr<Peer> other;
    uint64_t values[19] = {};
};

/* --- lost --------------------------------------------------------------------------------------------------------- */

__attribute__((noinline)) static void lose_objects()
{
    Widget *widget = new Widget;
    note_object("widget", "definite", widget, "Widget");
    widget->child = new Widget;
    note_object("widget_child", "indirect", widget->child, "Widget");

    auto *order = new shop::Order;
    note_object("order", "definite", order, "shop::Order");
    order->customer.reserve(119);
    order->customer = "somebody who ordered more than fits into the string itself";
    note("order_text", "indirect", order->customer.data());

    /* The pointer of the second base is to the middle, the block behind a lost one all the same. */
    auto *owner = new Right *[17];
    memset(owner, 0, 17 * sizeof *owner);
    Both *both = new Both;
    owner[3] = both;
    note("base_owner", "definite", owner);
    note_object("base_owned", "indirect", both, "Both");
    KEEP(owner);
}

/* Two that own each other: each control block holds its object, and the objects hold the control blocks. */
__attribute__((noinline)) static void lose_shared_ring()
{
    auto one = std::make_shared<Peer>(), other = std::make_shared<Peer>();
    one->other = other;
    other->other = one;
    /* The object stands behind the two counts and the virtual table of its block. */
    void *first = reinterpret_cast<char *>(one.get()) - 16, *second = reinterpret_cast<char *>(other.get()) - 16;
    const char *names[] = { "ring_shared_0", "ring_shared_1" };
    void *blocks[] = { first, second };
    note_ring(names, blocks, 2);
}

__attribute__((noinline)) static void lose_containers()
{
    auto *lost = new std::vector<std::vector<char>>;
    lost->reserve(9);
    lost->push_back(std::vector<char>(168, 'v'));
    note("vector", "definite", lost);
    note("vector_room", "indirect", lost->data());
    note("vector_inner", "indirect", lost->front().data());
    KEEP(lost);
}

/* --- held --------------------------------------------------------------------------------------------------------- */

/* Nobody destroys them: a search at the end must still find what they hold. */
static struct Held {
    std::list<std::string> texts;
    std::map<int, std::unique_ptr<Widget>> widgets;
    std::shared_ptr<Peer> peer;
} *volatile held;
static Item *volatile items;
static Right *volatile right;
static char *volatile after_length, *volatile old_text;

__attribute__((noinline)) static void hold_objects()
{
    auto *all = new Held;
    all->texts.emplace_back(199, 't');
    note("list_text", "reachable", all->texts.front().data());
    all->widgets[1] = std::make_unique<Widget>();
    note_object("map_widget", "reachable", all->widgets[1].get(), "Widget");
    all->peer = std::make_shared<Peer>();
    note("shared", "reachable", reinterpret_cast<char *>(all->peer.get()) - 16);
    held = all;
}

static void note_heuristic(const char *name, const char *heuristic, const void *block)
{
    note(name, "reachable", block);
    remark(name, "heuristic", heuristic);
}

/* Each held by a pointer to its middle alone. */
__attribute__((noinline)) static void hold_by_middle()
{
    items = new Item[28];
    note_heuristic("array", "newarray", items - 1);
    auto *both = new Both;
    right = both;
    note_heuristic("bases", "multipleinheritance", both);
    remark("bases", "class", "Both");

    uint64_t *sized = static_cast<uint64_t *>(malloc(248));
    memset(sized, 0x6b, 248);
    sized[0] = 248 - sizeof *sized;
    after_length = reinterpret_cast<char *>(sized + 1);
    note_heuristic("sized", "length64", sized);

    /* As strings were before C++11: length, capacity, count of owners, text. */
    uint64_t *old = static_cast<uint64_t *>(malloc(264));
    memset(old, 0x6b, 264);
    old[0] = 100;
    old[1] = 264 - 3 * sizeof *old - 1;
    old[2] = 0;
    old_text = reinterpret_cast<char *>(old + 3);
    note_heuristic("old_string", "stdstring", old);
}

int main()
{
    lose_objects();
    lose_shared_ring();
    lose_containers();
    hold_objects();
    hold_by_middle();
    fact_blocks();
    for (size_t i = 0; i < remark_count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s_%s", remarks[i].name, remarks[i].word);
        fact(name, "%s", remarks[i].value);
    }
    scrub();
    tell("ready");
    dwell();
    exit(0);
}
