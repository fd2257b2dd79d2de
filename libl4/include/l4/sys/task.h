/*
 * l4/sys/task.h - tasks: map, unmap, capabilities, kernel-user memory
 *
 * Every function returns the tag of the answer: l4_error(tag) is 0 (or as stated) or -L4_E...
 */
#pragma once

#include <l4/sys/ipc.h>
#include <l4/sys/kernel_object.h>

/*
 * Map snd_fpage of src_task into dst_task. snd_base: l4_map_control(place, attributes, grant);
 * the window is the whole destination. -L4_EPERM, -L4_ENOMEM (quota of dst_task).
 */
L4_INLINE l4_msgtag_t l4_task_map_u(l4_cap_idx_t dst_task, l4_cap_idx_t src_task,
                                    l4_fpage_t snd_fpage, l4_umword_t snd_base, l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);

    m->mr[0] = L4_TASK_MAP_OP;
    m->mr[1] = snd_base;
    m->mr[2] = snd_fpage.raw;
    __l4_add_obj_item(m, 3, src_task);
    return l4_ipc_call(dst_task, utcb, l4_msgtag(L4_PROTO_TASK, 3, 1, 0), L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t l4_task_map(l4_cap_idx_t dst_task, l4_cap_idx_t src_task,
                                  l4_fpage_t snd_fpage, l4_umword_t snd_base)
{
    return l4_task_map_u(dst_task, src_task, snd_fpage, snd_base, l4_utcb());
}

/*
 * Revoke the rights in `fpage` from everything derived from it, and with L4_FP_ALL_SPACES from
 * the task itself. The answer's MR0 is the flexpage with accessed (1) and dirty (2) as rights.
 */
L4_INLINE l4_msgtag_t l4_task_unmap_u(l4_cap_idx_t task, l4_fpage_t fpage, l4_umword_t map_mask,
                                      l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);

    m->mr[0] = L4_TASK_UNMAP_OP;
    m->mr[1] = map_mask;
    m->mr[2] = fpage.raw;
    return l4_ipc_call(task, utcb, l4_msgtag(L4_PROTO_TASK, 3, 0, 0), L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t l4_task_unmap(l4_cap_idx_t task, l4_fpage_t fpage, l4_umword_t map_mask)
{
    return l4_task_unmap_u(task, fpage, map_mask, l4_utcb());
}

/* As l4_task_unmap for up to 61 flexpages in one call. */
L4_INLINE l4_msgtag_t l4_task_unmap_batch_u(l4_cap_idx_t task, l4_fpage_t const *fpages,
                                            unsigned num_fpages, l4_umword_t map_mask,
                                            l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);
    unsigned i;

    if (num_fpages > L4_UTCB_GENERIC_DATA_SIZE - 2)
        return l4_msgtag(-L4_EINVAL, 0, 0, 0);
    m->mr[0] = L4_TASK_UNMAP_OP;
    m->mr[1] = map_mask;
    for (i = 0; i < num_fpages; i++)
        m->mr[2 + i] = fpages[i].raw;
    return l4_ipc_call(task, utcb, l4_msgtag(L4_PROTO_TASK, 2 + num_fpages, 0, 0), L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t l4_task_unmap_batch(l4_cap_idx_t task, l4_fpage_t const *fpages,
                                          unsigned num_fpages, l4_umword_t map_mask)
{
    return l4_task_unmap_batch_u(task, fpages, num_fpages, map_mask, l4_utcb());
}

/* Drop the capability and delete the object behind it (needs the delete right). */
L4_INLINE l4_msgtag_t l4_task_delete_obj_u(l4_cap_idx_t task, l4_cap_idx_t obj, l4_utcb_t *utcb)
{
    return l4_task_unmap_u(task, l4_obj_fpage(obj, 0, L4_CAP_FPAGE_RWSD), L4_FP_DELETE_OBJ, utcb);
}

L4_INLINE l4_msgtag_t l4_task_delete_obj(l4_cap_idx_t task, l4_cap_idx_t obj)
{
    return l4_task_delete_obj_u(task, obj, l4_utcb());
}

/* Drop the capability and what was derived from it; the object lives on elsewhere. */
L4_INLINE l4_msgtag_t l4_task_release_cap_u(l4_cap_idx_t task, l4_cap_idx_t cap, l4_utcb_t *utcb)
{
    return l4_task_unmap_u(task, l4_obj_fpage(cap, 0, L4_CAP_FPAGE_RWSD), L4_FP_ALL_SPACES, utcb);
}

L4_INLINE l4_msgtag_t l4_task_release_cap(l4_cap_idx_t task, l4_cap_idx_t cap)
{
    return l4_task_release_cap_u(task, cap, l4_utcb());
}

/* Label of the answer: > 0 an object is there, 0 none. */
L4_INLINE l4_msgtag_t l4_task_cap_valid_u(l4_cap_idx_t task, l4_cap_idx_t cap, l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);

    m->mr[0] = L4_TASK_CAP_INFO_OP;
    m->mr[1] = cap & L4_CAP_MASK;
    return l4_ipc_call(task, utcb, l4_msgtag(L4_PROTO_TASK, 2, 0, 0), L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t l4_task_cap_valid(l4_cap_idx_t task, l4_cap_idx_t cap)
{
    return l4_task_cap_valid_u(task, cap, l4_utcb());
}

/* Label of the answer: 1 the same object with the same rights, 0 not. */
L4_INLINE l4_msgtag_t l4_task_cap_equal_u(l4_cap_idx_t task, l4_cap_idx_t cap_a,
                                          l4_cap_idx_t cap_b, l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);

    m->mr[0] = L4_TASK_CAP_INFO_OP;
    m->mr[1] = cap_a;
    m->mr[2] = cap_b;
    return l4_ipc_call(task, utcb, l4_msgtag(L4_PROTO_TASK, 3, 0, 0), L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t l4_task_cap_equal(l4_cap_idx_t task, l4_cap_idx_t cap_a, l4_cap_idx_t cap_b)
{
    return l4_task_cap_equal_u(task, cap_a, cap_b, l4_utcb());
}

/* Memory for UTCBs: *ku_mem is where it is wanted, on success where it is. */
L4_INLINE l4_msgtag_t l4_task_add_ku_mem_u(l4_cap_idx_t task, l4_fpage_t *ku_mem, l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);
    l4_msgtag_t tag;

    m->mr[0] = L4_TASK_ADD_KU_MEM_OP;
    m->mr[1] = ku_mem->raw;
    tag = l4_ipc_call(task, utcb, l4_msgtag(L4_PROTO_TASK, 2, 0, 0), L4_IPC_NEVER);
    if (l4_error_u(tag, utcb) >= 0 && l4_msgtag_words(tag) > 0)
        ku_mem->raw = m->mr[0];
    return tag;
}

L4_INLINE l4_msgtag_t l4_task_add_ku_mem(l4_cap_idx_t task, l4_fpage_t *ku_mem)
{
    return l4_task_add_ku_mem_u(task, ku_mem, l4_utcb());
}
