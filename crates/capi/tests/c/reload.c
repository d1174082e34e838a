/* Loads the library, uses it and unloads it, fifty times: as a host with plug-ins does.
 *
 *     reload LIBRARY
 *
 * What understands every region starts a thread of its own on Linux, and glibc keeps a library loaded until the thread
 * that asked for it ends: so that is asked for in a thread that does. */
#include <stdio.h>
#include "residue.h"
#ifdef _WIN32
#include <windows.h>
typedef HMODULE library;
#define LOAD(path) LoadLibraryA(path)
#define FIND(loaded, name) ((void *)GetProcAddress(loaded, name))
#define UNLOAD(loaded) (FreeLibrary(loaded) != 0)
#define IS_LOADED(path) (GetModuleHandleA(path) != NULL)
#else
#include <dlfcn.h>
#include <pthread.h>
typedef void *library;
#define LOAD(path) dlopen(path, RTLD_NOW | RTLD_LOCAL)
#define FIND(loaded, name) dlsym(loaded, name)
#define UNLOAD(loaded) (dlclose(loaded) == 0)
#define IS_LOADED(path) (dlopen(path, RTLD_NOW | RTLD_NOLOAD) != NULL)
#endif

typedef residue_status open_self(const struct residue_options *, struct residue_process **);
typedef residue_status take(struct residue_process *, struct residue_sample *);
typedef residue_status count(struct residue_process *, struct residue_summary_row *, size_t, size_t *);
typedef residue_status missing(uint32_t, const struct residue_options *, struct residue_process **);
typedef void finish(struct residue_process *);

static count *summary;
static struct residue_process *process;

static void *sum_up(void *status) {
    *(residue_status *)status = summary(process, NULL, 0, &(size_t){0});
    return NULL;
}

static residue_status sum_up_in_a_thread(void) {
    residue_status status = RESIDUE_PANIC;
#ifdef _WIN32
    sum_up(&status);
#else
    pthread_t thread;
    if (pthread_create(&thread, NULL, sum_up, &status) == 0)
        pthread_join(thread, NULL);
#endif
    return status;
}

static int use(library loaded) {
    struct residue_process *none;
    struct residue_sample sample = {.size = sizeof sample};
    open_self *open_self_ = (open_self *)FIND(loaded, "residue_open_self");
    missing *open_ = (missing *)FIND(loaded, "residue_open");
    take *sample_ = (take *)FIND(loaded, "residue_sample");
    finish *close_ = (finish *)FIND(loaded, "residue_close");
    summary = (count *)FIND(loaded, "residue_summary");
    if (!open_self_ || !open_ || !sample_ || !summary || !close_ || open_self_(NULL, &process) != RESIDUE_OK)
        return 0;
    int is_well = sample_(process, &sample) == RESIDUE_OK && sample.regions > 0 &&
                  open_(0x7ffffff0, NULL, &none) == RESIDUE_NOT_FOUND && sum_up_in_a_thread() == RESIDUE_OK;
    close_(process);
    return is_well;
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    for (int round = 1; round <= 50; round++) {
        library loaded = LOAD(argv[1]);
        if (!loaded || !use(loaded) || !UNLOAD(loaded)) {
            printf("round %d failed\n", round);
            return 1;
        }
        if (IS_LOADED(argv[1])) {
            printf("round %d: it is still loaded\n", round);
            return 1;
        }
    }
    printf("50 rounds\n");
    return 0;
}
