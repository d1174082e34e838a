/*
 * Code that no file has, made at run time, which calls malloc: an unwinder finds no rules for its frame.
 *
 *   frame=pointer|plain   whether the code keeps a frame pointer (plain)
 */
#include "sites.h"

typedef void *code(size_t size, void *(*allocate)(size_t));

/* A call with the stack aligned, by the convention of x86-64: allocate(size). */
static const unsigned char plain[] = {
    0x48, 0x83, 0xec, 0x28, /* sub  $0x28, %rsp */
    0xff, 0xd6,             /* call *%rsi       */
    0x48, 0x83, 0xc4, 0x28, /* add  $0x28, %rsp */
    0xc3,                   /* ret              */
};

static const unsigned char with_pointer[] = {
    0x55,                   /* push %rbp        */
    0x48, 0x89, 0xe5,       /* mov  %rsp, %rbp  */
    0x48, 0x83, 0xec, 0x20, /* sub  $0x20, %rsp */
    0xff, 0xd6,             /* call *%rsi       */
    0xc9,                   /* leave            */
    0xc3,                   /* ret              */
};

static code *made(const unsigned char *bytes, size_t length)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        give_up("mmap");
    memcpy(page, bytes, length);
    if (mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0)
        give_up("mprotect");
    return (code *)(uintptr_t)page;
}

__attribute__((noinline)) static void lose_by_code(code *code)
{
    LOSE(96, code(96, malloc));
}

__attribute__((noinline)) static void lose_itself(void)
{
    LOSE(32, malloc(32));
}

int main(int argument_count, char **arguments)
{
    int pointer = strcmp(option(argument_count, arguments, "frame", "plain"), "pointer") == 0;
    code *code = pointer ? made(with_pointer, sizeof with_pointer) : made(plain, sizeof plain);
    for (int i = 0; i < 500; i++) {
        lose_by_code(code);
        lose_itself();
    }
    fact_sites();
    tell("done");
    return 0;
}
