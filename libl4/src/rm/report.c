/*
 * report.c - an exception that nobody handles: say what happened, then have the task stopped
 *
 *   fault: task sort thread main: write of 0x0 at ip 0x401234: no region there
 *   backtrace sort: 0x401234 0x401300 0x400010
 *   region 0x000000400000-0x000000401fff flags 0x005 ds 0x10000 offset 0x1000 sort.elf text
 *   ...
 *
 * The thread gets no answer and stays where it is; the root task ends the task when it hears of it.
 */
#include "rm.h"

#include <l4/sys/utcb.h>
#include <l4/sys/vcon.h>

#include <stdarg.h>
#include <stdio.h>

enum { ERROR_CODE_WRITE = 2, ERROR_CODE_FETCH = 16 };

static const char *const trap_names[] = {
    [0] = "divide error",
    [1] = "debug exception",
    [2] = "non-maskable interrupt",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range exceeded",
    [6] = "invalid opcode",
    [7] = "device not available",
    [8] = "double fault",
    [10] = "invalid task state segment",
    [11] = "segment not present",
    [12] = "stack-segment fault",
    [13] = "general protection fault",
    [14] = "page fault",
    [16] = "x87 floating-point error",
    [17] = "alignment check",
    [18] = "machine check",
    [19] = "SIMD floating-point exception",
    [20] = "virtualization exception",
    [21] = "control protection exception",
    [255] = "triggered exception",
};

static const char *trap_name(l4_umword_t trap)
{
    const char *name = NULL;

    if (trap < sizeof(trap_names) / sizeof(trap_names[0]))
        name = trap_names[trap];
    return name ? name : "exception";
}

static const char *error_name(long error)
{
    switch (-error) {
#define X(name, number, text)                                                                     \
    case number:                                                                                  \
        return text;
        L4_ERRORS(X)
#undef X
    case L4_EIPC_LO + L4_IPC_ENOT_EXISTENT:
    case L4_EIPC_LO + L4_IPC_ENOT_EXISTENT + 1: /* it died while we waited */
        return "it does not exist any more";
    case L4_EIPC_LO ... L4_EIPC_LO + L4_IPC_RETIMEOUT:
    case L4_EIPC_LO + L4_IPC_ENOT_EXISTENT + 2 ... L4_EIPC_HI:
        return "it does not answer";
    default:
        return "unknown error";
    }
}

/* A line is built here, then sent in one message. */
void rm_log(const char *format, ...)
{
    char line[L4_VCON_WRITE_SIZE];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    if (n < 0)
        return;
    if (n > (int)sizeof(line) - 2)
        n = (int)sizeof(line) - 2;
    line[n++] = '\n';
    l4_vcon_write(rm_env()->env.log, line, (unsigned)n);
}

/* ---------------------------------------------------------------- who and why */

/* Threads have no names; each has its UTCB, which gs points to. */
static void thread_name(const l4_exc_regs_t *regs, char *name, unsigned size)
{
    l4_umword_t at = regs->gs_base - QUIRE_UTCB_ADDR;
    l4_umword_t number = at / L4_UTCB_OFFSET;

    if (at >= 1UL << QUIRE_UTCB_ORDER)
        snprintf(name, size, "?");
    else if (number == 1)
        snprintf(name, size, "main");
    else
        snprintf(name, size, "%lu", number);
}

static const char *access_name(l4_umword_t error_code)
{
    if (error_code & ERROR_CODE_FETCH)
        return "fetch";
    return error_code & ERROR_CODE_WRITE ? "write" : "read";
}

