/*
 * re_rm.c - client side of the region manager protocol (<l4/re/c/rm.h>)
 */
#include <l4/re/c/rm.h>

#include <l4/sys/ipc.h>
#include <l4/sys/task.h>
#include <l4/sys/utcb.h>

static l4_msgtag_t rm_call(l4_cap_idx_t rm, l4_utcb_t *utcb, unsigned words, unsigned items)
{
    return l4_ipc_call(rm, utcb, l4_msgtag(L4RE_PROTO_RM, words, items, 0), L4_IPC_NEVER);
}

int l4re_rm_reserve_area_srv(l4_cap_idx_t rm, l4_addr_t *start, unsigned long size,
                             l4re_rm_flags_t flags, unsigned char align)
{
    l4_utcb_t *utcb = l4_utcb();
    long err;

    utcb->msg.mr[0] = L4RE_RM_RESERVE_AREA_OP;
    utcb->msg.mr[1] = *start;
    utcb->msg.mr[2] = size;
    utcb->msg.mr[3] = flags;
    utcb->msg.mr[4] = align;
    err = l4_error_u(rm_call(rm, utcb, 5, 0), utcb);
    if (err >= 0)
        *start = utcb->msg.mr[0];
    return err;
}

int l4re_rm_free_area_srv(l4_cap_idx_t rm, l4_addr_t addr)
{
    l4_utcb_t *utcb = l4_utcb();

    utcb->msg.mr[0] = L4RE_RM_FREE_AREA_OP;
    utcb->msg.mr[1] = addr;
    return l4_error_u(rm_call(rm, utcb, 2, 0), utcb);
}

int l4re_rm_attach_srv(l4_cap_idx_t rm, void **start, unsigned long size, l4re_rm_flags_t flags,
                       l4re_ds_t mem, l4re_rm_offset_t offs, unsigned char align)
{
    l4_utcb_t *utcb = l4_utcb();
    unsigned items = !(flags & L4RE_RM_F_RESERVED);
    long err;

    if (items && l4_is_invalid_cap(mem))
        return -L4_ENOENT;
    utcb->msg.mr[0] = L4RE_RM_ATTACH_OP;
    utcb->msg.mr[1] = (l4_addr_t)*start;
    utcb->msg.mr[2] = size;
    utcb->msg.mr[3] = flags;
    utcb->msg.mr[4] = offs;
    utcb->msg.mr[5] = align;
    utcb->msg.mr[6] = L4_ITEM_MAP;
    utcb->msg.mr[7] = l4_obj_fpage(mem, 0, L4_CAP_FPAGE_RWS).raw;
    err = l4_error_u(rm_call(rm, utcb, 6, items), utcb);
    if (err >= 0)
        *start = (void *)utcb->msg.mr[0];
    return err;
}

/* Unmap [start, start + size) from `task` and from everyone who has it from there. */
static long unmap_range(l4_cap_idx_t task, l4_addr_t start, l4_umword_t size, l4_utcb_t *utcb)
{
    l4_addr_t end = start + size;

    while (start < end) {
        unsigned order = 63 - (unsigned)__builtin_clzl(end - start);
        long err;

        if (start && (unsigned)__builtin_ctzl(start) < order)
            order = (unsigned)__builtin_ctzl(start);
        err = l4_error_u(l4_task_unmap_u(task, l4_fpage(start, order, L4_FPAGE_RWX),
                                         L4_FP_ALL_SPACES, utcb),
                         utcb);
        if (err < 0)
            return err;
        start += 1UL << order;
    }
    return 0;
}

