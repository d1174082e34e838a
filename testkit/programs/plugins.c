/*
 * Loads libraries that lose blocks, and unloads them: what was lost outlives the code that lost it.
 *
 *   case=once       loaded, used, unloaded
 *   case=again      the same, times=N times (200)
 *   case=swapped    one after the other, so that the second stands where the first stood
 *   case=deep       with a scope of its own (RTLD_DEEPBIND): it finds the C library's malloc before any other
 *   case=kept       still loaded at the end
 *   case=namespace  in a namespace of its own, with a C library of its own (dlmopen)
 *   red=PATH blue=PATH   plugin.c, compiled with -DPLUGIN=red, and with -DPLUGIN=blue -DSHIFTED
 */
#include "sites.h"

#include <dlfcn.h>

struct plugin {
    void *handle;
    void (*lose)(int count, size_t size);
    void *(*lend)(size_t size);
    void (*take_back)(void *block);
    char function[32];
    int line, blocks;
    size_t bytes;
};

static void *symbol(void *handle, const char *name)
{
    void *found = dlsym(handle, name);
    if (found == NULL)
        give_up(dlerror());
    return found;
}

static void find(struct plugin *plugin, void *handle)
{
    if (handle == NULL)
        give_up(dlerror());
    plugin->handle = handle;
    *(void **)&plugin->lose = symbol(handle, "plugin_lose");
    *(void **)&plugin->lend = symbol(handle, "plugin_lend");
    *(void **)&plugin->take_back = symbol(handle, "plugin_take_back");
    snprintf(plugin->function, sizeof plugin->function, "%s", (char *)symbol(handle, "plugin_function"));
    plugin->line = *(int *)symbol(handle, "plugin_line");
}

static void use(struct plugin *plugin, int count, size_t size)
{
    plugin->lose(count, size);
    plugin->blocks += count;
    plugin->bytes += (size_t)count * size;
    plugin->take_back(plugin->lend(size));
}

static void unload(struct plugin *plugin, const char *path)
{
    EXPECT(dlclose(plugin->handle) == 0);
    EXPECT(dlopen(path, RTLD_NOW | RTLD_NOLOAD) == NULL);
}

static void fact_plugin(const struct plugin *plugin)
{
    char name[64];
    snprintf(name, sizeof name, "%s_line", plugin->function);
    fact_number(name, (unsigned)plugin->line);
    snprintf(name, sizeof name, "%s_allocations", plugin->function);
    fact_number(name, (unsigned)plugin->blocks);
    snprintf(name, sizeof name, "%s_blocks", plugin->function);
    fact_number(name, (unsigned)plugin->blocks);
    snprintf(name, sizeof name, "%s_bytes", plugin->function);
    fact_number(name, plugin->bytes);
}

static void lose_in_program(void)
{
    LOSE(32, malloc(32));
}

int main(int argument_count, char **arguments)
{
    const char *which = option(argument_count, arguments, "case", "once");
    const char *red_path = option(argument_count, arguments, "red", "");
    const char *blue_path = option(argument_count, arguments, "blue", "");
    unsigned long long times = strcmp(which, "again") == 0 ? quantity(argument_count, arguments, "times", 200) : 1;
    int apart = strcmp(which, "namespace") == 0;
    int flags = RTLD_NOW | (strcmp(which, "deep") == 0 ? RTLD_DEEPBIND : 0);
    struct plugin red = { 0 }, blue = { 0 };
    for (unsigned long long i = 0; i < times; i++) {
        find(&red, apart ? dlmopen(LM_ID_NEWLM, red_path, RTLD_NOW) : dlopen(red_path, flags));
        use(&red, 3, 100);
        /* What a library lends, the program frees; not where they have a heap each. */
        if (!apart)
            free(red.lend(60));
        lose_in_program();
        if (strcmp(which, "kept") != 0)
            unload(&red, red_path);
        if (strcmp(which, "swapped") == 0) {
            find(&blue, dlopen(blue_path, flags));
            use(&blue, 4, 140);
            unload(&blue, blue_path);
        }
    }
    fact_plugin(&red);
    if (blue.blocks > 0)
        fact_plugin(&blue);
    fact_sites();
    tell("done");
    return 0;
}
