/*
 * managed_fault.c - inside managed: the way of a page, from its dataspace through all maps
 */
#include "managed.h"

#include <abi/errors.h>
#include <abi/msg.h>
#include <abi/protocols.h>
#include <l4/sys/ipc.h>
#include <l4/sys/irq.h>
#include <l4/sys/semaphore.h>
#include <l4/sys/task.h>

enum {
    /* Microseconds that a dataspace may take for a page. A slow one costs its own map's clients. */
    SOURCE_TIMEOUT_US = 5000000,
    /* How often somebody who waits looks whether the handler still exists. */
    HANDLER_LOOK_US = 100000,
};

/* One map on the way to a page. */
struct step {
    struct map *map;
    l4_addr_t addr; /* in its image */
    l4_addr_t start, end, offset; /* the region */
    l4_umword_t flags;
    l4_cap_idx_t ds; /* of the last one */
    unsigned changes;
};

struct path {
    struct step step[MAP_DEPTH_MAX];
    unsigned steps;
};

static unsigned flexpage_order(l4_addr_t start, l4_addr_t end)
{
    unsigned order = 63 - (unsigned)__builtin_clzl(end - start);
    unsigned aligned = (unsigned)__builtin_ctzl(start);

    return order < aligned ? order : aligned;
}

void map_unmap(l4_addr_t start, l4_addr_t end)
{
    while (start < end) {
        unsigned order = flexpage_order(start, end);

        l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(start, order, L4_FPAGE_RWX), L4_FP_ALL_SPACES);
        start += 1UL << order;
    }
}

/* -------------------------------------------------------------------- looking up */

/* PF-6 in a managed dataspace: the region at `addr`, in it the next map, and so on, rights ANDed.
 * -L4_ENOMEM: a hole in the last map of the path. */
static long path_find(struct path *p, struct map *m, l4_addr_t addr, unsigned rights)
{
    for (p->steps = 0; p->steps < MAP_DEPTH_MAX; p->steps++) {
        const struct region *r = region_find(&m->regions, addr);
        struct step *s = &p->step[p->steps];

        *s = (struct step){.map = m, .addr = addr, .changes = m->changes};
        if (!r || r->kind != REGION_DATASPACE) {
            p->steps++;
            return -L4_ENOMEM;
        }
        s->start = r->start;
        s->end = r->end;
        s->offset = r->offset;
        s->flags = r->flags;
        s->ds = r->ds;
        if ((r->flags & rights) != rights)
            return -L4_EACCESS;
        m = region_inner(r);
        if (!m) {
            p->steps++;
            return 0;
        }
        if (region_offset(r, addr) >= m->size)
            return -L4_ERANGE;
        addr = m->base + region_offset(r, addr);
    }
    return -L4_E2BIG;
}

/* Is everything as it was? If not, what has come into the last map may have no place there. */
static bool path_holds(const struct path *p)
{
    for (unsigned i = 0; i < p->steps; i++)
        if (!p->step[i].map->used || p->step[i].map->changes != p->step[i].changes)
            return false;
    return true;
}

/* -------------------------------------------------------------------- handlers */

void map_wake(const struct map *m, l4_addr_t start, l4_addr_t end, long error)
{
    for (struct map *w = maps; w < maps + MAPS_MAX; w++) {
        if (!w->used || w->wait.in != m || w->wait.addr < start || w->wait.addr >= end)
            continue;
        w->wait.in = NULL;
        w->wait.error = error;
        l4_semaphore_up(w->semaphore);
    }
}

/* The innermost handler on the path is told; the thread sleeps until something has happened. */
static long ask_handler(struct map *self, const struct path *p, unsigned rights)
{
    static l4_umword_t next_id = 1;
    const struct step *s = &p->step[p->steps - 1];
    bool waiting = true;

    while (s > p->step && (s->map->handler & L4_INVALID_CAP_BIT))
        s--;
    if (s->map->handler & L4_INVALID_CAP_BIT)
        return -L4_ENOMEM;
    self->wait = (struct map_wait){.in = s->map, .id = next_id++, .addr = s->addr,
                                   .access = rights};
    l4_irq_trigger(s->map->handler);
    while (waiting) {
        lock_drop(&maps_lock);
        l4_semaphore_down(self->semaphore,
                          l4_timeout(L4_IPC_TIMEOUT_NEVER, l4_timeout_from_us(HANDLER_LOOK_US)));
        lock_take(&maps_lock);
        waiting = self->wait.in != NULL;
        if (waiting && l4_msgtag_label(l4_task_cap_valid(L4_BASE_TASK_CAP,
                                                         self->wait.in->handler)) <= 0) {
            self->wait.in = NULL;
            return -L4_ENOMEM;
        }
    }
    return self->wait.error;
}

/* -------------------------------------------------------------------- mapping */

