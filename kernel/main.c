/*
 * main.c - the kernel's table of contents
 */
#include <abi/env.h>

#include "boot/bootinfo.h"
#include "devices.h"
#include "factory.h"
#include "gate.h"
#include "io.h"
#include "irq.h"
#include "kassert.h"
#include "kip.h"
#include "klog.h"
#include "limits.h"
#include "map.h"
#include "san.h"
#include "sched.h"
#include "task.h"

enum { SIGMA0_LABEL = 0x10, SIGMA0_PRIORITY = 255, ROOT_PRIORITY = 254 };

void kernel_main(uint32_t magic, uint64_t info) __attribute__((noreturn));
void return_to_user_first(struct thread *t) __attribute__((noreturn));

static struct thread *sigma0_thread, *root_thread;

static void enter(struct task *t, l4_cap_idx_t cap, struct object *o)
{
    if (cap_enter_root(t, cap >> L4_CAP_SHIFT, o, L4_CAP_FPAGE_RWSD) != 0)
        panic("no kernel memory for the first tasks");
}

/* A second capability for an object that sigma0 has: a child of sigma0's. */
static void pass(struct task *from, struct task *to, l4_cap_idx_t cap)
{
    struct map_request r;

    map_request_init(&r, from, to, cap, cap | L4_FPAGE_OBJ << L4_FPAGE_TYPE_SHIFT | CAP_RIGHTS, 0,
                     L4_WHOLE_ADDRESS_SPACE);
    if (map_run(&r) != 0 || !r.mapped)
        panic("no kernel memory for the first tasks");
}

/* One of the first two tasks: sigma0 or the root task, with its only thread. */
static struct thread *first_task(uint64_t ip, unsigned priority)
{
    l4_fpage_t area = {QUIRE_FIRST_UTCB_ADDR | QUIRE_UTCB_ORDER << L4_FPAGE_SIZE_SHIFT |
                       L4_FPAGE_MEMORY << L4_FPAGE_TYPE_SHIFT | L4_FPAGE_RW};
    int err;
    struct task *task = task_create(&root_factory.obj, area, &err);
    struct thread *t = thread_create(&root_factory.obj);

    if (!task || !t || thread_bind(t, task, QUIRE_FIRST_UTCB_ADDR) != 0)
        panic("no kernel memory for the first tasks");
    enter(task, L4_BASE_TASK_CAP, &task->obj);
    enter(task, L4_BASE_THREAD_CAP, &t->obj);
    thread_set_ip(t, ip);
    t->regs.rdi = kip_phys();
    t->priority = (uint8_t)priority;
    t->flags |= THREAD_HAS_IP | THREAD_STARTED;
    thread_try_start(t);
    return t;
}

/* All of physical memory but the kernel's goes to sigma0, one to one. */
static void give_memory(struct task *sigma0, const struct bootinfo *b)
{
    uint64_t at = 0, device_end = 1UL << 32;
    int err = map_roots(sigma0, kip_phys(), kip_phys() + 4096, L4_FPAGE_R, true);

    for (unsigned i = 0; i < b->range_count && !err; i++) {
        const struct boot_range *r = &b->ranges[i];
        bool device = r->type == l4_mem_type_shared;

        if (at < r->start && at < device_end)
            err = map_roots(sigma0, at, r->start < device_end ? r->start : device_end, L4_FPAGE_RW,
                            false);
        if (!err && r->type != l4_mem_type_reserved)
            err = map_roots(sigma0, r->start, r->end, device ? L4_FPAGE_RW : L4_FPAGE_RWX, !device);
        at = r->end;
    }
    if (!err && at < device_end)
        err = map_roots(sigma0, at, device_end, L4_FPAGE_RW, false);
    if (err)
        panic("no kernel memory to give sigma0 its memory (option kmem=)");
}

