/* A library of which there are several builds, with frames of other sizes. */

typedef void (*Look)(void *);

__attribute__((noinline, noclone)) static int inner(Look look, void *with) {
    char room[SIZE];
    __asm__ volatile("" : : "r"(room) : "memory");
    look(with);
    return room[0];
}

int plugin(Look look, void *with) {
    char room[SIZE * 2];
    __asm__ volatile("" : : "r"(room) : "memory");
    return inner(look, with) + room[1];
}
