/*
 * section.c - parts of a program in which a thread must not fault: told, served and counted
 *
 * A thread in such a section has no pager (l4/util/ahead.h). The kernel makes an exception of its
 * fault at once, and that message tells what a page fault does not: which thread it is, by the
 * base of gs, which points into its UTCB.
 *
 * N1  A section with gs 0 is free; no two have the same. The lock is held for all of them.
 */
#include "rm.h"

enum { SECTIONS_MAX = 64, ERROR_CODE_FETCH = 16 };

struct section {
    l4_umword_t gs;
    l4_umword_t faults;
    l4_addr_t addr, ip; /* of the first */
};

static struct section sections[SECTIONS_MAX];

static struct section *section_of(l4_umword_t gs)
{
    for (unsigned i = 0; i < SECTIONS_MAX; i++)
        if (sections[i].gs == gs)
            return &sections[i];
    return NULL;
}

l4_msgtag_t rm_section(struct rm_worker *w, l4_msgtag_t tag)
{
    l4_umword_t *mr = w->utcb->msg.mr, gs = mr[1], begin = mr[2];
    struct section *s, seen = {0};
    long err = 0;

    (void)tag;
    s = gs ? section_of(gs) : NULL;
    if (begin && gs && !s && (s = section_of(0)) != NULL)
        *s = (struct section){.gs = gs};
    else if (begin)
        err = !gs ? -L4_EINVAL : s ? -L4_EBUSY : -L4_ENOMEM;
    else if (!s)
        err = -L4_ENOENT;
    if (!begin && s) {
        seen = *s;
        s->gs = 0;
    }
    mr[0] = seen.faults;
    mr[1] = seen.addr;
    mr[2] = seen.ip;
    return l4_msgtag(err, err ? 0 : 3, 0, 0);
}

static bool section_count(const l4_exc_regs_t *regs)
{
    struct section *s;

    rm_lock();
    s = regs->gs_base ? section_of(regs->gs_base) : NULL;
    if (s && s->faults++ == 0) {
        s->addr = regs->pfa;
        s->ip = regs->ip;
    }
    rm_unlock();
    return s != NULL;
}

bool rm_section_fault(struct rm_worker *w, l4_umword_t label)
{
    l4_exc_regs_t regs = *l4_utcb_exc_u(w->utcb);
    l4_umword_t *mr = w->utcb->msg.mr;
    long err;

    if (regs.trapno != TRAP_PAGE_FAULT || !section_count(&regs))
        return false;
    mr[0] = (regs.pfa & ~(l4_umword_t)L4_PF_BITS) | (regs.err & (L4_PF_PRESENT | L4_PF_WRITE)) |
            (regs.err & ERROR_CODE_FETCH ? L4_PF_FETCH : 0);
    mr[1] = regs.ip;
    err = rm_fault_serve(w, label);
    *l4_utcb_exc_u(w->utcb) = regs;
    return !err;
}
