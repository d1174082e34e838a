// An allocator with operators of its own, as jemalloc and tcmalloc have them (-DALLOCATOR, a library), and who uses it.
#include <cstddef>
#include <cstdlib>
#include <new>

#include "residue_marks.h"

#ifdef ALLOCATOR
static char room[1 << 20];
static size_t taken;

static void *give(size_t size, size_t alignment)
{
    if (size > sizeof room)
        return nullptr;
    taken = (taken + alignment - 1) / alignment * alignment;
    void *block = room + taken;
    taken += size;
    return block;
}

extern "C" void *malloc(size_t size) { return give(size, 16); }
extern "C" void *calloc(size_t count, size_t size) { return give(count * size, 16); }
extern "C" void *realloc(void *, size_t size) { return give(size, 16); }
extern "C" void free(void *) {}
void *operator new(size_t size, const std::nothrow_t &) noexcept { return give(size, 16); }
void *operator new(size_t size)
{
    if (void *block = give(size, 16))
        return block;
    throw std::bad_alloc();
}
void *operator new(size_t size, std::align_val_t alignment, const std::nothrow_t &) noexcept { return give(size, (size_t)alignment); }
void *operator new(size_t size, std::align_val_t alignment) { return give(size, (size_t)alignment); }
void operator delete(void *) noexcept {}
void operator delete(void *, size_t) noexcept {}
void operator delete(void *, std::align_val_t) noexcept {}
void operator delete(void *, size_t, std::align_val_t) noexcept {}
#else
struct alignas(64) Wide {
    char bytes[128];
};

// What nobody can see need not be allocated.
int *volatile number;
Wide *volatile wide;
char *volatile maybe;

int main()
{
    residue_mark_begin("operators");
    number = new int;
    wide = new Wide;
    maybe = new (std::nothrow) char;
    delete number;
    delete wide;
    delete maybe;
    bool is_thrown = false;
    try {
        number = static_cast<int *>(operator new(size_t(1) << 60));
    } catch (std::bad_alloc &) {
        is_thrown = true;
    }
    residue_mark_end("operators");
    return is_thrown ? 0 : 1;
}
#endif
