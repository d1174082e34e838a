/*
 * A process whose name and arguments hold what parsers and terminals stumble on: a space, a closing
 * parenthesis, a newline, an escape sequence, a byte that is not UTF-8. It does not listen to SIGTERM,
 * SIGINT and SIGHUP either.
 */
#include "truth.h"

#include <signal.h>
#include <sys/prctl.h>

static char name[] = "d) R\n\x1b[31m\xff";
static char *words[] = { "deaf) \x1b[31mred", "two\nlines", "\xff\xfe", "", "last one", NULL };

int main(int count, char **arguments)
{
    if (getenv("DEAF_RENAMED") == NULL) {
        (void)arguments;
        setenv("DEAF_RENAMED", "1", 1);
        execv("/proc/self/exe", words);
        give_up("execv");
    }
    if (prctl(PR_SET_NAME, name) != 0)
        give_up("prctl");
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);

    fact_bytes("comm", name, sizeof name - 1);
    fact_number("arguments", (unsigned)count);
    for (int i = 0; i < count; i++) {
        char key[16];
        snprintf(key, sizeof key, "argument%d", i);
        fact_bytes(key, words[i], strlen(words[i]));
    }
    tell("ready");
    dwell();
    return 0;
}
