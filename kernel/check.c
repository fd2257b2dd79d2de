/*
 * check.c - the whole kernel looked at: every invariant that one can see in memory
 *
 * For tests, through the debugger capability. The pool's descriptors lead to everything: tables to
 * their spaces, these to their tasks, tasks to threads, slots and ports. What is wrong is told on
 * the log, once. In a kernel without checks nocheck.c stands here.
 *
 * C1  Pages, slabs, tables, tables of parts, ports: kmem_ok, ptab_ok, mapdb_ok, io_ok.
 * C2  Entries (and slots, and ports) and nodes: one to one; the slab has no node beside them.
 * C3  A child's frames lie within its parent's, its rights within its parent's rights.
 * C4  `refs` of an object is the number of slots that refer to it, and all stem from one.
 * C5  What all quotas together say is used is what is in use.
 * C6  Threads: whom they wait for knows of it, and they stand in a queue if they have to.
 */
#include "check.h"

#include <abi/errors.h>

#include "factory.h"
#include "io.h"
#include "klog.h"
#include "map_memory.h"
#include "sched.h"
#include "thread.h"

struct totals {
    uint64_t nodes;   /* seen beside entries, slots and ports */
    uint64_t charged; /* bytes in use, as the pool sees it */
};

static bool wrong(const char *what, uint64_t a, uint64_t b)
{
    klog("check: %s: 0x%lx, 0x%lx\n", what, a, b);
    return false;
}

static unsigned kind_of(const struct mapping *m)
{
    return m->parts & MAPPING_KIND;
}

/* C3 of an entry that belongs to m. What a split parent still has is not looked up. */
static bool within_parent(const pte_t *e, unsigned level, const struct mapping *m)
{
    const struct mapping *parent = mapping_parent(m);
    const pte_t *pe = parent ? kptr(parent->entry) : NULL;
    uint64_t at = frame_of(*e, level), first;

    if (!parent || mapping_dying(parent) || mapping_partial(parent))
        return true;
    first = frame_of(*pe, mapping_level(parent));
    if (!(*pe & PTE_P) || at < first || at + (1UL << ptab_shift(level)) >
                                            first + (1UL << ptab_shift(mapping_level(parent))))
        return wrong("a page outside its parent's", *e, *pe);
    if (rights_of(*e) & ~rights_of(*pe))
        return wrong("a page with more rights than its parent's", *e, *pe);
    return true;
}

/* An entry that translates something has a mapping beside it, or is what is left of a split one;
 * only kernel-user memory has none. */
static bool leaf_ok(const pte_t *e, const struct mapping *beside, unsigned level)
{
    const struct mapping *m = beside ? beside : ptab_owner(e);

    if (*e & PTE_KU)
        return !beside || wrong("a mapping of kernel-user memory", *e, kref(m));
    if (!m || kind_of(m) != MAPPING_MEMORY)
        return wrong("a page without mapping", *e, ptab_va(e));
    if (beside ? mapping_dying(m) || mapping_level(m) != level : !mapping_partial(m))
        return wrong("a page and its mapping differ", *e, m->parts);
    return within_parent(e, level, m);
}

static bool table_ok(pte_t *table, const struct kpage *d, struct totals *t)
{
    unsigned count = d->level == PTAB_LEVELS ? PTAB_ENTRIES / 2 : PTAB_ENTRIES;

    for (unsigned i = 0; i < count; i++) {
        pte_t *e = &table[i];
        const struct mapping *m = ptab_mapping(e);
        bool below = pte_is_table(*e, d->level);

        if ((*e & PTE_P) && !below && !leaf_ok(e, m, d->level))
            return false;
        if (!m)
            continue;
        t->nodes++;
        if (kptr(m->entry) != e)
            return wrong("a mapping of another entry", kref(m), m->entry);
        if (*e ? below && !mapping_partial(m) : !mapping_dying(m))
            return wrong("a mapping without page", kref(m), m->parts);
        if (!m->parent && !mapdb_ok(m))
            return wrong("the mappings below", ptab_va(e), kref(m));
    }
    return true;
}

/* C4: m is the first capability of its object. */
static bool capabilities_ok(const struct cap *c, struct mapping *m)
{
    const struct object *o = cap_object(c);
    struct mapwalk w = mapwalk_start(m);
    unsigned refs = 0;

    if (!mapdb_ok(m))
        return wrong("the capabilities below", kref(c), kref(m));
    do {
        const struct cap *at = kptr(w.at->entry);

        if (w.up || mapping_dying(w.at))
            continue;
        refs++;
        if (cap_object(at) != o)
            return wrong("a capability of another object below", kref(at), kref(c));
    } while (mapwalk_move(&w));
    if (!mapping_dying(m) && (kptr(o->root) != m || refs != o->refs))
        return wrong("references of an object", refs, o->refs);
    return true;
}

