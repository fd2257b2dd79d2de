/*
 * start.c - what the C library finds when it starts: arguments, environment, auxiliary vector
 *
 * The layout is the one that a Linux kernel leaves on the stack:
 *
 *     argc  argv[0] ... argv[argc-1]  NULL  environment ... NULL  (type, value) ... AT_NULL
 */
#include "linux.h"

#include <l4/re/c/rm.h>
#include <l4/re/env.h>
#include <l4/sys/consts.h>
#include <l4/sys/kdebug.h>
#include <l4/util/rdtsc.h>
#include <src/program.h>

#include <elf.h>
#include <stdlib.h>

enum { ARGS_MAX = 64, AUX_WORDS = 12, WORDS = 1 + ARGS_MAX + 1 + 1 + AUX_WORDS };
enum { NO_START_STATUS = 127 };

extern const char __executable_start[];
int main(int argc, char **argv);
int __libc_start_main(int (*main)(int, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*unused)(void));

/* For the C library's hash seeds and canaries: hard to guess for a program, no secret. */
static l4_umword_t random_words[2];

static l4_umword_t *auxiliary_put(l4_umword_t *w)
{
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)__executable_start;
    const l4_umword_t aux[AUX_WORDS] = {
        AT_PHDR, (l4_umword_t)elf + elf->e_phoff,
        AT_PHENT, elf->e_phentsize,
        AT_PHNUM, elf->e_phnum,
        AT_PAGESZ, L4_PAGESIZE,
        AT_RANDOM, (l4_umword_t)random_words,
        AT_NULL, 0,
    };

    random_words[0] = l4_rdtsc() * 6364136223846793005UL;
    random_words[1] = random_words[0] * 6364136223846793005UL + 1442695040888963407UL;
    for (unsigned i = 0; i < AUX_WORDS; i++)
        *w++ = aux[i];
    return w;
}

/* Who tells us of the C library's system calls: the region manager, or a thread of our own. */
static long calls_start(void)
{
    if (l4_is_invalid_cap(l4re_env()->rm))
        return linux_bare_start();
    return l4re_rm_set_foreign((l4_addr_t)linux_entry, (l4_addr_t)linux_copy_at);
}

/* Arguments of the form NAME=value that stand before all others are the environment, as in sh. */
static bool is_variable(const char *word)
{
    const char *s = word;

    while ((*s >= 'A' && *s <= 'Z') || *s == '_' || (s > word && *s >= '0' && *s <= '9'))
        s++;
    return s > word && *s == '=';
}

void l4_program_start(int argc, char **argv)
{
    static l4_umword_t vector[WORDS];
    l4_umword_t *w = vector;
    int variables = 0;

    if (calls_start() < 0) {
        outstring("start: nobody serves the C library's system calls\n");
        l4_program_end(NO_START_STATUS);
    }
    while (1 + variables < argc && is_variable(argv[1 + variables]))
        variables++;
    *w++ = (l4_umword_t)(argc - variables);
    for (int i = 0; i < argc; i++)
        if (i == 0 || i > variables)
            *w++ = (l4_umword_t)argv[i];
    *w++ = 0; /* end of argv */
    for (int i = 1; i <= variables; i++)
        *w++ = (l4_umword_t)argv[i];
    *w++ = 0; /* end of the environment */
    auxiliary_put(w);
    __libc_start_main(main, argc - variables, (char **)&vector[1], NULL, NULL, NULL);
    __builtin_unreachable();
}
