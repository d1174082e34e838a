/* A process of many regions: neighbours differ in protection, so that the kernel cannot merge them. */
#include "truth.h"

int main(int count, char **arguments)
{
    size_t regions = quantity(count, arguments, "count", 60000);
    size_t pages = quantity(count, arguments, "pages", 1);
    size_t size = pages * (size_t)sysconf(_SC_PAGESIZE);
    char *start = island(0x100000000000, regions * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

    madvise(start, regions * size, MADV_NOHUGEPAGE);
    touch(start, regions * size);
    for (size_t i = 1; i < regions; i += 2)
        if (mprotect(start + i * size, size, PROT_READ) != 0)
            give_up("mprotect (more regions than vm.max_map_count allows?)");

    fact_address("start", start);
    fact_number("regions", regions);
    fact_number("region_bytes", size);
    fact_number("bytes", regions * size);
    tell("ready");
    dwell();
    return 0;
}
