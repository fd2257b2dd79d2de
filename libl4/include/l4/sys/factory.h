/*
 * l4/sys/factory.h - creating kernel objects, and whatever servers create
 *
 *   MR0 protocol of the object, then typed arguments (length << 16 | type, value ...)
 *   BR0 the slot for the new capability
 *
 * l4_factory_create_start_u, _add_..._u and _commit_u build any such call.
 */
#pragma once

#include <l4/sys/ipc.h>
#include <l4/sys/kernel_object.h>

L4_INLINE l4_msgtag_t l4_factory_create_start_u(long obj, l4_cap_idx_t target, l4_utcb_t *utcb)
{
    l4_utcb_mr_u(utcb)->mr[0] = obj;
    utcb->buf.bdr = 0;
    utcb->buf.br[0] = (target & L4_CAP_MASK) | L4_RCV_ITEM_SINGLE_CAP;
    return l4_msgtag(L4_PROTO_FACTORY, 1, 0, 0);
}

/* Each returns 1, or 0 when the message is full. */
L4_INLINE int __l4_factory_add(l4_umword_t type, l4_umword_t value, l4_msgtag_t *tag,
                               l4_utcb_t *utcb)
{
    unsigned w = l4_msgtag_words(*tag);

    if (w + 2 > L4_UTCB_GENERIC_DATA_SIZE)
        return 0;
    utcb->msg.mr[w] = type | sizeof(l4_umword_t) << 16;
    utcb->msg.mr[w + 1] = value;
    tag->raw += 2;
    return 1;
}

L4_INLINE int l4_factory_create_add_fpage_u(l4_fpage_t d, l4_msgtag_t *tag, l4_utcb_t *utcb)
{
    return __l4_factory_add(L4_VARG_TYPE_FPAGE, d.raw, tag, utcb);
}

L4_INLINE int l4_factory_create_add_int_u(l4_mword_t d, l4_msgtag_t *tag, l4_utcb_t *utcb)
{
    return __l4_factory_add(L4_VARG_TYPE_MWORD, (l4_umword_t)d, tag, utcb);
}

L4_INLINE int l4_factory_create_add_uint_u(l4_umword_t d, l4_msgtag_t *tag, l4_utcb_t *utcb)
{
    return __l4_factory_add(L4_VARG_TYPE_UMWORD, d, tag, utcb);
}

L4_INLINE int l4_factory_create_add_lstr_u(char const *s, unsigned len, l4_msgtag_t *tag,
                                           l4_utcb_t *utcb)
{
    unsigned w = l4_msgtag_words(*tag);
    unsigned words = l4_bytes_to_mwords(len);

    if (len > 8 * L4_UTCB_GENERIC_DATA_SIZE || w + 1 + words > L4_UTCB_GENERIC_DATA_SIZE)
        return 0;
    utcb->msg.mr[w] = L4_VARG_TYPE_STRING | (l4_umword_t)len << 16;
    if (words > 0)
        utcb->msg.mr[w + words] = 0; /* the last word may be filled in part only */
    __builtin_memcpy(&utcb->msg.mr[w + 1], s, len);
    tag->raw += 1 + words;
    return 1;
}

/* With the terminating zero. */
L4_INLINE int l4_factory_create_add_str_u(char const *s, l4_msgtag_t *tag, l4_utcb_t *utcb)
{
    return l4_factory_create_add_lstr_u(s, __builtin_strlen(s) + 1, tag, utcb);
}

L4_INLINE int l4_factory_create_add_nil_u(l4_msgtag_t *tag, l4_utcb_t *utcb)
{
    unsigned w = l4_msgtag_words(*tag);

    if (w + 1 > L4_UTCB_GENERIC_DATA_SIZE)
        return 0;
    utcb->msg.mr[w] = L4_VARG_TYPE_NIL;
    tag->raw += 1;
    return 1;
}

L4_INLINE l4_msgtag_t l4_factory_create_commit_u(l4_cap_idx_t factory, l4_msgtag_t tag,
                                                 l4_utcb_t *utcb)
{
    return l4_ipc_call(factory, utcb, tag, L4_IPC_NEVER);
}

/* An object without arguments; `obj` is its protocol. -L4_ENODEV: the factory knows no such. */
L4_INLINE l4_msgtag_t l4_factory_create_u(l4_cap_idx_t factory, long obj, l4_cap_idx_t target,
                                          l4_utcb_t *utcb)
{
    return l4_factory_create_commit_u(factory, l4_factory_create_start_u(obj, target, utcb), utcb);
}