int l4re_rm_detach_range_srv(l4_cap_idx_t rm, l4_addr_t addr, unsigned long size,
                             unsigned long how, l4re_ds_t *ds, l4_cap_idx_t task)
{
    l4_utcb_t *utcb = l4_utcb();
    long result, err;

    utcb->msg.mr[0] = L4RE_RM_DETACH_OP;
    utcb->msg.mr[1] = addr;
    utcb->msg.mr[2] = size;
    utcb->msg.mr[3] = how | (l4_is_invalid_cap(task) ? L4RE_RM_DETACH_NO_UNMAP : 0);
    result = l4_error_u(rm_call(rm, utcb, 4, 0), utcb);
    if (result < 0)
        return result;
    if (ds)
        *ds = utcb->msg.mr[2];
    /* The region manager has unmapped in its own task, which is ours as a rule. */
    if (l4_is_valid_cap(task) && !l4_capability_equal(task, L4_BASE_TASK_CAP)) {
        err = unmap_range(task, utcb->msg.mr[0], utcb->msg.mr[1], utcb);
        if (err)
            return err;
    }
    return result;
}

int l4re_rm_detach_srv(l4_cap_idx_t rm, l4_addr_t addr, l4re_ds_t *ds, l4_cap_idx_t task)
{
    return l4re_rm_detach_range_srv(rm, addr, 1, L4RE_RM_DETACH_OVERLAP, ds, task);
}

int l4re_rm_find_srv(l4_cap_idx_t rm, l4_addr_t *addr, unsigned long *size,
                     l4re_rm_offset_t *offset, l4re_rm_flags_t *flags, l4re_ds_t *m)
{
    l4_utcb_t *utcb = l4_utcb();
    long err;

    utcb->msg.mr[0] = L4RE_RM_FIND_OP;
    utcb->msg.mr[1] = *addr;
    utcb->msg.mr[2] = *size;
    utcb->msg.mr[3] = 0;
    err = l4_error_u(rm_call(rm, utcb, 4, 0), utcb);
    if (err < 0)
        return err;
    *addr = utcb->msg.mr[0];
    *size = utcb->msg.mr[1];
    *offset = utcb->msg.mr[2];
    *flags = (l4re_rm_flags_t)utcb->msg.mr[3];
    *m = utcb->msg.mr[4];
    return err;
}

int l4re_rm_get_info_srv(l4_cap_idx_t rm, l4_addr_t addr, char *name, unsigned int len,
                         l4re_rm_offset_t *backing_offset)
{
    l4_utcb_t *utcb = l4_utcb();
    const char *from = (const char *)&utcb->msg.mr[1];
    unsigned room = 3 * sizeof(utcb->msg.mr[0]);
    unsigned i;
    long err;

    utcb->msg.mr[0] = L4RE_RM_GET_INFO_OP;
    utcb->msg.mr[1] = addr;
    err = l4_error_u(rm_call(rm, utcb, 2, 0), utcb);
    if (err < 0)
        return err;
    *backing_offset = utcb->msg.mr[0];
    for (i = 0; i + 1 < len && i < room && from[i]; i++)
        name[i] = from[i];
    if (len)
        name[i] = 0;
    return err;
}

void l4re_rm_show_lists_srv(l4_cap_idx_t rm)
{
    l4_utcb_t *utcb = l4_utcb();

    utcb->msg.mr[0] = L4RE_RM_SHOW_LISTS_OP;
    rm_call(rm, utcb, 1, 0);
}

int l4re_rm_set_foreign_srv(l4_cap_idx_t rm, l4_addr_t entry, l4_addr_t copy)
{
    l4_utcb_t *utcb = l4_utcb();

    utcb->msg.mr[0] = L4RE_RM_SET_FOREIGN_OP;
    utcb->msg.mr[1] = entry;
    utcb->msg.mr[2] = copy;
    return l4_error_u(rm_call(rm, utcb, 3, 0), utcb);
}

/* ---------------------------------------------------------------- lists */

