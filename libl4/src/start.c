/*
 * start.c - from the first instruction to the C library's start
 *
 * S1  l4re_global_env and l4_global_kip are valid before any other code runs.
 * S2  The C library is what the program is linked with: it calls main() (program.h).
 */
#include <abi/env.h>
#include <abi/utcb.h>

#include <string.h>

#include <l4/re/env.h>
#include <l4/sys/kip.h>

#include "program.h"

void l4_start(l4_kernel_info_t const *kip) __attribute__((noreturn));

enum { ARGS_MAX = 64 };

l4re_env_t *l4re_global_env;
l4_kernel_info_t const *l4_global_kip;

static l4re_env_t env; /* a copy: programs take UTCBs by advancing first_free_utcb in it */
static char args[QUIRE_ENV_ARGS_SIZE];
static char *argv_table[ARGS_MAX + 1];

/* What the kernel gives sigma0, the root task and whatever replaces it. */
static l4re_env_cap_entry_t bare_caps[] = {
    {L4_BASE_PAGER_CAP, 0, "sigma0"},
    {L4_BASE_ICU_CAP, 0, "icu"},
    {L4_BASE_DEBUGGER_CAP, 0, "debugger"},
    {L4_INVALID_CAP, ~0UL, ""},
};

static l4re_env_t bare_env = {
    .parent = L4_INVALID_CAP,
    .rm = L4_INVALID_CAP,
    .mem_alloc = L4_INVALID_CAP,
    .log = L4_BASE_LOG_CAP,
    .main_thread = L4_BASE_THREAD_CAP,
    .factory = L4_BASE_FACTORY_CAP,
    .scheduler = L4_BASE_SCHEDULER_CAP,
    .itas = L4_INVALID_CAP,
    .dbg_events = L4_INVALID_CAP,
    .first_free_cap = QUIRE_FIRST_NAMED_CAP >> L4_CAP_SHIFT,
    .utcb_area = {QUIRE_FIRST_UTCB_ADDR | QUIRE_UTCB_ORDER << L4_FPAGE_SIZE_SHIFT |
                  L4_FPAGE_MEMORY << L4_FPAGE_TYPE_SHIFT | L4_FPAGE_RW},
    .first_free_utcb = QUIRE_FIRST_UTCB_ADDR + L4_UTCB_OFFSET,
    .caps = bare_caps,
};

/* The strings are copied: argv belongs to the program, the page does not. */
static int arguments_read(const quire_env_page *page)
{
    char *end = args + sizeof(args) - 1;
    char *s = args;
    int argc = 0;

    memcpy(args, page->args, sizeof(args));
    while (argc < ARGS_MAX && (l4_umword_t)argc < page->argc && s < end) {
        argv_table[argc++] = s;
        s += strnlen(s, (size_t)(end - s)) + 1;
    }
    return argc;
}

void l4_start(l4_kernel_info_t const *kip)
{
    const quire_env_page *page = (const quire_env_page *)QUIRE_ENV_ADDR;
    int argc = 0;

    if (kip) {
        l4_global_kip = kip;
        l4re_global_env = &bare_env;
    } else {
        l4_global_kip = (l4_kernel_info_t const *)QUIRE_KIP_ADDR;
        env = page->env;
        l4re_global_env = &env;
        argc = arguments_read(page);
    }
    l4_program_start(argc, argv_table);
}
