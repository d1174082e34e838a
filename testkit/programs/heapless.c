/*
 * A process that has no C library and so no heap: it says that it is ready and waits for the end of its stdin.
 *
 * Build with `-static -nostdlib`.
 */
static long call(long number, long file, void *at, long size)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(file), "S"(at), "d"(size) : "rcx", "r11", "memory");
    return result;
}

void _start(void)
{
    char letter, word[] = "ready\n";
    call(1, 1, word, sizeof word - 1);
    while (call(0, 0, &letter, 1) > 0)
        ;
    call(60, 0, 0, 0);
    __builtin_unreachable();
}
