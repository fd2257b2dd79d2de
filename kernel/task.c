/*
 * task.c - tasks: capability tables, kernel-user memory, creation and destruction
 *
 * A page of capability slots and a page of kernel-user memory come whole from the pool; the
 * descriptor of a page of slots says whose it is (owner) and which slots (base).
 */
#include "task.h"

#include <common/fpage.h>

#include "factory.h"
#include "kassert.h"
#include "limits.h"
#include "map.h"
#include "sched.h"

enum { CAP_PAGES = L4_CAP_SLOTS / CAPS_PER_PAGE };
/* A page given back to the pool costs about eight of the steps that LIMIT_STEPS counts. */
enum { KU_PAGES_STEP = LIMIT_STEPS / 8 + 1 };
enum { STAGE_THREADS, STAGE_MEMORY, STAGE_PORTS, STAGE_CAPS };

struct slab task_slab;
static struct slab cap_dir_slab;

void task_init(void)
{
    slab_init(&task_slab, "task", sizeof(struct task));
    slab_init(&cap_dir_slab, "slot directory", CAP_PAGES * sizeof(kref_t));
}

/* ---- capability slots ---- */

static struct cap *slots_new(struct task *t, uint64_t base)
{
    struct cap *c = kmem_page(t->space.quota, KPAGE_PLAIN);

    if (c) {
        kmem_desc(c)->owner = kref(t);
        kmem_desc(c)->base = (uint32_t)base;
    }
    return c;
}

struct task *cap_task(const struct cap *c)
{
    return kptr(kmem_desc(c)->owner);
}

uint64_t cap_index(const struct cap *c)
{
    return kmem_desc(c)->base + (uintptr_t)c / sizeof(*c) % CAPS_PER_PAGE;
}

struct cap *cap_slot_slow(const struct task *t, uint64_t slot)
{
    struct cap *page;

    if (slot < CAPS_PER_PAGE)
        return &t->caps[index_below(slot, CAPS_PER_PAGE)];
    if (slot >= L4_CAP_SLOTS || !t->cap_pages)
        return NULL;
    slot = index_below(slot, L4_CAP_SLOTS);
    if (!t->cap_pages[slot / CAPS_PER_PAGE])
        return NULL;
    page = kptr(t->cap_pages[slot / CAPS_PER_PAGE]);
    return &page[slot % CAPS_PER_PAGE];
}

static void directory_free(struct task *t)
{
    slab_free(&cap_dir_slab, t->space.quota, t->cap_pages);
    t->cap_pages = NULL;
}

SELDOM struct cap *cap_slot_make(struct task *t, uint64_t slot)
{
    struct cap *c = cap_slot_slow(t, slot);

    if (c || slot >= L4_CAP_SLOTS)
        return c;
    if (!t->cap_pages)
        t->cap_pages = slab_alloc(&cap_dir_slab, t->space.quota);
    if (!t->cap_pages)
        return NULL;
    c = slots_new(t, slot - slot % CAPS_PER_PAGE);
    if (!c) {
        if (!t->cap_page_count)
            directory_free(t);
        return NULL;
    }
    t->cap_page_count++;
    t->cap_pages[slot / CAPS_PER_PAGE] = kref(c);
    return &c[slot % CAPS_PER_PAGE];
}

void cap_slot_trim(struct cap *c)
{
    struct kpage *d = kmem_desc(c);
    struct task *t = kptr(d->owner);

    if (d->live || !d->base || t->obj.dying) /* the reaper walks over the pages */
        return;
    t->cap_pages[d->base / CAPS_PER_PAGE] = 0;
    kmem_page_free_clean(t->space.quota, (void *)((uintptr_t)c & ~(uintptr_t)(KPAGE_SIZE - 1)));
    if (--t->cap_page_count == 0)
        directory_free(t);
}

int cap_enter_root(struct task *t, uint64_t slot, struct object *o, unsigned rights)
{
    struct cap *c = cap_slot_make(t, slot);
    struct mapping *m = c ? mapping_new(t->space.quota, 1 | MAPPING_CAP) : NULL;

    if (!m) {
        if (c)
            cap_slot_trim(c);
        return -L4_ENOMEM;
    }
    kassert(!c->node);
    m->entry = kref(c);
    c->ref = kref(o) | rights;
    c->node = kref(m);
    kmem_desc(c)->live++;
    o->refs = 1;
    o->root = kref(m);
    return 0;
}

/* ---- kernel-user memory ---- */