/* Nothing is attached there; perhaps the place has a name all the same: the guard of a stack. */
static void no_region_reason(l4_addr_t addr, char *reason, unsigned size)
{
    const struct region *area, *r, *above;

    rm_lock();
    area = region_first_area(&rm_map, addr, addr + 1);
    r = region_find(&rm_map, addr);
    above = r ? region_find(&rm_map, r->end) : NULL;
    if (area && area->name)
        snprintf(reason, size, "no region there (%.23s)", area->name);
    else if (above && (above->flags & L4RE_RM_F_W))
        snprintf(reason, size, "no region there (guard below the region [0x%lx, 0x%lx))",
                 above->start, above->end);
    else if (r)
        snprintf(reason, size, "no region there (reserved from 0x%lx to 0x%lx)", r->start,
                 r->end - 1);
    else
        snprintf(reason, size, "no region there");
    rm_unlock();
}

/* The fault has been served, in vain: its record knows why. */
static void fault_reason(const l4_exc_regs_t *regs, char *reason, unsigned size)
{
    const struct rm_fault *f = rm_fault_newest(regs->pfa);
    long error = f && f->ip == regs->ip ? f->error : 0;

    if (error == -L4_ENOMEM && !f->end)
        no_region_reason(f->addr, reason, size);
    else if (error == -L4_EACCESS)
        snprintf(reason, size, "the region [0x%lx, 0x%lx) does not allow it", f->start, f->end);
    else if (error)
        snprintf(reason, size, "the dataspace of the region [0x%lx, 0x%lx) says: %s (%ld)",
                 f->start, f->end, error_name(error), error);
    else
        snprintf(reason, size, "the pager could not be asked");
}

static void report_what(const l4_exc_regs_t *regs)
{
    const char *task = rm_env()->task_name;
    char thread[24], reason[160];

    thread_name(regs, thread, sizeof(thread));
    if (regs->trapno == TRAP_PAGE_FAULT) {
        fault_reason(regs, reason, sizeof(reason));
        rm_log("fault: task %.31s thread %s: %s of 0x%lx at ip 0x%lx: %s", task, thread,
               access_name(regs->err), regs->pfa, regs->ip, reason);
        return;
    }
    if (regs->trapno == TRAP_FOREIGN_CALL)
        rm_log("fault: task %.31s thread %s: foreign system call %lu at ip 0x%lx: nobody gives it "
               "a meaning", task, thread, regs->rax, regs->ip);
    else
        rm_log("fault: task %.31s thread %s: %s at ip 0x%lx: trap %lu, error code 0x%lx", task,
               thread, trap_name(regs->trapno), regs->ip, regs->trapno, regs->err);
}

/* ---------------------------------------------------------------- backtrace */

/* Read a word of the program, if its page can be had (M1). */
static bool read_word(struct rm_worker *w, l4_addr_t addr, l4_umword_t *out)
{
    if (addr % sizeof(*out) || rm_map_page(w, addr, L4_INVALID_CAP, L4RE_DS_F_R, NULL))
        return false;
    *out = *(const volatile l4_umword_t *)addr;
    return true;
}

/* Symbols are looked up by the name of the image: "sort.elf text" is of "sort". A region that does
 * not name a file belongs to the task's own image. */
static int image_name(l4_addr_t ip, const char **name)
{
    const struct region *r;
    const char *text;

    rm_lock();
    r = region_find(&rm_map, ip);
    text = r && r->name ? r->name : ""; /* names are never given back */
    rm_unlock();
    for (int n = 0; text[n]; n++) {
        if (text[n] == '.' && text[n + 1] == 'e' && text[n + 2] == 'l' && text[n + 3] == 'f') {
            *name = text;
            return n;
        }
    }
    *name = rm_env()->task_name;
    return 31;
}

static bool in_text(l4_addr_t ip)
{
    const struct region *r;
    bool text;

    rm_lock();
    r = region_find(&rm_map, ip);
    text = r && (r->flags & L4RE_RM_F_X);
    rm_unlock();
    return text;
}

/* The innermost place is where it happened, even if there is nothing; then who called it: after a
 * call of nothing that is only on top of the stack. Each frame: [rbp] the caller's rbp, [rbp + 8]
 * the return address; callers lie higher. */
