/*
 * A leak of web pages: blocks of one size with a guard behind each, most of them filled with pages of one site, no two
 * alike; a tenth with zeros and a tenth with noise, mixed.
 *
 * Told `count HEX`, it answers how often these bytes stand in its blocks (`times`) and in how many blocks (`blocks`);
 * matches do not overlap. The template stands in no writable memory but in the blocks.
 */
#include "truth.h"

#define BLOCK (128 * KIB)
#define GUARD (4 * KIB)

static size_t blocks, pages, zeros, noises;
static char *first;
static uint64_t chance = 0x9e3779b97f4a7c15;

static uint64_t draw(void)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance;
}

static const char *const sorts[] = { "kale", "chard", "leek", "parsnip", "fennel", "salsify", "orach", "skirret",
                                     "borage", "lovage", "sorrel", "medlar", "quince", "damson", "bullace", "greengage" };

static const char *sort(void)
{
    return sorts[draw() % (sizeof sorts / sizeof *sorts)];
}

/* A page is finished before its block ends, and the rest stays zero. */
static void write_page(char *block, size_t number)
{
    char *at = block, *end = block + BLOCK - 4096;
    at += sprintf(at,
                  "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<title>Lot %zu, %s and %s | Harbour Seed Exchange</title>\n"
                  "<link rel=\"stylesheet\" href=\"/static/harbour-seeds.css\">\n</head>\n<body class=\"lots\">\n",
                  number, sort(), sort());
    while (at < end)
        at += sprintf(at,
                      "<div class=\"lot\" id=\"lot-%llu\"><h2><a href=\"/lots/%s/%llu\">%s</a></h2>\n"
                      "<p>Swapped for <em>%s</em> by gardener %llu, %llu seeds left.</p></div>\n",
                      (unsigned long long)(draw() % 1000000), sort(), (unsigned long long)(draw() % 100000), sort(),
                      sort(), (unsigned long long)(draw() % 9000), (unsigned long long)(draw() % 500));
    sprintf(at, "<footer>Harbour Seed Exchange, page %zu</footer>\n</body>\n</html>\n", number);
}

static void fill(char *block, size_t number)
{
    switch (draw() % 10) {
    case 0:
        touch(block, BLOCK);
        memset(block, 0, BLOCK);
        zeros++;
        break;
    case 1:
        for (size_t at = 0; at < BLOCK; at += sizeof(uint64_t))
            *(uint64_t *)(block + at) = draw();
        noises++;
        break;
    default:
        write_page(block, number);
        pages++;
    }
}

static void count_all(const char *hex)
{
    static char wanted[256];
    size_t length = strlen(hex) / 2, times = 0, holding = 0;

    for (size_t i = 0; i < length && i < sizeof wanted; i++)
        sscanf(hex + 2 * i, "%2hhx", &wanted[i]);
    for (size_t i = 0; i < blocks && length > 0; i++) {
        char *at = first + i * (BLOCK + GUARD), *end = at + BLOCK;
        size_t before = times;
        while ((at = memmem(at, (size_t)(end - at), wanted, length)) != NULL) {
            at += length;
            times++;
        }
        holding += times > before;
    }
    fact_number("times", times);
    fact_number("blocks", holding);
    tell("counted");
}

int main(int count, char **arguments)
{
    char line[600];

    blocks = quantity(count, arguments, "count", 1200);
    /* The guards part the blocks: each is a region of its own. */
    first = island(0x100000000000, blocks * (BLOCK + GUARD), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    for (size_t i = 0; i < blocks; i++) {
        char *block = first + i * (BLOCK + GUARD);
        if (mprotect(block, BLOCK, PROT_READ | PROT_WRITE) != 0)
            give_up("mprotect");
        madvise(block, BLOCK, MADV_NOHUGEPAGE);
        fill(block, i);
    }
    fact_address("first", first);
    fact_number("stride", BLOCK + GUARD);
    fact_number("block_bytes", BLOCK);
    fact_number("blocks", blocks);
    fact_number("pages", pages);
    fact_number("zeros", zeros);
    fact_number("noises", noises);
    tell("ready");
    while (hear(line, sizeof line))
        count_all(strncmp(line, "count ", 6) == 0 ? line + 6 : "");
    return 0;
}
