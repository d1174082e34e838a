/*
 * threads N    that many, one after the other, each of which allocates 777 bytes that the next one frees, and 778 that a
 *              destructor of its own frees at the end
 * together N   that many at once, each allocating 777 bytes once
 * churn N      allocates and frees 64 bytes N times
 * grow N       allocates 1024 bytes N times, and frees every other
 * children N   that many by fork, each of which allocates 779 bytes
 * strict       allocates 780 bytes before and 781 after binding itself by seccomp
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *left;
static pthread_key_t key;
static pthread_barrier_t together;

static void *follow(void *unused)
{
    (void)unused;
    free(left);
    left = malloc(777);
    pthread_setspecific(key, malloc(778));
    return NULL;
}

static void *join_in(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&together);
    left = malloc(777);
    pthread_barrier_wait(&together);
    return NULL;
}

int main(int count, char **arguments)
{
    const char *what = arguments[1];
    int times = count > 2 ? atoi(arguments[2]) : 0;
    if (strcmp(what, "threads") == 0) {
        pthread_key_create(&key, free);
        for (int i = 0; i < times; i++) {
            pthread_t thread;
            if (pthread_create(&thread, NULL, follow, NULL) != 0)
                return 1;
            pthread_join(thread, NULL);
        }
    } else if (strcmp(what, "together") == 0) {
        pthread_attr_t small;
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 65536);
        pthread_barrier_init(&together, NULL, times);
        pthread_t *threads = calloc(times, sizeof *threads);
        for (int i = 0; i < times; i++)
            if (pthread_create(&threads[i], &small, join_in, NULL) != 0)
                return 1;
        for (int i = 0; i < times; i++)
            pthread_join(threads[i], NULL);
    } else if (strcmp(what, "churn") == 0) {
        for (int i = 0; i < times; i++)
            free(malloc(64));
    } else if (strcmp(what, "grow") == 0) {
        for (int i = 0; i < times; i++) {
            void *block = malloc(1024);
            if (i % 2)
                free(block);
        }
    } else if (strcmp(what, "children") == 0) {
        for (int i = 0; i < times; i++) {
            pid_t child = fork();
            if (child == 0) {
                left = malloc(779);
                _exit(0);
            }
            int status;
            if (waitpid(child, &status, 0) != child || status != 0)
                return 1;
        }
    } else if (strcmp(what, "strict") == 0) {
        left = malloc(780);
        prctl(PR_SET_SECCOMP, 1);
        left = malloc(781);
        syscall(SYS_exit, 0);
    }
    return 0;
}
