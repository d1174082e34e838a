/*
 * Makes other processes in every way, and sees that they end as they should. Each process tells of its own: first the
 * child, a line that begins with `child`, then whoever started it.
 *
 *   case=fork       a child that loses, and frees what its parent allocated
 *   case=storm      children of a process whose other threads allocate all the time
 *   case=vfork      a child that lives in its parent's memory until it becomes another program
 *   case=spawn      posix_spawn
 *   case=shell      system and popen
 *   case=clone      a child that the C library knows nothing of
 *   case=shared     a child with a stack of its own that allocates in its parent's memory
 *   case=exec       becomes itself again, links=N times (5)
 *   case=nobody     gives up its rights and starts a program; only root can
 *   case=daemon     a grandchild with a session of its own and no open files
 *   case=leaf       loses and ends
 */
#include "sites.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

static const char *self;

static void told(const char *word)
{
    fact_sites();
    tell(word);
}

static void await(pid_t child, int code)
{
    int status;
    while (waitpid(child, &status, 0) != child)
        EXPECT(errno == EINTR);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == code);
}

static void lose_before(void)
{
    for (int i = 0; i < 5; i++)
        LOSE(100, malloc(100));
}

static void lose_after(void)
{
    for (int i = 0; i < 2; i++)
        LOSE(300, malloc(300));
}

static void lose_in_child(void)
{
    for (int i = 0; i < 7; i++)
        LOSE(200, malloc(200));
}

static void *lend(void)
{
    return LEND(malloc(500));
}

static void be_child(void *inherited)
{
    forget_sites();
    lose_in_child();
    free(inherited);
    told("child");
}

static void by_fork(void)
{
    void *block = lend();
    pid_t child = fork();
    if (child == 0) {
        be_child(block);
        exit(3);
    }
    await(child, 3);
    free(block);
}

static void *allocate_always(void *end)
{
    while (!__atomic_load_n((int *)end, __ATOMIC_ACQUIRE))
        spend(64);
    return NULL;
}

static void storm(void)
{
    int end = 0;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        EXPECT(pthread_create(&threads[i], NULL, allocate_always, &end) == 0);
    for (int i = 0; i < 200; i++) {
        pid_t child = fork();
        if (child == 0) {
            spend(64);
            _exit(i % 100);
        }
        await(child, i % 100);
    }
    __atomic_store_n(&end, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

__attribute__((noinline)) static void leaf_by_vfork(void)
{
    pid_t child = vfork();
    if (child == 0) {
        execl(self, self, "case=leaf", (char *)NULL);
        _exit(127);
    }
    await(child, 4);
}

static void by_vfork(void)
{
    for (int i = 0; i < 3; i++)
        leaf_by_vfork();
    pid_t child = vfork();
    if (child == 0)
        _exit(6);
    await(child, 6);
}

static void by_spawn(void)
{
    char *arguments[] = { (char *)(uintptr_t)self, "case=leaf", NULL };
    pid_t child;
    EXPECT(posix_spawn(&child, self, NULL, NULL, arguments, environ) == 0);
    await(child, 4);
    EXPECT(posix_spawn(&child, "/there/is/no/such/program", NULL, NULL, arguments, environ) == ENOENT);
}

static void by_shell(void)
{
    char line[64] = "";
    EXPECT(WEXITSTATUS(system("exit 7")) == 7);
    FILE *pipe = popen("echo said; exit 2", "r");
    EXPECT(pipe != NULL && fgets(line, sizeof line, pipe) != NULL && strcmp(line, "said\n") == 0);
    EXPECT(WEXITSTATUS(pclose(pipe)) == 2);
}

static void by_clone(void)
{
    void *block = lend();
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) {
        be_child(block);
        _exit(5);
    }
    await(child, 5);
    free(block);
}

static int lose_shared(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++)
        LOSE(400, malloc(400));
    return 6;
}

/* The parent stands still as long as the child lives. */
static void by_shared(void)
{
    static char stack[256 * 1024] __attribute__((aligned(16)));
    pid_t child = clone(lose_shared, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    await(child, 6);
}

/* What was there before is gone with the program: each link of the chain tells of itself. */
static void by_exec(unsigned long long links)
{
    char count[32];
    if (links == 0)
        return;
    told("link");
    snprintf(count, sizeof count, "links=%llu", links - 1);
    execl(self, self, "case=exec", count, (char *)NULL);
    give_up("execl");
}

static void as_nobody(void)
{
    EXPECT(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
    lose_in_child();
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "exit 9", (char *)NULL);
        _exit(127);
    }
    await(child, 9);
}

struct word {
    int said;
    size_t length;
    char text[4096];
};

/* Far from where it came from: it can tell nobody but through memory that it shares. */
static void be_daemon(struct word *word)
{
    pid_t child;
    EXPECT(setsid() != -1);
    child = fork();
    if (child != 0)
        _exit(child < 0);
    umask(0);
    EXPECT(chdir("/") == 0);
    for (int file = 0; file < 1024; file++)
        close(file);
    EXPECT(open("/dev/null", O_RDWR) == 0 && dup(0) == 1 && dup(0) == 2);
    forget_sites();
    lose_in_child();
    fact_sites();
    memcpy(word->text, truth_text, word->length = truth_length);
    __atomic_store_n(&word->said, 1, __ATOMIC_RELEASE);
    exit(0);
}

static void as_daemon(void)
{
    struct word *word = mmap(NULL, sizeof *word, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(word != MAP_FAILED);
    pid_t child = fork();
    if (child == 0)
        be_daemon(word);
    await(child, 0);
    while (!__atomic_load_n(&word->said, __ATOMIC_ACQUIRE))
        usleep(1000);
    memcpy(truth_text, word->text, truth_length = word->length);
    tell("child");
}

int main(int argument_count, char **arguments)
{
    const char *which = option(argument_count, arguments, "case", "fork");
    self = arguments[0];
    if (strcmp(which, "leaf") == 0) {
        lose_in_child();
        told("child");
        return 4;
    }
    lose_before();
    if (strcmp(which, "fork") == 0)
        by_fork();
    else if (strcmp(which, "storm") == 0)
        storm();
    else if (strcmp(which, "vfork") == 0)
        by_vfork();
    else if (strcmp(which, "spawn") == 0)
        by_spawn();
    else if (strcmp(which, "shell") == 0)
        by_shell();
    else if (strcmp(which, "clone") == 0)
        by_clone();
    else if (strcmp(which, "shared") == 0)
        by_shared();
    else if (strcmp(which, "exec") == 0)
        by_exec(quantity(argument_count, arguments, "links", 5));
    else if (strcmp(which, "nobody") == 0)
        as_nobody();
    else if (strcmp(which, "daemon") == 0)
        as_daemon();
    lose_after();
    told("done");
    return 0;
}
