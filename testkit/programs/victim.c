/*
 * A Windows process of which everything is known: what VirtualAlloc, heaps, sections and threads it has, by address.
 *
 * Answers `query` with its own sums over VirtualQuery, `guard` with whether nobody touched its guard page, and
 * `leak RATE` by losing so many bytes a second from its heap from then on.
 */
#include "truth.h"

#define PRIVATE (8 * MIB)
#define RESERVED (4 * MIB)
#define BLOCK 4096

static const char *needle = "tawny owl 4711";
static volatile LONG64 rate;

static DWORD WINAPI idle(void *argument)
{
    (void)argument;
    Sleep(INFINITE);
    return 0;
}

static DWORD WINAPI leak(void *heap)
{
    LONG64 lost = 0, due = 0;
    for (;;) {
        Sleep(10);
        for (due += rate / 100; lost < due; lost += BLOCK) {
            char *block = HeapAlloc(heap, 0, BLOCK - 64);
            if (block != NULL)
                memset(block, 0x6c, BLOCK - 64);
        }
    }
    return 0;
}

/* What this process sees of itself: the truth that another must agree with. */
static void query(void)
{
    MEMORY_BASIC_INFORMATION info;
    unsigned long long committed = 0, reserved = 0, blocks = 0, allocations = 0, largest = 0, gap = 0;
    for (char *at = NULL; VirtualQuery(at, &info, sizeof info) == sizeof info; at = (char *)info.BaseAddress + info.RegionSize) {
        if (info.State == MEM_FREE) {
            /* Neighbours that are free are one piece. The first 64 KiB are never given out. */
            gap += info.BaseAddress < (void *)0x10000 ? info.RegionSize - 0x10000 : info.RegionSize;
            if (gap > largest)
                largest = gap;
            continue;
        }
        gap = 0;
        blocks++;
        allocations += info.BaseAddress == info.AllocationBase;
        *(info.State == MEM_COMMIT ? &committed : &reserved) += info.RegionSize;
    }
    fact_number("committed", committed);
    fact_number("reserved", reserved);
    fact_number("blocks", blocks);
    fact_number("allocations", allocations);
    fact_number("largest", largest);
    tell("sums");
}

int main(void)
{
    static char path[MAX_PATH];
    char line[64];
    char *private = VirtualAlloc(NULL, PRIVATE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    char *reserved = VirtualAlloc(NULL, RESERVED, MEM_RESERVE, PAGE_NOACCESS);
    char *guard = VirtualAlloc(NULL, BLOCK, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD);
    HANDLE heap = HeapCreate(0, 1 * MIB, 0);
    GetModuleFileNameA(NULL, path, sizeof path);
    HANDLE file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    HANDLE section = CreateFileMappingA(file, NULL, PAGE_READONLY, 0, 0, NULL);
    char *view = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
    DWORD thread, leaker;
    HANDLE started = CreateThread(NULL, 512 * KIB, idle, NULL, 0, &thread);
    if (!private || !reserved || !guard || !heap || !view || !started)
        give_up("victim");
    CreateThread(NULL, 0, leak, heap, 0, &leaker);
    memset(private, 0x70, PRIVATE);
    memcpy(private + 12345, needle, strlen(needle));

    fact_address("private", private);
    fact_number("private_bytes", PRIVATE);
    fact_address("reserved", reserved);
    fact_number("reserved_bytes", RESERVED);
    fact_address("guard", guard);
    fact_address("heap", (void *)heap);
    fact_address("view", view);
    fact_number("thread", thread);
    fact_address("needle", private + 12345);
    tell("ready");
    while (hear(line, sizeof line)) {
        if (strcmp(line, "query") == 0) {
            query();
        } else if (strcmp(line, "guard") == 0) {
            MEMORY_BASIC_INFORMATION info;
            VirtualQuery(guard, &info, sizeof info);
            fact_number("guarded", (info.Protect & PAGE_GUARD) != 0);
            tell("guard");
        } else if (strncmp(line, "leak ", 5) == 0) {
            rate = (LONG64)strtoll(line + 5, NULL, 10);
            tell("leaking");
        }
    }
    return 0;
}