static void ku_page_free(struct task *t, pte_t *e)
{
    uint64_t va = ptab_va(e);
    void *page = mmu_virt(*e & PTE_FRAME);

    ptab_clear(e);
    mmu_flush_page(&t->space, va);
    ptab_drop(e);
    kmem_page_free(t->space.quota, page);
}

static int ku_page_new(struct task *t, uint64_t va)
{
    void *page = kmem_page(t->space.quota, KPAGE_PLAIN);
    pte_t *e;

    if (!page)
        return -L4_ENOMEM;
    if (ptab_reach(&t->space, va, 1, false, &e) != 0) {
        kmem_page_free(t->space.quota, page);
        return -L4_ENOMEM;
    }
    ptab_put(e, mmu_phys(page) | PTE_P | PTE_W | PTE_U | PTE_NX | PTE_A | PTE_D | PTE_KU, NULL);
    return 0;
}

bool task_ku_mem_ready(l4_fpage_t area)
{
    enum { TABLES = 4 };
    unsigned order = fpage_order(area);

    if (order < L4_PAGESHIFT || order > LIMIT_KU_MEM_ORDER)
        return true;
    while (kmem_clean_one((1U << (order - L4_PAGESHIFT)) + TABLES))
        if (sched_preempt())
            return false;
    return true;
}

SELDOM int task_add_ku_mem(struct task *t, l4_fpage_t area)
{
    struct window w = fpage_window(area);
    uint64_t size = 1UL << w.order;
    unsigned level;
    int err = 0;

    if (fpage_type(area) != L4_FPAGE_MEMORY || w.order < L4_PAGESHIFT ||
        w.order > LIMIT_KU_MEM_ORDER || w.base == 0 || w.base >= L4_USER_END ||
        w.base + size > L4_USER_END)
        return -L4_EINVAL;
    for (uint64_t off = 0; off < size; off += L4_PAGESIZE)
        if (ptab_find(&t->space, w.base + off, &level))
            return -L4_EEXIST;
    for (uint64_t off = 0; off < size && !err; off += L4_PAGESIZE)
        err = ku_page_new(t, w.base + off);
    for (uint64_t off = 0; off < size && err; off += L4_PAGESIZE) {
        pte_t *e = ptab_find(&t->space, w.base + off, &level);

        if (e)
            ku_page_free(t, e);
    }
    return err;
}

void *task_ku_address(const struct task *t, uint64_t va, unsigned bytes)
{
    unsigned level;
    pte_t *e = va < L4_USER_END ? ptab_find(&t->space, va, &level) : NULL;
    uint64_t off = va & (L4_PAGESIZE - 1);

    if (!e || !(*e & PTE_KU) || off + bytes > L4_PAGESIZE)
        return NULL;
    return (char *)mmu_virt(*e & PTE_FRAME) + off;
}

/* ---- life ---- */

struct task *task_create(struct object *factory, l4_fpage_t utcb_area, int *err)
{
    struct quota *q = object_quota(factory);
    struct task *t = slab_alloc(&task_slab, q);

    *err = -L4_ENOMEM;
    if (!t)
        return NULL;
    list_init(&t->threads);
    t->space.quota = q;
    if (ptab_create(&t->space, q) != 0)
        goto no_space;
    t->caps = slots_new(t, 0);
    if (!t->caps)
        goto no_caps;
    *err = utcb_area.raw ? task_add_ku_mem(t, utcb_area) : 0;
    if (*err)
        goto no_area;
    object_init(&t->obj, OBJ_TASK, factory);
    t->space.id = t->obj.id;
    return t;
no_area:
    kmem_page_free(q, t->caps);
no_caps:
    ptab_destroy(&t->space);
no_space:
    slab_free(&task_slab, q, t);
    return NULL;
}

/* Somebody may hold capabilities for the threads, so their own end may be far. */
static enum reap reap_threads(struct task *t)
{
    struct thread *first;

    if (list_empty(&t->threads)) {
        t->reap_stage = STAGE_MEMORY;
        return REAP_MORE;
    }
    first = container_of(t->threads.next, struct thread, in_task);
    if (first->state != THREAD_DEAD) {
        thread_kill(first);
        list_add(&t->threads, &first->in_task); /* until nobody waits for it any more */
    } else if (!thread_tell_one(first)) {
        list_del(&first->in_task);
    }
    return REAP_MORE;
}

/* Mappings and kernel-user pages, in the order of their addresses. */
static enum reap reap_memory(struct task *t)
{
    struct unmap_request u = {.task = t, .mask = L4_FP_ALL_SPACES};

