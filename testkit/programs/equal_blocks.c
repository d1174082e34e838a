/* Many mappings of one size with a hole after each: the picture of a leak in a size histogram. */
#include "truth.h"

int main(int count, char **arguments)
{
    size_t blocks = quantity(count, arguments, "count", 1000);
    size_t size = quantity(count, arguments, "kib", 128) * KIB;
    size_t stride = 2 * size;
    uintptr_t first = 0x100000000000;

    for (size_t i = 0; i < blocks; i++) {
        void *block = island(first + i * stride, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
        madvise(block, size, MADV_NOHUGEPAGE);
        touch(block, size);
    }

    fact_number("blocks", blocks);
    fact_number("block_bytes", size);
    fact_number("bytes", blocks * size);
    fact_address("first", (void *)first);
    fact_number("stride", stride);
    tell("ready");
    dwell();
    return 0;
}