static void report_backtrace(struct rm_worker *w, const l4_exc_regs_t *regs)
{
    char line[20 * (RM_BACKTRACE_MAX + 2)];
    l4_umword_t frame = regs->rbp, next, ip = regs->ip, caller;
    int n = snprintf(line, sizeof(line), " 0x%lx", ip);
    const char *name;
    int width;

    if (!in_text(ip) && read_word(w, regs->sp, &caller) && in_text(caller)) {
        ip = caller;
        n += snprintf(line + n, sizeof(line) - (unsigned)n, " 0x%lx", ip);
    }
    for (unsigned i = 1; i < RM_BACKTRACE_MAX && frame; i++) {
        if (!read_word(w, frame, &next) || !read_word(w, frame + sizeof(caller), &caller) ||
            !in_text(caller))
            break;
        if (!in_text(ip))
            ip = caller;
        n += snprintf(line + n, sizeof(line) - (unsigned)n, " 0x%lx", caller);
        frame = next > frame ? next : 0;
    }
    width = image_name(ip, &name);
    rm_log("backtrace %.*s:%s", width, name, line);
}

/* ---------------------------------------------------------------- regions */

static void show(const char *what, const struct region *r)
{
    rm_log("  %s 0x%012lx-0x%012lx flags 0x%03lx ds 0x%lx offset 0x%lx %.23s", what, r->start,
           r->end - 1, r->flags, r->ds, r->offset, r->name ? r->name : "");
}

/* As many regions as stand around the address, or all. */
static void report_regions(l4_addr_t addr)
{
    const struct region *r = region_first(&rm_map, 0, L4_USER_END);
    unsigned before = 0;

    for (const struct region *b = r; b && b->end <= addr;
         b = region_first(&rm_map, b->end, L4_USER_END))
        before++;
    rm_log("regions of task %.31s: %u", rm_env()->task_name, rm_map.regions);
    for (unsigned n = 0; r && n < before + RM_REPORT_REGIONS / 2;
         n++, r = region_first(&rm_map, r->end, L4_USER_END))
        if (n + RM_REPORT_REGIONS / 2 >= before)
            show("region", r);
}

void rm_show_lists(void)
{
    const struct region *r;

    rm_log("region manager of task %.31s: %u regions, %u areas", rm_env()->task_name,
           rm_map.regions, rm_map.areas);
    for (r = region_first(&rm_map, 0, L4_USER_END); r;
         r = region_first(&rm_map, r->end, L4_USER_END))
        show("region", r);
    for (r = region_first_area(&rm_map, 0, L4_USER_END); r;
         r = region_first_area(&rm_map, r->end, L4_USER_END))
        show("area  ", r);
}

/* ---------------------------------------------------------------- the message */

static void tell_parent(l4_utcb_t *utcb, const l4_exc_regs_t *regs)
{
    utcb->msg.mr[0] = L4RE_PARENT_SIGNAL_OP;
    utcb->msg.mr[1] = L4RE_SIG_FAULT;
    utcb->msg.mr[2] = 0;
    utcb->msg.mr[3] = regs->trapno;
    utcb->msg.mr[4] = regs->trapno == TRAP_PAGE_FAULT ? regs->pfa : regs->ip;
    utcb->msg.mr[5] = regs->ip;
    l4_ipc_send(QUIRE_PARENT_CAP, utcb, l4_msgtag(L4RE_PROTO_PARENT, 6, 0, 0), L4_IPC_NEVER);
}

void rm_exception_report(struct rm_worker *w)
{
    l4_exc_regs_t regs = *l4_utcb_exc_u(w->utcb);

    report_what(&regs);
    report_backtrace(w, &regs);
    rm_lock();
    report_regions(regs.trapno == TRAP_PAGE_FAULT ? regs.pfa : regs.ip);
    rm_unlock();
    tell_parent(w->utcb, &regs);
}
