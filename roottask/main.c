/*
 * roottask/main.c - the root task: read the script, load everything, then keep order
 *
 *   boot thread    script -> managers (started one by one) -> programs (loaded, then started)
 *                  -> gives back what ended tasks leave behind
 *   supervisor     hears of exits and faults; powers off when the main program has ended
 *
 * Every event is one line on the log that begins with "roottask:".
 */
#include "root.h"

#include <abi/errors.h>
#include <l4/re/env.h>
#include <l4/sys/debugger.h>
#include <l4/sys/err.h>
#include <l4/sys/ipc.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    STATUS_MAX = 100,         /* the host sees 0x10 + status in seven bits */
    REAP_PERIOD_US = 1000000, /* in case the supervisor's wake-up found us busy */
    LINE_SIZE = 256,
};

static const char script_name[] = "boot.cfg";
static struct script script;
bool interactive;

/* ---- messages ---- */

static void vsay(const char *prefix, const char *format, va_list args)
{
    char line[LINE_SIZE];
    int n = snprintf(line, sizeof(line), "%s", prefix);

    vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, args);
    printf("%s\n", line);
}

void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsay("", format, args);
    va_end(args);
}

static void __attribute__((noreturn)) shut_down(unsigned status)
{
    l4_dbg_shutdown(L4_BASE_DEBUGGER_CAP, status);
    for (;;)
        l4_ipc_sleep(L4_IPC_NEVER);
}

void power_off(int status)
{
    say("roottask: shutdown with status %d", status);
    shut_down(status < 0 || status > STATUS_MAX ? STATUS_MAX : (unsigned)status);
}

void fatal(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsay("roottask: ", format, args);
    va_end(args);
    shut_down(1);
}

void fatal_at(unsigned line, const char *format, ...)
{
    char prefix[64];
    va_list args;

    snprintf(prefix, sizeof(prefix), "roottask: %s:%u: ", script_name, line);
    va_start(args, format);
    vsay(prefix, format, args);
    va_end(args);
    shut_down(1);
}

/* ---- start ---- */

/* Is `option` one of the blank-separated words? */
static bool has_option(const char *words, const char *option)
{
    size_t n = strlen(option);

    for (const char *at = words; (at = strstr(at, option)) != NULL; at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == 0 || at[n] == ' '))
            return true;
    return false;
}

static void read_script(void)
{
    struct script_error error;
    struct module m;

    if (!modules_find(script_name, &m))
        fatal("there is no boot module %s", script_name);
    if (script_parse((const char *)m.start, m.size, &script, &error) == 0)
        return;
    if (error.line)
        fatal_at(error.line, "%s", error.text);
    fatal("%s: %s", script_name, error.text);
}

/* Arguments in the script come first; without any, the module's own count. */
static void module_args(struct script_task *s)
{
    struct module m;

    if (s->kind == SCRIPT_PROGRAM && !s->has_args && modules_find(s->file, &m) &&
        script_add_args(s, m.args) < 0)
        fatal_at(s->line, "%s: the arguments of module %s are too long", s->name, s->file);
}

static void load_all(l4_cap_idx_t supervisor)
{
    for (unsigned i = 0; i < script.count; i++) {
        tasks[i].script = &script.tasks[i];
        module_args(&script.tasks[i]);
        if (script.tasks[i].kind == SCRIPT_MANAGER)
            load_manager(&tasks[i], supervisor);
        else if (!script.tasks[i].later)
            load_program(&tasks[i], supervisor);
    }
}

/* Nothing runs before everything is loaded, so a mistake in the last line stops the first too. */
static void start_programs(void)
{
    for (unsigned i = 0; i < script.count; i++) {
        long err;

        if (script.tasks[i].kind != SCRIPT_PROGRAM || script.tasks[i].later)
            continue;
        err = task_start(&tasks[i]);
        if (err < 0)
            fatal_at(script.tasks[i].line, "%s: cannot start: %s (%ld)", script.tasks[i].name,
                     l4sys_errtostr(err), err);
        say("roottask: %s started", script.tasks[i].name);
    }
}

static void reap(void)
{
    for (unsigned i = 0; i < script.count; i++)
        if (task_state(&tasks[i]) == TASK_DEAD && !task_restarts(&tasks[i]))
            task_release(&tasks[i]);
}

/* The supervisor wakes us when somebody has ended; holders of the starter's gate ask for starts. */
static void __attribute__((noreturn)) serve(void)
{
    l4_timeout_t period = l4_timeout(l4_timeout_from_us(0), l4_timeout_from_us(REAP_PERIOD_US));
    l4_utcb_t *u = l4_utcb();
    l4_umword_t from;
    l4_msgtag_t tag;
    unsigned words = 0;
    long label = 0;
    bool answer = false;

    for (;;) {
        reap();
        u->buf.bdr = 0;
        u->buf.br[0] = 0;
        tag = answer ? l4_ipc_reply_and_wait(u, l4_msgtag(label, words, 0, 0), &from, period)
                     : l4_ipc_wait(u, &from, period);
        answer = !l4_msgtag_has_error(tag) && starter_label(from);
        if (answer)
            label = starter_request(tag, &words);
    }
}

/* All our pages, while there is kernel memory to map them with: later there may be none. */
static void touch_image(void)
{
    extern const char __executable_start[], _end[];

    for (const volatile char *p = __executable_start; p < _end; p += L4_PAGESIZE)
        *p;
}

int main(void)
{
    l4_cap_idx_t supervisor;

    touch_image();
    modules_init(l4re_kip());
    interactive = has_option(modules_cmdline(), "interactive");
    read_script();
    supervisor = super_start();
    starter_create(supervisor);
    keeper_start(supervisor);
    load_all(supervisor);
    start_programs();
    serve();
}
