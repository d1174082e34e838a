/*
 * What can be searched for, read and dumped: needles at places that it tells, in two regions far apart, and threads
 * that count as long as they run.
 *
 * Every needle is written here one letter further than it is planted, so that it stands in memory where it was
 * planted and nowhere else: not among the constants of the program, and not in a line that it prints.
 *
 *   meadow   20 MiB, all zeros but the needles; they stand across borders of pages and of 1 and 16 MiB too
 *   pond     256 KiB, with a fence of 64 KiB without access behind it, and nothing behind that
 *   forest   `forest_mib` of memory that nobody touched but its first page, which has one more text
 *
 * Each kind of needle tells its places in order of address: `text=0x…,0x…`. Told `onward` it answers when every
 * thread has counted further.
 */
#include "truth.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define WORKERS 3
#define MEADOW (20 * MIB)
#define POND (256 * KIB)
#define FENCE (64 * KIB)

#define NEEDLE "ubxoz!pxm!5822"        /* tawny owl 4711 */
#define LOUD_NEEDLE "Ubxoz!PXM!5822"   /* Tawny OWL 4711 */
#define POINTER "\x5b\x5b\x01\x01\x01\x11\x01\x01" /* 0x100000005a5a, an address in the meadow */

static char places[1024];

static void note(const char *place)
{
    size_t length = strlen(places);
    snprintf(places + length, sizeof places - length, "%s%#llx", length ? "," : "", (unsigned long long)(uintptr_t)place);
}

static void tell_places(const char *name)
{
    fact(name, "%s", places);
    places[0] = 0;
}

/* `wide` bytes a letter; volatile, or the compiler would keep the needle whole. */
static void plant_bytes(char *place, const volatile char *needle, size_t length, size_t wide)
{
    for (size_t i = 0; i < length; i++)
        *(volatile char *)(place + i * wide) = (char)(needle[i] - 1);
    note(place);
}

static void plant(char *place, const char *needle)
{
    plant_bytes(place, needle, strlen(needle), 1);
}

static void plant_wide(char *place, const char *needle)
{
    plant_bytes(place, needle, strlen(needle), 2);
}

static char *ground(const char *name, uintptr_t where, size_t size)
{
    char key[32];
    char *start = island(where, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    madvise(start, size, MADV_NOHUGEPAGE);
    fact_address(name, start);
    snprintf(key, sizeof key, "%s_bytes", name);
    fact_number(key, size);
    return start;
}

static void plant_all(char *meadow, char *pond)
{
    plant(meadow, NEEDLE);
    plant(meadow + 8 * 4096 - 5, NEEDLE);
    plant(meadow + MIB - 3, NEEDLE);
    plant(meadow + 16 * MIB - 7, NEEDLE);
    plant(meadow + MEADOW - strlen(NEEDLE), NEEDLE);
    plant(pond + 0x10, NEEDLE);
    plant(pond + 0x2345, NEEDLE);
    tell_places("text");

    plant(pond + 0x3000, LOUD_NEEDLE);
    tell_places("loud");

    plant_wide(meadow + 12 * 4096 - 5, NEEDLE);
    plant_wide(pond + 0x4001, NEEDLE);
    tell_places("wide");

    plant_bytes(meadow + 0x20000, "\x9f\x4c\x12\x06\xc2\xd3\x42", 7, 1);
    plant_bytes(meadow + 0x20100, "\x9f\x4c\xfe\x06\xc2\xd3\x42", 7, 1);
    plant_bytes(pond + 0x5001, "\x9f\x4c\x19\x06\xc2\xd3\x42", 7, 1);
    tell_places("bytes");

    plant(meadow + 0x30000, "xjoh`je>8");
    plant(meadow + 0x30100, "xjoh`je>53");
    plant(pond + 0x6000, "xjoh`je>5822");
    tell_places("numbered");

    plant_bytes(meadow + 0x40000, POINTER, 8, 1);
    plant_bytes(meadow + 0x40018, POINTER, 8, 1);
    plant_bytes(pond + 0x7000, POINTER, 8, 1);
    tell_places("pointer");
    plant_bytes(pond + 0x7103, POINTER, 8, 1);
    tell_places("crooked");
}

/* --- threads ----------------------------------------------------------------------------------------------- */

static atomic_ulong counted[WORKERS];

static void *count_on(void *argument)
{
    atomic_ulong *mine = argument;
    for (;;) {
        atomic_fetch_add(mine, 1);
        nanosleep(&(struct timespec){ .tv_nsec = 1000 * 1000 }, NULL);
    }
    return NULL;
}

static void start_threads(void)
{
    pthread_t thread;
    for (size_t i = 0; i < WORKERS; i++)
        if (pthread_create(&thread, NULL, count_on, &counted[i]) != 0)
            give_up("pthread_create");
    fact_number("threads", WORKERS + 1);
}

static void await_all(void)
{
    for (size_t i = 0; i < WORKERS; i++)
        for (unsigned long before = counted[i]; counted[i] == before;)
            nanosleep(&(struct timespec){ .tv_nsec = 1000 * 1000 }, NULL);
}

int main(int count, char **arguments)
{
    char line[64];
    size_t forest_size = quantity(count, arguments, "forest_mib", 0) * MIB;
    char *meadow = ground("meadow", 0x100000000000, MEADOW);
    char *pond = ground("pond", 0x100040000000, POND);
    touch(pond, POND);
    memset(pond, 0, POND);
    island(0x100040000000 + POND, FENCE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    plant_all(meadow, pond);
    if (forest_size > 0) {
        plant(ground("forest", 0x080000000000, forest_size), NEEDLE);
        tell_places("hidden");
    }
    start_threads();
    tell("ready");
    while (hear(line, sizeof line)) {
        await_all();
        tell("on");
    }
    return 0;
}
