// Calls of all shapes that C++ compilers give frames, and exceptions that leave them.

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using Probe = void (*)();

namespace {

Probe probe;
thread_local unsigned long random_state;
thread_local long looks;

unsigned pick(unsigned below) {
    random_state = random_state * 6364136223846793005UL + 1442695040888963407UL;
    return static_cast<unsigned>(random_state >> 33) % below;
}

void look() {
    looks++;
    probe();
}

long next(int depth);

// Looks while an exception goes by.
struct Witness {
    ~Witness() { look(); }
};

struct Shape {
    virtual ~Shape() { look(); }
    virtual long area(int depth) = 0;
};

struct Square : Shape {
    long area(int depth) override {
        Witness witness;
        return next(depth) + 1;
    }
};

struct Other {
    virtual long weight(int depth) { return next(depth); }
    virtual ~Other() = default;
};

struct Both : Square, Other {
    std::string name = "a name that is too long to be kept inside";
    long area(int depth) override { return Square::area(depth) + weight(depth > 0 ? depth - 1 : 0); }
    long weight(int depth) override { return next(depth) + static_cast<long>(name.size()); }
};

long virtually(int depth) {
    std::unique_ptr<Shape> shape;
    if (pick(2)) shape = std::make_unique<Square>();
    else shape = std::make_unique<Both>();
    return shape->area(depth);
}

long by_base(int depth) {
    Both both;
    Other &other = both;
    return other.weight(depth);
}

long sorted(int depth) {
    std::vector<std::string> all;
    for (int i = 0; i < 5; i++) all.push_back(std::to_string(pick(1000)) + " and more than fits inside of a string");
    std::sort(all.begin(), all.end(), [](const std::string &left, const std::string &right) {
        if (pick(8) == 0) look();
        return left < right;
    });
    return next(depth) + static_cast<long>(all.size());
}

long wrapped(int depth) {
    std::function<long(int)> call = [&](int inner) { return next(inner) + depth; };
    return call(depth);
}

long throws(int depth) {
    Witness witness;
    if (pick(2)) throw std::runtime_error("thrown to be caught");
    return next(depth);
}

long catches(int depth) {
    try {
        return throws(depth) + throws(depth);
    } catch (const std::exception &) {
        look();
        return next(depth);
    }
}

long rethrows(int depth) {
    try {
        try {
            return throws(depth);
        } catch (...) {
            look();
            throw;
        }
    } catch (const std::runtime_error &) {
        look();
        return next(depth) + 1;
    }
}

template <int N>
long templated(int depth) {
    volatile double values[N] = {1.5};
    long result = next(depth);
    return result + static_cast<long>(values[0] * N);
}

long (*const levels[])(int) = {virtually, by_base, sorted, wrapped, catches, rethrows, templated<1>, templated<70>, templated<900>};

__attribute__((noinline)) long next(int depth) {
    if (depth == 0 || pick(6) == 0) look();
    return depth == 0 ? 0 : levels[pick(sizeof levels / sizeof levels[0])](depth - 1) + 1;
}

void work(long count) {
    looks = 0;
    random_state = static_cast<unsigned long>(count);
    while (looks < count) next(2 + static_cast<int>(pick(10)));
}

}  // namespace

// Looks about so often from this thread, and as often from each of two others.
extern "C" void run(Probe with, long count) {
    probe = with;
    std::thread first(work, count), second(work, count + 1);
    work(count + 2);
    first.join();
    second.join();
}