static void start_sigma0(uint64_t ip)
{
    struct gate *g;
    struct task *task;

    sigma0_thread = first_task(ip, SIGMA0_PRIORITY);
    task = sigma0_thread->task;
    g = gate_create(&root_factory.obj, SIGMA0_LABEL, sigma0_thread);
    if (!g)
        panic("no kernel memory for sigma0's gate");
    enter(task, L4_BASE_PAGER_CAP, &g->obj);
    enter(task, L4_BASE_FACTORY_CAP, &root_factory.obj);
    enter(task, L4_BASE_LOG_CAP, &log_object);
    enter(task, L4_BASE_ICU_CAP, &icu_object);
    enter(task, L4_BASE_SCHEDULER_CAP, &scheduler_object);
    enter(task, L4_BASE_DEBUGGER_CAP, &debugger_object);
    give_memory(task, &bootinfo);
    if (io_roots(task) != 0)
        panic("no kernel memory to give sigma0 the I/O ports");
}

static void start_root(uint64_t ip)
{
    static const l4_cap_idx_t shared[] = {L4_BASE_PAGER_CAP, L4_BASE_FACTORY_CAP, L4_BASE_LOG_CAP,
                                          L4_BASE_ICU_CAP, L4_BASE_SCHEDULER_CAP,
                                          L4_BASE_DEBUGGER_CAP};

    root_thread = first_task(ip, ROOT_PRIORITY);
    for (unsigned i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
        pass(sigma0_thread->task, root_thread->task, shared[i]);
    root_thread->pager = L4_BASE_PAGER_CAP;
}

void boot_thread_stopped(const struct thread *t)
{
    if (t != sigma0_thread && t != root_thread)
        return;
    klog("backtrace %s: 0x%lx\n", t == root_thread ? "roottask" : "sigma0", t->regs.rip);
    panic("%s stopped", t == root_thread ? "the root task" : "sigma0");
}

static void objects_init(void)
{
    uint64_t total, free, low;

    kmem_stats(&total, &free, &low);
    object_init(&root_factory.obj, OBJ_FACTORY, NULL);
    root_factory.quota.limit = free;
    root_factory.users = 1; /* it never goes */
    object_init(&log_object, OBJ_LOG, NULL);
    object_init(&scheduler_object, OBJ_SCHEDULER, NULL);
    object_init(&debugger_object, OBJ_DEBUGGER, NULL);
    object_init(&icu_object, OBJ_ICU, NULL);
    slab_init(&thread_slab, "thread", sizeof(struct thread));
    slab_init(&gate_slab, "gate", sizeof(struct gate));
    slab_init(&irq_slab, "irq", sizeof(struct irq));
    slab_init(&factory_slab, "factory", sizeof(struct factory));
    task_init();
}

/* Called by boot.S on the boot stack, memory below 4 GiB one to one. */
void kernel_main(uint32_t magic, uint64_t info)
{
    uint64_t tsc = rdtsc(), sigma0_ip, root_ip;

    serial_init();
    cpu_init();
    multiboot_parse(magic, info, &bootinfo);
    plan_memory(&bootinfo);
    plan_modules(&bootinfo);
    san_options(bootinfo.cmdline);
    if (boot_flag(bootinfo.cmdline, "nofast"))
        thread_initial_flags = THREAD_SLOW;
    if (bootinfo.module_count < 2)
        panic("boot modules are missing: the first is sigma0, the second the root task");
    sigma0_ip = image_place(&bootinfo, 0, QUIRE_SIGMA0_PHYS, QUIRE_ROOT_PHYS);
    root_ip = image_place(&bootinfo, 1, QUIRE_ROOT_PHYS, QUIRE_IMAGE_END);
    mmu_init(bootinfo.pool_start, bootinfo.pool_size);
    san_start(bootinfo.pool_start + bootinfo.pool_size, bootinfo.pool_size);
    kmem_init((void *)POOL_BASE, bootinfo.pool_size);
    mapdb_init();
    ptab_init();
    sched_init();
    objects_init();
    kip_init(&bootinfo);
    timer_init();
    kip->frequency_cpu = timer_tsc_khz();
    kip->tsc_boot = tsc;
    klog("Quire: %lu MiB of kernel memory, %u memory ranges, %u modules\n",
         bootinfo.pool_size >> 20, bootinfo.range_count, bootinfo.module_count);
    start_sigma0(sigma0_ip);
    start_root(root_ip);
    san_commit();
    kip->sigma0_ip = sigma0_ip;
    kip->root_ip = root_ip;
    kip->tsc_user = rdtsc();
    return_to_user_first(sched_next(&idle_thread));
}
