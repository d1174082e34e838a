/* What the system says of our own memory, asked without Residue. */
#ifdef _WIN32
#include <windows.h>
#include <psapi.h>
static unsigned long long own_memory(void) {
    PROCESS_MEMORY_COUNTERS counters = {.cb = sizeof counters};
    GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters);
    return counters.PagefileUsage;
}
#else
#include <stdio.h>
#include <unistd.h>
static unsigned long long own_memory(void) {
    unsigned long long all = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (!statm || fscanf(statm, "%llu %llu", &all, &resident) != 2)
        return 0;
    fclose(statm);
    return resident * (unsigned long long)sysconf(_SC_PAGESIZE);
}
#endif