    if (cpu0.root_loaded == t->space.root_phys)
        mmu_load_kernel();
    for (unsigned i = 0; i < KU_PAGES_STEP; i++) {
        pte_t *e = ptab_next_leaf(&t->space, &t->reap_at);
        struct mapping *m = e ? ptab_owner(e) : NULL;
        unsigned order;

        if (!e && t->reap_at < L4_USER_END)
            break; /* there may be more */
        if (!e) {
            t->reap_stage = STAGE_PORTS;
            t->reap_at = 0;
            break;
        }
        if (!m) {
            ku_page_free(t, e);
            continue;
        }
        order = ptab_shift(mapping_level(m));
        if (order == L4_PAGESHIFT) /* with all its neighbours */
            order = L4_SUPERPAGESHIFT;
        u.fp = fpage_mem(t->reap_at, order, L4_FPAGE_RWX);
        u.done = t->reap_at & order_mask(order);
        unmap_run(&u);
        break; /* that was up to LIMIT_STEPS steps already */
    }
    return REAP_MORE;
}

static enum reap reap_ports(struct task *t)
{
    struct unmap_request u = {.task = t, .mask = L4_FP_ALL_SPACES};

    u.fp = fpage_make(L4_FPAGE_IO, 0, L4_WHOLE_IOADDRESS_SPACE, L4_FPAGE_RW);
    if (unmap_run(&u) == 0)
        t->reap_stage = STAGE_CAPS;
    return REAP_MORE;
}

static enum reap reap_caps(struct task *t)
{
    struct cap *page = t->reap_at < CAPS_PER_PAGE ? t->caps : NULL;
    uint64_t slot = t->reap_at % CAPS_PER_PAGE, next = t->reap_at - slot + CAPS_PER_PAGE;

    if (!page && t->cap_pages)
        page = kptr(t->cap_pages[t->reap_at / CAPS_PER_PAGE]);
    for (; page && kmem_desc(page)->live && slot < CAPS_PER_PAGE; slot++) {
        if (page[slot].node && !cap_revoke(&page[slot]))
            return REAP_MORE;
        t->reap_at++;
    }
    /* Whoever maps into a dying task now is too late: nothing behind us is looked at again. */
    t->reap_at = next;
    return !t->cap_pages || t->reap_at >= L4_CAP_SLOTS ? REAP_DONE : REAP_MORE;
}

static SELDOM enum reap task_reap(struct object *o)
{
    struct task *t = task_of(o);

    switch (t->reap_stage) {
    case STAGE_THREADS:
        return reap_threads(t);
    case STAGE_MEMORY:
        return reap_memory(t);
    case STAGE_PORTS:
        return reap_ports(t);
    default:
        return reap_caps(t);
    }
}

static SELDOM void task_release(struct object *o)
{
    struct task *t = task_of(o);
    struct quota *q = t->space.quota;

    if (t->cap_pages) {
        for (unsigned i = CAP_PAGES; --i;) /* number 0 is t->caps */
            if (t->cap_pages[i])
                kmem_page_free(q, kptr(t->cap_pages[i]));
        directory_free(t);
    }
    kmem_page_free(q, t->caps);
    ptab_destroy(&t->space);
    slab_free(&task_slab, q, t);
}

/* ---- messages ---- */

/* Where a preempted call goes on: which flexpage, how far, what it has learnt. */
enum { PROGRESS_ITEM_SHIFT = 56, PROGRESS_STATUS_SHIFT = 54 };
#define PROGRESS_DONE ((1UL << PROGRESS_STATUS_SHIFT) - 1)

static NOINLINE long op_map(struct invocation *iv)
{
    struct thread *self = iv->self;
    const uint64_t *mr = iv->utcb->msg.mr;
    struct object *from;
    struct map_request r;
    int err;

    if (msgtag_words(iv->tag) < 3)
        return -L4_EMSGTOOSHORT;
    err = item_object(iv, 0, OBJ_TASK, L4_CAP_FPAGE_S, &from);
    if (err)
        return err;
    map_request_init(&r, task_of(from), task_of(iv->obj), mr[1], mr[2], 0, L4_WHOLE_ADDRESS_SPACE);
    r.done = self->progress; /* where a preempted call goes on */
    err = map_run(&r);
    if (err != MAP_PREEMPTED)
        return err;
    self->progress = r.done;
    return INVOKE_AGAIN;
}