/* Ask the last map's dataspace; *order: what has come. Without the lock. */
static long source_ask(const struct step *s, unsigned rights, unsigned *order)
{
    struct region r = {.start = s->start, .end = s->end, .offset = s->offset};
    l4_timeout_s wait = l4_timeout_from_us(SOURCE_TIMEOUT_US);
    l4_addr_t base, at = s->offset + ((s->addr & L4_PAGEMASK) - s->start);
    unsigned window = region_window(&r, s->addr, &base);
    l4_utcb_t *u = l4_utcb();
    l4_umword_t item;
    l4_msgtag_t tag;
    long err;

    u->msg.mr[0] = L4RE_DS_MAP_OP;
    u->msg.mr[1] = at;
    u->msg.mr[2] = at;
    u->msg.mr[3] = rights | (s->flags & L4RE_DS_F_CACHING_MASK);
    u->buf.bdr = 0;
    u->buf.br[0] = L4_ITEM_MAP;
    u->buf.br[1] = l4_fpage(base, window, L4_FPAGE_RWX).raw;
    u->buf.br[2] = 0;
    tag = l4_ipc_call(s->ds, u, l4_msgtag(L4RE_PROTO_DATASPACE, 4, 0, 0), l4_timeout(wait, wait));
    if ((err = l4_error_u(tag, u)) < 0)
        return err;
    if (l4_msgtag_items(tag) == 0 || l4_msgtag_words(tag) > L4_UTCB_GENERIC_DATA_SIZE - 2)
        return -L4_EFAULT;
    item = u->msg.mr[l4_msgtag_words(tag)];
    if ((item & L4_ITEM_RET_MASK) != L4_ITEM_RET_MAPPED)
        return -L4_EFAULT;
    *order = item >> L4_FPAGE_SIZE_SHIFT & 63;
    *order = *order < window ? *order : window;
    return *order < L4_PAGESHIFT ? -L4_EFAULT : 0;
}

/* From the image of one map into that of the map around it: as much as both allow. */
static long pass_on(const struct step *from, const struct step *to, unsigned rights,
                    unsigned *order)
{
    l4_addr_t low = (1UL << *order) - 1;

    while (*order > L4_PAGESHIFT &&
           (((from->addr ^ to->addr) & low) || (to->addr & ~low) < to->start ||
            (to->addr | low) >= to->end)) {
        (*order)--;
        low = (1UL << *order) - 1;
    }
    return l4_error(l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP,
                                l4_fpage(from->addr & ~low, *order, (unsigned char)rights),
                                l4_map_control(to->addr & ~low, 0, 0)));
}

static long path_map(const struct path *p, unsigned rights, unsigned *order)
{
    long err = 0;

    for (unsigned i = p->steps - 1; i > 0 && err >= 0; i--)
        err = pass_on(&p->step[i], &p->step[i - 1], rights, order);
    return err < 0 ? err : 0;
}

/* What came after a detach must go: the range is nobody's, or that of a new region, which asks
 * again. */
static void take_back(const struct step *s, unsigned order)
{
    l4_addr_t start = s->addr & ~((1UL << order) - 1);

    map_unmap(start, start + (1UL << order));
}

long map_page(struct map *m, l4_umword_t offset, unsigned rights, unsigned *order)
{
    struct path p;
    long err;

    lock_take(&maps_lock);
    for (;;) {
        err = path_find(&p, m, m->base + offset, rights);
        if (err == -L4_ENOMEM && (err = ask_handler(m, &p, rights)) == 0)
            continue;
        if (err != 0)
            break;
        lock_drop(&maps_lock);
        err = source_ask(&p.step[p.steps - 1], rights, order);
        lock_take(&maps_lock);
        if (path_holds(&p)) {
            err = err != 0 ? err : path_map(&p, rights, order);
            break;
        }
        if (err == 0)
            take_back(&p.step[p.steps - 1], *order);
    }
    lock_drop(&maps_lock);
    return err;
}

long map_faults(struct l4_server_object *self, l4_umword_t rights, l4_msgtag_t tag,
                l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    struct map *m = (struct map *)((char *)self - __builtin_offsetof(struct map, faults));
    l4_umword_t offset = utcb->msg.mr[1] & L4_PAGEMASK, hot_spot = utcb->msg.mr[2] & L4_PAGEMASK;
    unsigned asked = (utcb->msg.mr[3] & L4RE_DS_F_RWX) | L4RE_DS_F_R, order;
    l4_addr_t at = m->base + offset, start;
    long err;

    if (l4_msgtag_label(tag) != L4RE_PROTO_DATASPACE)
        return -L4_EBADPROTO;
    if (l4_msgtag_words(tag) == 0)
        return -L4_EMSGTOOSHORT;
    if ((utcb->msg.mr[0] & 0xffff) == L4RE_DS_INFO_OP) {
        utcb->msg.mr[0] = m->size;
        utcb->msg.mr[1] = rights & L4_CAP_FPAGE_W ? L4RE_DS_F_RWX : L4RE_DS_F_RX;
        *reply = l4_msgtag(0, 2, 0, 0);
        return 0;
    }
    if ((utcb->msg.mr[0] & 0xffff) != L4RE_DS_MAP_OP)
        return -L4_ENOSYS;
    if (l4_msgtag_words(tag) < 4)
        return -L4_EMSGTOOSHORT;
    if ((asked & L4RE_DS_F_W) && !(rights & L4_CAP_FPAGE_W))
        return -L4_EPERM;
    if (offset >= m->size)
        return -L4_ERANGE;
    if ((err = map_page(m, offset, asked, &order)) != 0)
        return err;
    start = at & ~((1UL << order) - 1);
    order = l4_fpage_max_order(L4_PAGESHIFT, at, start, start + (1UL << order), hot_spot);
    utcb->msg.mr[0] = hot_spot | L4_ITEM_MAP;
    utcb->msg.mr[1] = l4_fpage(at, order, (unsigned char)asked).raw;
    *reply = l4_msgtag(0, 0, 1, 0);
    return 0;
}