/* A list from `from` on, of entries of `size` words behind MR0: how many there are, at most n. */
static long list_call(l4_cap_idx_t rm, l4_utcb_t *utcb, unsigned op, l4_umword_t from,
                      unsigned size, unsigned n)
{
    l4_msgtag_t tag;
    l4_umword_t there;
    long err;

    utcb->msg.mr[0] = op;
    utcb->msg.mr[1] = from;
    tag = rm_call(rm, utcb, 2, 0);
    err = l4_error_u(tag, utcb);
    if (err < 0)
        return err;
    there = l4_msgtag_words(tag) ? (l4_msgtag_words(tag) - 1) / size : 0;
    if (there && there > utcb->msg.mr[0])
        there = utcb->msg.mr[0];
    return (long)(n < there ? n : there);
}

static long ranges(l4_cap_idx_t rm, unsigned op, l4_addr_t from, l4re_rm_range_t *to, unsigned n)
{
    l4_utcb_t *utcb = l4_utcb();
    const l4_umword_t *mr = &utcb->msg.mr[1];
    long there = list_call(rm, utcb, op, from, 3, n);

    for (long i = 0; i < there; i++, mr += 3)
        to[i] = (l4re_rm_range_t){mr[0], mr[1], mr[2]};
    return there;
}

long l4re_rm_get_regions_srv(l4_cap_idx_t rm, l4_addr_t from, l4re_rm_range_t *to, unsigned n)
{
    return ranges(rm, L4RE_RM_GET_REGIONS_OP, from, to, n);
}

long l4re_rm_get_areas_srv(l4_cap_idx_t rm, l4_addr_t from, l4re_rm_range_t *to, unsigned n)
{
    return ranges(rm, L4RE_RM_GET_AREAS_OP, from, to, n);
}

long l4re_rm_each_srv(l4_cap_idx_t rm, long (*f)(const l4re_rm_range_t *r, void *arg), void *arg)
{
    l4re_rm_range_t some[8];
    l4_addr_t from = 0;
    long n, result;

    while ((n = l4re_rm_get_regions_srv(rm, from, some, 8)) > 0) {
        for (long i = 0; i < n; i++) {
            result = f(&some[i], arg);
            if (result)
                return result;
        }
        from = some[n - 1].start + some[n - 1].size;
    }
    return n;
}

/* ---------------------------------------------------------------- the fault handler */

long l4re_rm_set_fault_handler_srv(l4_cap_idx_t rm, l4_cap_idx_t irq)
{
    l4_utcb_t *utcb = l4_utcb();
    unsigned items = l4_is_valid_cap(irq);

    utcb->msg.mr[0] = L4RE_RM_SET_HANDLER_OP;
    utcb->msg.mr[1] = L4_ITEM_MAP;
    utcb->msg.mr[2] = l4_obj_fpage(irq, 0, L4_CAP_FPAGE_RWS).raw;
    return l4_error_u(rm_call(rm, utcb, 1, items), utcb);
}

long l4re_rm_get_faults_srv(l4_cap_idx_t rm, unsigned long behind, l4re_rm_pending_t *to,
                            unsigned n)
{
    l4_utcb_t *utcb = l4_utcb();
    const l4_umword_t *mr = &utcb->msg.mr[1];
    long there = list_call(rm, utcb, L4RE_RM_GET_FAULTS_OP, behind, 4, n);

    for (long i = 0; i < there; i++, mr += 4)
        to[i] = (l4re_rm_pending_t){mr[0], mr[1] & ~(l4_umword_t)L4_PF_BITS, mr[1] & L4_PF_BITS,
                                    mr[2], mr[3]};
    return there;
}

long l4re_rm_answer_fault_srv(l4_cap_idx_t rm, unsigned long id, long error)
{
    l4_utcb_t *utcb = l4_utcb();

    utcb->msg.mr[0] = L4RE_RM_ANSWER_FAULT_OP;
    utcb->msg.mr[1] = id;
    utcb->msg.mr[2] = (l4_umword_t)error;
    return l4_error_u(rm_call(rm, utcb, 3, 0), utcb);
}