static bool slot_ok(const struct cap *c, struct totals *t)
{
    struct mapping *m = kptr(c->node);
    const struct mapping *parent = m ? mapping_parent(m) : NULL;
    const struct cap *pc = parent ? kptr(parent->entry) : NULL;

    if (!m)
        return !c->ref || wrong("a capability without mapping", kref(c), c->ref);
    t->nodes++;
    if (kptr(m->entry) != c || kind_of(m) != MAPPING_CAP || !c->ref != mapping_dying(m))
        return wrong("a capability and its mapping differ", kref(c), kref(m));
    if (pc && !mapping_dying(parent) && c->ref && (c->ref & CAP_RIGHTS & ~pc->ref))
        return wrong("a capability with more rights than its parent", c->ref, pc->ref);
    return parent || !c->ref || capabilities_ok(c, m);
}

static bool slots_ok(const struct task *task, struct totals *t)
{
    for (unsigned page = 0; page < L4_CAP_SLOTS / CAPS_PER_PAGE; page++) {
        const struct cap *c = page == 0 ? task->caps
                              : task->cap_pages ? kptr(task->cap_pages[page]) : NULL;

        for (unsigned i = 0; c && i < CAPS_PER_PAGE; i++)
            if (!slot_ok(&c[i], t))
                return false;
    }
    return true;
}

/* C6 */
static bool thread_ok(const struct thread *t, const struct task *task)
{
    bool queued = !list_empty(&t->link), must = false;

    if (task->obj.dying && t->state == THREAD_DEAD)
        return true; /* the reaper is at it */
    if (t->task != task || !t->utcb || t->state == THREAD_DEAD)
        return wrong("a thread in the wrong task", t->obj.id, t->state);
    if (t->caller && (t->caller->state != THREAD_RECV_REPLY || t->caller->partner != t))
        return wrong("a caller that does not wait", t->obj.id, t->caller->state);
    if (t->state == THREAD_RECV_REPLY && (!t->partner || t->partner->caller != t))
        return wrong("an answer that nobody owes", t->obj.id, kref(t->partner));
    if (t->state == THREAD_READY)
        must = t != cpu0.current;
    else if (t->state == THREAD_SEND)
        must = true;
    else if (t->state == THREAD_RECV_FROM)
        return true; /* in a queue unless it waits for nobody */
    return queued == must || wrong("a thread in the wrong queue", t->obj.id, t->state);
}

static bool task_ok(struct task *task, struct totals *t)
{
    if (!ptab_ok(&task->space))
        return wrong("the page tables of task", task->obj.id, 0);
    if (!io_ok(task))
        return wrong("the ports of task", task->obj.id, 0);
    t->nodes += task->io ? task->io->used : 0;
    for (const struct link *l = task->threads.next; l != &task->threads; l = l->next)
        if (!thread_ok(container_of(l, struct thread, in_task), task))
            return false;
    return slots_ok(task, t);
}

/* Whether object number i of a slab page is free: it stands in the page's chain. */
static bool object_free(const char *page, const struct kpage *d, const void *object)
{
    for (uint16_t i = d->hint; i != KPAGE_FULL; i = *(const uint16_t *)(page + (size_t)i * 8))
        if (page + (size_t)i * 8 == object)
            return true;
    return false;
}

/* Bytes that the quotas of a page of factories say are used, limits not counted twice. */
static uint64_t factories_used(char *page, const struct kpage *d)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < factory_slab.perpage; i++) {
        const struct factory *f = (const struct factory *)(page + (size_t)i * factory_slab.size);

        if (!object_free(page, d, f))
            sum += f->quota.used - f->quota.limit;
    }
    return sum;
}

static bool pages_ok(struct totals *t, uint64_t *used, uint64_t *node_count)
{
    for (char *page = kmem_next_page(NULL); page; page = kmem_next_page(page)) {
        const struct kpage *d = kmem_desc(page);
        const struct slab *s = d->kind == KPAGE_SLAB ? kptr(d->owner) : NULL;

        if (s) {
            t->charged += (uint64_t)d->live * (s->size - SAN_GAP);
            *node_count += s == &mapping_slab ? d->live : 0;
            *used += s == &factory_slab ? factories_used(page, d) : 0;
        } else if (d->kind == KPAGE_TABLE || d->kind == KPAGE_PARTS || d->kind == KPAGE_PLAIN) {
            t->charged += KPAGE_SIZE;
        }
        if (d->kind == KPAGE_TABLE && !table_ok((pte_t *)page, d, t))
            return false;
        if (d->kind == KPAGE_TABLE && d->level == PTAB_LEVELS &&
            !task_ok(task_of_space(kptr(d->owner)), t))
            return false;
    }
    return true;
}

long check_all(void)
{
    struct totals t = {0, 0};
    uint64_t used = root_factory.quota.used, nodes = 0;
    bool good = kmem_ok() || wrong("the pool", 0, 0);

    good = good && (sched_ok() || wrong("ready queues, or the FPU of thread",
                                        cpu0.current->obj.id, cpu0.current->fpu_used));
    good = good && pages_ok(&t, &used, &nodes);
    good = good && (nodes == t.nodes || wrong("mappings, and those found", nodes, t.nodes));
    good = good && (used == t.charged || wrong("bytes charged, and in use", used, t.charged));
    return good ? 0 : -L4_EINVAL;
}
