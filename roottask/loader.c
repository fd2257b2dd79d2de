/*
 * roottask/loader.c - from a script record and a module to a task
 *
 *   manager   the whole image is mapped before it starts: nobody pages it
 *   program   only its region manager (rm.elf, heap, stack) and the environment page are mapped;
 *             the program itself is a list of regions that its region manager attaches:
 *
 *     text, constants    the program's file, by the rom manager, at the segment's file offset
 *     data and bss       a dataspace of the memory manager, filled from the file with copy_in
 *     stack              a dataspace, with a reserved page below
 *
 * L1  Every page that is mapped before the start is paid for by the task's account at sigma0.
 * L2  An error here is the user's: it names the line of the script, and the machine stops. Only a
 *     program that somebody starts later may fail alone: then nothing of it stays.
 */
#include "env.h"

#include <abi/errors.h>
#include <l4/re/env.h>
#include <l4/sys/err.h>

#include <stdarg.h>
#include <stdio.h>

/* Where a manager's image may lie: memory that sigma0, which maps one to one, gives nobody. */
#define MANAGER_LOW QUIRE_PROGRAM_ADDR
#define MANAGER_HIGH QUIRE_IMAGE_END

/* The region manager's part of every program. */
#define RM_IMAGE_END 0x71000000UL
#define RM_HEAP RM_IMAGE_END
enum { RM_HEAP_SIZE = 256 << 10, RM_STACK_SIZE = 32 << 10, REASON_SIZE = 192 };
static const char rm_file[] = "rm.elf";

/* Where managers with `modules` find struct l4mod_info. */
#define MODULES_ADDR (QUIRE_ENV_ADDR + 0x10000)

/* What is being built. */
struct build {
    struct task *task;
    const struct script_task *script;
    struct elf_image image;   /* the task's own file */
    struct elf_image rm;      /* programs */
    struct module rm_module;  /* programs */
    quire_env_page *env;      /* here; read-only in the task */
    unsigned own_ram;         /* slot of the account for what is mapped before the start */
    bool may_fail;            /* a manager's next life */
    void *unwind[5];          /* where to go on when it, or a program that starts later, fails */
};

