/* Reads a file to its end, once, into one buffer, and does nothing with it: what any reader of it must pay. */
#include "truth.h"

#include <fcntl.h>

static char buffer[64 * 1024];

int main(int count, char **arguments)
{
    int file = count > 1 ? open(arguments[1], O_RDONLY) : -1;
    if (file < 0)
        give_up("open");
    ssize_t got;
    do
        got = read(file, buffer, sizeof buffer);
    while (got > 0);
    return got == 0 ? 0 : 1;
}
