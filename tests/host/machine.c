/*
 * machine.c - a whole kernel on the host (see machine.h)
 */
#include "machine.h"

#include <common/fpage.h>
#include <stdarg.h>
#include <stdio.h>

#include "devices.h"
#include "kip.h"
#include "irq.h"
#include "klog.h"
#include "walk.h"
#include "x86/pic.h"

uint8_t fpu_initial[512], host_fpu[512];
bool host_fpu_on;
uint64_t machine_free_at_start;
unsigned machine_reports;

enum { TRAP_PF = 14 };

static l4_kernel_info_t kip_page;
l4_kernel_info_t *const kip = &kip_page;
static uint64_t tss_rsp0;

/* ---- what the kernel calls and the host does not have ---- */

void klog(const char *fmt, ...)
{
    va_list args;

    machine_reports += fmt[0] == 'f'; /* "fault: ..." */
    if (fmt[0] != 'c')
        return; /* "check: ..." */
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
}

void klog_write(const char *s, size_t n)
{
    (void)s;
    (void)n;
}

void panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    abort();
}

void machine_off(unsigned status)
{
    exit((int)status);
}

int serial_get(void)
{
    return -1;
}

void cpu_show_ports(const uint8_t *bitmap)
{
    (void)bitmap;
}

void pic_mask(unsigned line, bool mask)
{
    (void)line;
    (void)mask;
}

bool pic_ack(unsigned line)
{
    return line != PIC_CASCADE;
}

bool pic_level(unsigned line)
{
    (void)line;
    return false;
}

bool pic_set_level(unsigned line, bool level)
{
    (void)line;
    (void)level;
    return true;
}

void boot_thread_stopped(const struct thread *t)
{
    (void)t;
}

/* ---- boot ---- */

static void reset_object(struct object *o, enum object_type type)
{
    *o = (struct object){0};
    object_init(o, type, NULL);
}

void machine_boot(uint64_t bytes, unsigned thread_flags)
{
    uint64_t total, low;

    cpu0 = (struct cpu){.self = &cpu0, .tss_rsp0 = &tss_rsp0, .features = CPU_1G};
    memset(fpu_initial, 0x11, sizeof(fpu_initial));
    memcpy(host_fpu, fpu_initial, sizeof(host_fpu));
    host_fpu_on = false;
    host_window = NULL;
    host_pte_watch = NULL;
    host_flush_watch = NULL;
    machine_reports = 0;
    thread_initial_flags = (uint8_t)thread_flags;
    kmem_init(host_pool, bytes);
    mapdb_init();
    walk_init();
    ptab_init();
    idle_thread = (struct thread){0};
    ticks_now = 0;
    sched_init();
    mmu_load_kernel();
    kmem_stats(&total, &machine_free_at_start, &low);
    root_factory = (struct factory){0};
    object_init(&root_factory.obj, OBJ_FACTORY, NULL);
    root_factory.quota.limit = machine_free_at_start;
    root_factory.users = 1; /* never goes */
    reset_object(&log_object, OBJ_LOG);
    reset_object(&scheduler_object, OBJ_SCHEDULER);
    reset_object(&debugger_object, OBJ_DEBUGGER);
    reset_object(&icu_object, OBJ_ICU);
    slab_init(&thread_slab, "thread", sizeof(struct thread));
    slab_init(&gate_slab, "gate", sizeof(struct gate));
    slab_init(&irq_slab, "irq", sizeof(struct irq));
    slab_init(&factory_slab, "factory", sizeof(struct factory));
    task_init();
}

struct task *machine_task(struct object *factory)
{
    int err;
    struct task *t = task_create(
        factory, fpage_mem(MACHINE_UTCB, MACHINE_UTCB_ORDER, L4_FPAGE_RW), &err);

    return t;
}

struct factory *machine_factory(struct object *parent, uint64_t limit)
{
    struct quota *q = object_quota(parent);
    struct factory *f = slab_alloc(&factory_slab, q);

    if (!f || !quota_take(q, limit))
        abort();
    object_init(&f->obj, OBJ_FACTORY, parent);
    f->quota = (struct quota){.limit = limit, .parent = q};
    return f;
}

struct thread *machine_thread(struct object *factory, struct task *t, unsigned utcb,
                              unsigned priority)
{
    struct thread *th = thread_create(factory);

    if (!th || thread_bind(th, t, MACHINE_UTCB + utcb * sizeof(l4_utcb_t)) != 0)
        abort();
    thread_set_ip(th, 0x400000);
    th->priority = (uint8_t)priority;
    th->flags |= THREAD_HAS_IP | THREAD_STARTED;
    thread_try_start(th);
    return th;
}

void machine_destroy(struct object *o)
{
    if (!o->dying)
        object_die(o);
    while (!object_reap_all())
        cpu0.resched = false;
}

void machine_pass(struct task *from, uint64_t src, struct task *to, uint64_t dst, unsigned rights)
{
    struct map_request r;

    map_request_init(&r, from, to, dst << L4_CAP_SHIFT,
                     fpage_make(L4_FPAGE_OBJ, src << L4_CAP_SHIFT, 0, rights).raw, 0,
                     L4_WHOLE_ADDRESS_SPACE);
    if (map_run(&r) != 0 || !r.mapped)
        abort();
}

/* ---- user mode ---- */

struct thread *user_call(struct thread *t, uint64_t label, uint64_t cap_op, l4_msgtag_t tag,
                         uint32_t timeouts)
{
    struct thread *next;

    if (t != cpu0.current)
        abort();
    t->regs.vector = VECTOR_SYSCALL;
    t->regs.rdx = cap_op;
    t->regs.r8 = timeouts;
    next = syscall(t, label, cap_op, (uint64_t)tag.raw | L4_SYSCALL_MARK, timeouts);
    return next ? next : t; /* NULL: nobody else, and nothing to load */
}

struct thread *user_trap(struct thread *t, unsigned vector, uint64_t address, uint64_t err)
{
    struct thread *next = NULL;

    t->regs.vector = vector;
    t->regs.err = err;
    if (vector == TRAP_PF)
        next = fault_page(t, address, err);
    else
        fault_exception(t);
    return next ? next : sched_next(cpu0.current);
}

struct thread *user_tick(struct thread *t)
{
    t->regs.vector = VECTOR_TIMER;
    sched_tick();
    return sched_next(cpu0.current);
}

void user_item(struct thread *t, unsigned mr, uint64_t slot, unsigned rights)
{
    t->utcb->msg.mr[mr] = L4_ITEM_MAP;
    t->utcb->msg.mr[mr + 1] = fpage_make(L4_FPAGE_OBJ, slot << L4_CAP_SHIFT, 0, rights).raw;
}

long user_invoke(struct thread *t, uint64_t slot, long label, unsigned words, unsigned items)
{
    struct thread *next = user_call(t, 0, slot << L4_CAP_SHIFT | L4_SYSF_CALL,
                                    msgtag(label, words, items, 0), 0);

    if (next != t)
        abort();
    if (t->regs.rax & L4_MSGTAG_ERROR)
        return -(L4_EIPC_LO + (long)t->utcb->tcr.error);
    return (long)t->regs.rax >> L4_MSGTAG_LABEL_SHIFT;
}
