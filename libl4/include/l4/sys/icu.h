/*
 * l4/sys/icu.h - the interrupt controller: which irq object gets which line
 */
#pragma once

#include <l4/sys/ipc.h>
#include <l4/sys/kernel_object.h>

enum L4_icu_flags { L4_ICU_FLAG_MSI = 0x80000000 };

enum L4_irq_mode {
    L4_IRQ_F_NONE = 0,
    L4_IRQ_F_SET_MODE = 0x1,
    L4_IRQ_F_LEVEL = 0x2,
    L4_IRQ_F_EDGE = 0x0,
    L4_IRQ_F_POS = 0x0,
    L4_IRQ_F_NEG = 0x4,
    L4_IRQ_F_BOTH = 0x8,
    L4_IRQ_F_LEVEL_HIGH = 0x3,
    L4_IRQ_F_LEVEL_LOW = 0x7,
    L4_IRQ_F_POS_EDGE = 0x1,
    L4_IRQ_F_NEG_EDGE = 0x5,
    L4_IRQ_F_BOTH_EDGE = 0x9,
    L4_IRQ_F_MASK = 0xf,
};

typedef struct l4_icu_info_t {
    unsigned features; /* enum L4_icu_flags */
    unsigned nr_irqs;
    unsigned nr_msis;
} l4_icu_info_t;

L4_INLINE l4_msgtag_t __l4_icu_bind_op(l4_cap_idx_t icu, l4_umword_t op, unsigned irqnum,
                                       l4_cap_idx_t irq, l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);

    m->mr[0] = op;
    m->mr[1] = irqnum;
    __l4_add_obj_item(m, 2, irq);
    return l4_ipc_call(icu, utcb, l4_msgtag(L4_PROTO_IRQ, 2, 1, 0), L4_IPC_NEVER);
}

/* Label of the answer: 1: unmask at the controller, 0: at the irq object. */
L4_INLINE l4_msgtag_t l4_icu_bind_u(l4_cap_idx_t icu, unsigned irqnum, l4_cap_idx_t irq,
                                    l4_utcb_t *utcb)
{
    return __l4_icu_bind_op(icu, L4_ICU_BIND_OP, irqnum, irq, utcb);
}

L4_INLINE l4_msgtag_t l4_icu_bind(l4_cap_idx_t icu, unsigned irqnum, l4_cap_idx_t irq)
{
    return l4_icu_bind_u(icu, irqnum, irq, l4_utcb());
}

L4_INLINE l4_msgtag_t l4_icu_unbind_u(l4_cap_idx_t icu, unsigned irqnum, l4_cap_idx_t irq,
                                      l4_utcb_t *utcb)
{
    return __l4_icu_bind_op(icu, L4_ICU_UNBIND_OP, irqnum, irq, utcb);
}

L4_INLINE l4_msgtag_t l4_icu_unbind(l4_cap_idx_t icu, unsigned irqnum, l4_cap_idx_t irq)
{
    return l4_icu_unbind_u(icu, irqnum, irq, l4_utcb());
}

L4_INLINE l4_msgtag_t l4_icu_set_mode_u(l4_cap_idx_t icu, unsigned irqnum, l4_umword_t mode,
                                        l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);

    m->mr[0] = L4_ICU_SET_MODE_OP;
    m->mr[1] = irqnum;
    m->mr[2] = mode;
    return l4_ipc_call(icu, utcb, l4_msgtag(L4_PROTO_IRQ, 3, 0, 0), L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t l4_icu_set_mode(l4_cap_idx_t icu, unsigned irqnum, l4_umword_t mode)
{
    return l4_icu_set_mode_u(icu, irqnum, mode, l4_utcb());
}

L4_INLINE l4_msgtag_t l4_icu_info_u(l4_cap_idx_t icu, l4_icu_info_t *info, l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);
    l4_msgtag_t tag;

    m->mr[0] = L4_ICU_INFO_OP;
    tag = l4_ipc_call(icu, utcb, l4_msgtag(L4_PROTO_IRQ, 1, 0, 0), L4_IPC_NEVER);
    if (l4_error_u(tag, utcb) < 0)
        return tag;
    info->features = m->mr[0];
    info->nr_irqs = m->mr[1];
    info->nr_msis = m->mr[2];
    return tag;
}

L4_INLINE l4_msgtag_t l4_icu_info(l4_cap_idx_t icu, l4_icu_info_t *info)
{
    return l4_icu_info_u(icu, info, l4_utcb());
}

/* With a label pointer: also wait for any message. */
L4_INLINE l4_msgtag_t __l4_icu_control(l4_cap_idx_t icu, unsigned irqnum, l4_umword_t op,
                                       l4_umword_t *label, l4_timeout_t to, l4_utcb_t *utcb)
{
    l4_msgtag_t tag = l4_msgtag(L4_PROTO_IRQ, 2, 0, 0);

    utcb->msg.mr[0] = op;
    utcb->msg.mr[1] = irqnum;
    return label ? l4_ipc_send_and_wait(icu, utcb, tag, label, to)
                 : l4_ipc_send(icu, utcb, tag, to);
}

L4_INLINE l4_msgtag_t l4_icu_unmask_u(l4_cap_idx_t icu, unsigned irqnum, l4_umword_t *label,
                                      l4_timeout_t to, l4_utcb_t *utcb)
{
    return __l4_icu_control(icu, irqnum, L4_ICU_UNMASK_OP, label, to, utcb);
}

L4_INLINE l4_msgtag_t l4_icu_unmask(l4_cap_idx_t icu, unsigned irqnum, l4_umword_t *label,
                                    l4_timeout_t to)
{
    return l4_icu_unmask_u(icu, irqnum, label, to, l4_utcb());
}

L4_INLINE l4_msgtag_t l4_icu_mask_u(l4_cap_idx_t icu, unsigned irqnum, l4_umword_t *label,
                                    l4_timeout_t to, l4_utcb_t *utcb)
{
    return __l4_icu_control(icu, irqnum, L4_ICU_MASK_OP, label, to, utcb);
}

L4_INLINE l4_msgtag_t l4_icu_mask(l4_cap_idx_t icu, unsigned irqnum, l4_umword_t *label,
                                  l4_timeout_t to)
{
    return l4_icu_mask_u(icu, irqnum, label, to, l4_utcb());
}