/* Many flexpages, with a look at the interrupts between two, or one that has been begun before. */
static SELDOM long unmap_batch(struct invocation *iv)
{
    struct thread *self = iv->self;
    uint64_t *mr = iv->utcb->msg.mr;
    unsigned words = msgtag_words(iv->tag);
    unsigned first = (unsigned)(self->progress >> PROGRESS_ITEM_SHIFT) + 2, i;
    struct unmap_request u = {.task = task_of(iv->obj), .mask = mr[1]};

    u.done = self->progress & PROGRESS_DONE;
    u.status = self->progress >> PROGRESS_STATUS_SHIFT & 3;
    for (i = first; i < words; i++) {
        u.fp.raw = mr[i];
        if ((i > first && sched_preempt()) || unmap_run(&u) == MAP_PREEMPTED) {
            self->progress = (uint64_t)(i - 2) << PROGRESS_ITEM_SHIFT |
                             (uint64_t)u.status << PROGRESS_STATUS_SHIFT | u.done;
            return INVOKE_AGAIN;
        }
        mr[i] = (mr[i] & ~(uint64_t)L4_FPAGE_RIGHTS_MASK) | u.status;
        u.done = 0;
        u.status = 0;
        u.step = 0;
    }
    for (i = 2; i < words; i++)
        mr[i - 2] = mr[i];
    iv->words = words - 2;
    return 0;
}

static NOINLINE long op_unmap(struct invocation *iv)
{
    uint64_t *mr = iv->utcb->msg.mr;
    struct unmap_request u = {.task = task_of(iv->obj), .mask = mr[1]};

    if (msgtag_words(iv->tag) < 3)
        return -L4_EMSGTOOSHORT;
    if (msgtag_words(iv->tag) > 3 || iv->self->progress)
        return unmap_batch(iv);
    u.fp.raw = mr[2];
    if (unmap_run(&u) == MAP_PREEMPTED) {
        iv->self->progress = (uint64_t)u.status << PROGRESS_STATUS_SHIFT | u.done;
        return INVOKE_AGAIN;
    }
    mr[0] = (u.fp.raw & ~(uint64_t)L4_FPAGE_RIGHTS_MASK) | u.status;
    iv->words = 1;
    return 0;
}

/* Two capabilities, or words missing. */
static SELDOM long cap_equal(struct invocation *iv)
{
    const uint64_t *mr = iv->utcb->msg.mr;
    const struct task *t = task_of(iv->obj);
    const struct cap *a, *b;

    if (msgtag_words(iv->tag) < 2)
        return -L4_EMSGTOOSHORT;
    a = cap_slot(t, mr[1]);
    b = cap_slot(t, mr[2]);
    if (mr[1] == mr[2])
        return 1;
    return a && b && a->ref && a->ref == b->ref;
}

static NOINLINE long op_cap_info(struct invocation *iv)
{
    const struct cap *c;

    if (__builtin_expect(msgtag_words(iv->tag) != 2, 0))
        return cap_equal(iv);
    c = cap_slot(task_of(iv->obj), iv->utcb->msg.mr[1]);
    return c && c->ref && !cap_object(c)->dying;
}

static SELDOM long op_ku_mem(struct invocation *iv)
{
    l4_fpage_t area = {iv->utcb->msg.mr[1]};
    int err;

    if (msgtag_words(iv->tag) < 2)
        return -L4_EMSGTOOSHORT;
    if (!task_ku_mem_ready(area))
        return INVOKE_AGAIN;
    err = task_add_ku_mem(task_of(iv->obj), area);
    if (err)
        return err;
    iv->utcb->msg.mr[0] = area.raw;
    iv->words = 1;
    return 0;
}

static long task_invoke(struct invocation *iv)
{
    unsigned op;

    if (msgtag_label(iv->tag) != L4_PROTO_TASK)
        return -L4_EBADPROTO;
    if (msgtag_words(iv->tag) < 1)
        return -L4_EMSGTOOSHORT;
    op = iv->utcb->msg.mr[0] & 0xffff;
    if (!(iv->rights & L4_CAP_FPAGE_S) && op != L4_TASK_CAP_INFO_OP)
        return -L4_EPERM;
    _Static_assert(L4_TASK_MAP_OP == 0 && L4_TASK_UNMAP_OP == 1, "asked for most often");
    if (__builtin_expect(op <= L4_TASK_UNMAP_OP, 1))
        return op == L4_TASK_UNMAP_OP ? op_unmap(iv) : op_map(iv);
    switch (op) {
    case L4_TASK_CAP_INFO_OP:
        return op_cap_info(iv);
    case L4_TASK_ADD_KU_MEM_OP:
        return op_ku_mem(iv);
    default:
        return -L4_ENOSYS;
    }
}

const struct object_ops task_ops = {"task", task_invoke, task_reap, task_release};
