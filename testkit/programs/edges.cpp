/*
 * Allocates before main begins and after it ends: in what a loader calls, in objects that live as long as a thread or the
 * process, in what was asked to be called at the end. Tells when nothing else is left.
 *
 *   how=return|exit|thread_last
 */
#include "sites.h"

#include <pthread.h>
#include <string>

static void lose_in_preinit(int, char **, char **)
{
    LOSE(16, malloc(16));
}

__attribute__((section(".preinit_array"), used)) static void (*first)(int, char **, char **) = lose_in_preinit;

__attribute__((constructor(101))) static void lose_in_constructor()
{
    LOSE(24, malloc(24));
}

/* The last of the program's own that is called. */
__attribute__((destructor(101))) static void lose_in_destructor()
{
    LOSE(32, malloc(32));
    fact_sites();
    tell("done");
}

static void lose_with_object_made()
{
    LOSE(40, malloc(40));
}

static void lose_with_object_gone()
{
    LOSE(48, malloc(48));
}

static struct Object {
    std::string text = std::string(200, 't');
    Object() { lose_with_object_made(); }
    ~Object() { lose_with_object_gone(); }
} object;

static void lose_in_atexit()
{
    LOSE(56, malloc(56));
}

static void lose_in_later_atexit()
{
    LOSE(64, malloc(64));
}

/* Asked for when the end has begun. */
static void add_another()
{
    atexit(lose_in_later_atexit);
}

static void lose_with_thread_local_made()
{
    LOSE(72, malloc(72));
}

static void lose_with_thread_local_gone()
{
    LOSE(80, malloc(80));
}

struct Local {
    void *volatile block = malloc(500);
    Local() { lose_with_thread_local_made(); }
    ~Local()
    {
        free(block);
        lose_with_thread_local_gone();
    }
};

static thread_local Local local;

static pthread_key_t key;

/* Comes back once: a key that is set again in its destructor has it called again. */
static void lose_with_key(void *value)
{
    LOSE(88, malloc(88));
    if (value == &key)
        pthread_setspecific(key, &object);
}

static void *live(void *)
{
    EXPECT(local.block != nullptr);
    EXPECT(pthread_setspecific(key, &key) == 0);
    return nullptr;
}

static void *outlive(void *thread)
{
    pthread_join(*static_cast<pthread_t *>(thread), nullptr);
    live(nullptr);
    exit(6);
}

int main(int argument_count, char **arguments)
{
    const char *how = option(argument_count, arguments, "how", "return");
    static pthread_t self = pthread_self();
    pthread_t thread;
    EXPECT(pthread_key_create(&key, lose_with_key) == 0);
    EXPECT(atexit(lose_in_atexit) == 0 && atexit(add_another) == 0);
    for (int i = 0; i < 3; i++) {
        EXPECT(pthread_create(&thread, nullptr, live, nullptr) == 0);
        pthread_join(thread, nullptr);
    }
    live(nullptr);
    if (strcmp(how, "exit") == 0)
        exit(5);
    if (strcmp(how, "thread_last") == 0) {
        EXPECT(pthread_create(&thread, nullptr, outlive, &self) == 0);
        pthread_exit(nullptr);
    }
    return 4;
}