/* One line with the reason; then the end of the machine, or of this attempt (L2). */
static void __attribute__((noreturn, format(printf, 2, 3)))
give_up(const struct build *b, const char *format, ...)
{
    char reason[REASON_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    if (!b->script->later && !b->may_fail)
        fatal_at(b->script->line, "%s: %s", b->script->name, reason);
    say("roottask: %s does not start: %s", b->script->name, reason);
    __builtin_longjmp((void **)b->unwind, 1);
}

static void check(const struct build *b, long err, const char *what)
{
    if (err < 0)
        give_up(b, "%s: %s (%ld)", what, l4sys_errtostr(err), err);
}

/* ---- files ---- */

static void file_check(const struct build *b, const struct module *m, l4_addr_t low,
                       l4_addr_t high, struct elf_image *image)
{
    const char *why;

    if (elf_check((const void *)m->start, m->size, low, high, image, &why) != 0)
        give_up(b, "%s %s", m->name, why);
}

static void file_find(const struct build *b, const char *name, struct module *m)
{
    if (!modules_find(name, m))
        give_up(b, "there is no boot module %s", name);
}

/* ---- memory that is mapped before the start ---- */

static l4_umword_t private_size(const struct elf_image *image)
{
    l4_umword_t size = 0;

    for (unsigned i = 0; i < image->count; i++)
        if (!elf_in_place(&image->segments[i]))
            size += elf_end_page(&image->segments[i]) - elf_first_page(&image->segments[i]);
    return size;
}

static long segment_map(const struct build *b, const struct elf_segment *s, const struct module *m)
{
    const struct task *t = b->task;
    l4_addr_t first = elf_first_page(s);
    l4_umword_t size = elf_end_page(s) - first;
    l4_cap_idx_t task = task_cap(t, SLOT_TASK);

    if (elf_in_place(s))
        return memory_map(task, m->start + (s->file_offset & L4_PAGEMASK), first, size, s->rights);
    return memory_give(task_cap(t, b->own_ram), task, first, size, s->rights, s->start - first,
                       (const void *)(m->start + s->file_offset), s->file_size);
}

static void image_map(const struct build *b, const struct elf_image *image, const struct module *m)
{
    for (unsigned i = 0; i < image->count; i++)
        check(b, segment_map(b, &image->segments[i], m), "cannot map the image");
}

static void env_make(struct build *b)
{
    l4_addr_t page;

    check(b, memory_alloc(task_cap(b->task, b->own_ram), L4_PAGESHIFT, &page),
          "no memory for the environment page");
    b->env = (quire_env_page *)page;
    env_start(b->env, b->task);
}

static void env_map(const struct build *b, const l4_kernel_info_t *kip)
{
    l4_cap_idx_t task = task_cap(b->task, SLOT_TASK);

    check(b, memory_map(task, (l4_addr_t)b->env, QUIRE_ENV_ADDR, L4_PAGESIZE, L4_FPAGE_RO),
          "cannot map the environment page");
    check(b, memory_map(task, (l4_addr_t)kip, QUIRE_KIP_ADDR, L4_PAGESIZE, L4_FPAGE_RO),
          "cannot map the kernel information page");
}

/* ---- quotas ---- */

static l4_umword_t share(l4_umword_t of, l4_umword_t percent)
{
    return (of / 100 * percent + of % 100 * percent / 100) & L4_PAGEMASK;
}

static l4_umword_t amount(const struct script_amount *a, l4_umword_t left)
{
    return a->percent ? share(left, a->value) : (a->value + L4_PAGESIZE - 1) & L4_PAGEMASK;
}

/* An account at sigma0 of `bytes`, or of a share of what we have left. */
static l4_umword_t ram_account(const struct build *b, const struct script_amount *a,
                               l4_umword_t extra, unsigned slot)
{
    l4_umword_t left = 0, bytes;

    check(b, memory_account_left(L4_BASE_PAGER_CAP, &left), "cannot ask sigma0 for our account");
    bytes = (a ? amount(a, left) : 0) + extra;
    if (bytes > left)
        give_up(b, "%lu KiB of memory wanted, %lu KiB are left", bytes >> 10, left >> 10);
    check(b, memory_account_create(L4_BASE_PAGER_CAP, bytes, task_cap(b->task, slot)),
          "sigma0 gives no account");
    return bytes;
}

static void mem_account(const struct build *b)
{
    struct task *manager = &tasks[b->script->mem];
    l4_umword_t left = manager->quota - manager->quota_given;
    l4_umword_t bytes = amount(&b->script->quota, left);

    if (bytes > left)
        give_up(b, "quota of %lu KiB, but manager %s has %lu KiB left", bytes >> 10,
                manager->script->name, left >> 10);
    check(b, service_account_create(task_cap(manager, SLOT_GATE), bytes,
                                    task_cap(b->task, SLOT_MEM)),
          "the memory manager gives no account");
    manager->quota_given += bytes;
    b->task->quota = bytes;
}

/* ---- capabilities ---- */

static l4_cap_idx_t cap_source(const struct task *t, const struct script_cap *cap)
{
    switch (cap->source) {
    case SCRIPT_CAP_SIGMA0:
        return task_cap(t, t->script->kind == SCRIPT_MANAGER ? SLOT_RAM : SLOT_OWN_RAM);
    case SCRIPT_CAP_DEBUGGER:
        return L4_BASE_DEBUGGER_CAP;
    case SCRIPT_CAP_ICU:
        return L4_BASE_ICU_CAP;
    case SCRIPT_CAP_STARTER:
        return STARTER_CAP;
    default:
        return task_cap(&tasks[cap->manager], SLOT_GATE);
    }
}

static void named_caps(const struct build *b)
{
    for (unsigned i = 0; i < b->script->cap_count; i++) {
        const struct script_cap *cap = &b->script->caps[i];
        l4_cap_idx_t to = env_named_cap(b->env, cap);

        check(b, task_give(b->task, cap_source(b->task, cap), to, L4_CAP_FPAGE_RWS), cap->name);
    }
}

/* A dataspace that we hold in `slot` becomes the program's; returns its index there. */
static l4_cap_idx_t dataspace_give(const struct build *b, unsigned slot, unsigned rights)
{
    l4_cap_idx_t to = env_free_cap(b->env);

    check(b, task_give(b->task, task_cap(b->task, slot), to, rights),
          "cannot hand out a dataspace");
    return to;
}

/* ---- regions of a program ---- */

/* "sort.elf text": reports name the program's file, and the host finds its symbols by it. */
static void segment_name(const struct build *b, unsigned rights, char *name, size_t size)
{
    const char *kind = rights & L4_FPAGE_X ? "text" : rights & L4_FPAGE_W ? "data" : "rodata";

    snprintf(name, size, "%s %s", b->task->module.name, kind);
}

static void region(const struct build *b, const char *name, l4_addr_t start, l4_umword_t size,
                   l4_umword_t flags, l4_cap_idx_t ds, l4_umword_t offset)
{
    check(b, env_region(b->env, name, start, size, flags, ds, offset), "too many regions");
}

/* Pages of the file itself, or a private dataspace with a copy. */
static void segment_region(const struct build *b, unsigned i, l4_cap_idx_t file)
{
    const struct elf_segment *s = &b->image.segments[i];
    l4_addr_t first = elf_first_page(s);
    l4_umword_t size = elf_end_page(s) - first;
    l4_cap_idx_t ds = task_cap(b->task, SLOT_DATA + i);
    char name[QUIRE_REGION_NAME_SIZE];

    segment_name(b, s->rights, name, sizeof(name));
    if (elf_in_place(s)) {
        region(b, name, first, size, s->rights, file, s->file_offset & L4_PAGEMASK);
        return;
    }
    check(b, service_dataspace_create(task_cap(b->task, SLOT_MEM), size, ds),
          "no dataspace for data");
    if (s->file_size)
        check(b, service_copy_in(ds, s->start - first, task_cap(b->task, SLOT_FILE),
                                 s->file_offset, s->file_size,
                                 task_cap(b->task, SLOT_STACK)), /* it has no stack yet */
              "cannot copy data from the file");
    region(b, name, first, size, s->rights,
           dataspace_give(b, SLOT_DATA + i, L4_CAP_FPAGE_RWS), 0);
}

static void stack_regions(const struct build *b)
{
    l4_addr_t bottom = QUIRE_STACK_TOP - QUIRE_STACK_SIZE;

    check(b, service_dataspace_create(task_cap(b->task, SLOT_MEM), QUIRE_STACK_SIZE,
                                      task_cap(b->task, SLOT_STACK)),
          "no dataspace for the stack");
    region(b, "stack", bottom, QUIRE_STACK_SIZE, L4RE_RM_F_RW,
           dataspace_give(b, SLOT_STACK, L4_CAP_FPAGE_RWS), 0);
    region(b, "guard", bottom - L4_PAGESIZE, L4_PAGESIZE, L4RE_RM_F_RESERVED, L4_INVALID_CAP, 0);
}

static void regions(const struct build *b)
{
    l4_cap_idx_t file;

    check(b, service_open(task_cap(&tasks[b->script->rom], SLOT_GATE), b->task->module.name,
                          task_cap(b->task, SLOT_FILE)),
          "the module manager does not open the program file");
    file = dataspace_give(b, SLOT_FILE, L4_CAP_FPAGE_RO);
    for (unsigned i = 0; i < b->image.count; i++)
        segment_region(b, i, file);
    stack_regions(b);
    b->env->entry = b->image.entry;
    b->env->stack_top = QUIRE_STACK_TOP;
}

/* ---- the region manager's part ---- */

static void rm_map(const struct build *b)
{
    l4_cap_idx_t task = task_cap(b->task, SLOT_TASK);
    l4_cap_idx_t ram = task_cap(b->task, SLOT_RAM);

    image_map(b, &b->rm, &b->rm_module);
    check(b, memory_give(ram, task, RM_HEAP, RM_HEAP_SIZE, L4_FPAGE_RW, 0, NULL, 0),
          "no memory for the region manager's heap");
    check(b, memory_give(ram, task, QUIRE_RM_STACK_TOP - RM_STACK_SIZE, RM_STACK_SIZE,
                         L4_FPAGE_RW, 0, NULL, 0),
          "no memory for the region manager's stack");
    b->env->rm_heap_start = RM_HEAP;
    b->env->rm_heap_end = RM_HEAP + RM_HEAP_SIZE;
}

/* ---- the two kinds of tasks ---- */

static void modules_map(const struct build *b)
{
    l4_cap_idx_t task = task_cap(b->task, SLOT_TASK);

    check(b, memory_map(task, modules_table(), MODULES_ADDR, L4MOD_INFO_SIZE, L4_FPAGE_RO),
          "cannot map the table of modules");
    for (unsigned i = 0; i < modules_count(); i++) {
        struct module m = modules_get(i);

        check(b, memory_map(task, m.start, m.start, m.size, L4_FPAGE_RX), m.name);
    }
}

/* One life of a manager. Of one that is restarted the image has an account of its own, so that it
 * can be made anew while the manager's memory stays. */
static void manager_build(struct build *b, l4_cap_idx_t supervisor)
{
    struct task *t = b->task;
    l4_umword_t own = private_size(&b->image) + L4_PAGESIZE;

    if (!t->script->restarts) {
        t->quota = ram_account(b, &t->script->quota, own, SLOT_RAM) - own;
        b->own_ram = SLOT_RAM;
    } else {
        struct script_amount again = {.value = t->quota};
        bool known = t->lives > 0;

        ram_account(b, NULL, own, SLOT_OWN_RAM);
        b->own_ram = SLOT_OWN_RAM;
        if (!known || !t->script->keep)
            t->quota = ram_account(b, known ? &again : &t->script->quota, 0, SLOT_RAM);
    }
    check(b, task_create(t, supervisor), "cannot create the task");
    env_make(b);
    named_caps(b);
    image_map(b, &b->image, &t->module);
    if (t->script->modules)
        modules_map(b);
    env_map(b, l4re_kip());
    t->entry = b->image.entry;
    t->stack = 0;
    t->lives++;
    check(b, task_start(t), "cannot start");
}

void load_manager(struct task *t, l4_cap_idx_t supervisor)
{
    struct build b = {.task = t, .script = t->script};

    task_set_state(t, TASK_LOADING);
    file_find(&b, t->script->file, &t->module);
    file_check(&b, &t->module, MANAGER_LOW, MANAGER_HIGH, &b.image);
    manager_build(&b, supervisor);
    say("roottask: %s: manager with %lu KiB of memory", t->script->name, t->quota >> 10);
}

long load_manager_again(struct task *t, l4_cap_idx_t supervisor)
{
    struct build b = {.task = t, .script = t->script, .may_fail = true};

    task_set_state(t, TASK_LOADING);
    task_forget(t);
    t->quota_given = 0;
    if (__builtin_setjmp(b.unwind)) {
        t->lives = t->script->restarts + 1;
        task_kill(t);
        return -L4_ENOMEM;
    }
    file_check(&b, &t->module, MANAGER_LOW, MANAGER_HIGH, &b.image);
    manager_build(&b, supervisor);
    return 0;
}

static void program_build(struct build *b, l4_cap_idx_t supervisor)
{
    struct task *t = b->task;

    b->own_ram = SLOT_RAM;
    file_find(b, t->script->file, &t->module);
    file_find(b, rm_file, &b->rm_module);
    file_check(b, &t->module, QUIRE_NULL_GUARD, QUIRE_RM_ADDR, &b->image);
    file_check(b, &b->rm_module, QUIRE_RM_ADDR, RM_IMAGE_END, &b->rm);
    ram_account(b, NULL, private_size(&b->rm) + RM_HEAP_SIZE + RM_STACK_SIZE + L4_PAGESIZE,
                SLOT_RAM);
    if (t->script->ram.value)
        ram_account(b, &t->script->ram, 0, SLOT_OWN_RAM);
    mem_account(b);
    check(b, task_create(t, supervisor), "cannot create the task");
    env_make(b);
    named_caps(b);
    rm_map(b);
    regions(b);
    env_map(b, l4re_kip());
    t->entry = b->rm.entry;
    t->stack = QUIRE_RM_STACK_TOP;
}

long load_program(struct task *t, l4_cap_idx_t supervisor)
{
    struct build b = {.task = t, .script = t->script};

    task_set_state(t, TASK_LOADING);
    t->quota = 0;
    if (__builtin_setjmp(b.unwind)) {
        task_kill(t);
        task_release(t);
        task_set_state(t, TASK_FREE);
        return -L4_ENOMEM;
    }
    program_build(&b, supervisor);
    return 0;
}