L4_INLINE l4_msgtag_t l4_factory_create(l4_cap_idx_t factory, long obj, l4_cap_idx_t target)
{
    return l4_factory_create_u(factory, obj, target, l4_utcb());
}

/* *utcb_area: where kernel-user memory is wanted, on success what the task got. */
L4_INLINE l4_msgtag_t l4_factory_create_task_u(l4_cap_idx_t factory, l4_cap_idx_t target_cap,
                                               l4_fpage_t *utcb_area, l4_utcb_t *utcb)
{
    l4_msgtag_t tag = l4_factory_create_start_u(L4_PROTO_TASK, target_cap, utcb);

    l4_factory_create_add_fpage_u(*utcb_area, &tag, utcb);
    tag = l4_factory_create_commit_u(factory, tag, utcb);
    if (l4_error_u(tag, utcb) >= 0 && l4_msgtag_words(tag) > 0)
        utcb_area->raw = utcb->msg.mr[0];
    return tag;
}

L4_INLINE l4_msgtag_t l4_factory_create_task(l4_cap_idx_t factory, l4_cap_idx_t target_cap,
                                             l4_fpage_t *utcb_area)
{
    return l4_factory_create_task_u(factory, target_cap, utcb_area, l4_utcb());
}

L4_INLINE l4_msgtag_t l4_factory_create_thread_u(l4_cap_idx_t factory, l4_cap_idx_t target_cap,
                                                 l4_utcb_t *utcb)
{
    return l4_factory_create_u(factory, L4_PROTO_THREAD, target_cap, utcb);
}

L4_INLINE l4_msgtag_t l4_factory_create_thread(l4_cap_idx_t factory, l4_cap_idx_t target_cap)
{
    return l4_factory_create_thread_u(factory, target_cap, l4_utcb());
}

/* `limit` bytes of kernel memory are taken from `factory` at once. */
L4_INLINE l4_msgtag_t l4_factory_create_factory_u(l4_cap_idx_t factory, l4_cap_idx_t target_cap,
                                                  unsigned long limit, l4_utcb_t *utcb)
{
    l4_msgtag_t tag = l4_factory_create_start_u(L4_PROTO_FACTORY, target_cap, utcb);

    l4_factory_create_add_uint_u(limit, &tag, utcb);
    return l4_factory_create_commit_u(factory, tag, utcb);
}

L4_INLINE l4_msgtag_t l4_factory_create_factory(l4_cap_idx_t factory, l4_cap_idx_t target_cap,
                                                unsigned long limit)
{
    return l4_factory_create_factory_u(factory, target_cap, limit, l4_utcb());
}

/* thread may be L4_INVALID_CAP (l4_rcv_ep_bind_thread later). The label's low 2 bits are zero. */
L4_INLINE l4_msgtag_t l4_factory_create_gate_u(l4_cap_idx_t factory, l4_cap_idx_t target_cap,
                                               l4_cap_idx_t thread_cap, l4_umword_t label,
                                               l4_utcb_t *utcb)
{
    l4_msgtag_t tag = l4_factory_create_start_u(0, target_cap, utcb);

    l4_factory_create_add_uint_u(label, &tag, utcb);
    if (l4_is_valid_cap(thread_cap)) {
        __l4_add_obj_item(l4_utcb_mr_u(utcb), 3, thread_cap);
        tag.raw += 1 << L4_MSGTAG_ITEMS_SHIFT;
    }
    return l4_factory_create_commit_u(factory, tag, utcb);
}

L4_INLINE l4_msgtag_t l4_factory_create_gate(l4_cap_idx_t factory, l4_cap_idx_t target_cap,
                                             l4_cap_idx_t thread_cap, l4_umword_t label)
{
    return l4_factory_create_gate_u(factory, target_cap, thread_cap, label, l4_utcb());
}

L4_INLINE l4_msgtag_t l4_factory_create_irq_u(l4_cap_idx_t factory, l4_cap_idx_t target_cap,
                                              l4_utcb_t *utcb)
{
    return l4_factory_create_u(factory, L4_PROTO_IRQ_SENDER, target_cap, utcb);
}

L4_INLINE l4_msgtag_t l4_factory_create_irq(l4_cap_idx_t factory, l4_cap_idx_t target_cap)
{
    return l4_factory_create_irq_u(factory, target_cap, l4_utcb());
}
