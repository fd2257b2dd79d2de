/*
 * l4/sys/vcon.h - the log, or any other console
 */
#pragma once

#include <l4/sys/ipc.h>

enum L4_vcon_read_flags {
    L4_VCON_READ_SIZE_MASK = 0x3fffffff,
    L4_VCON_READ_STAT_BREAK = 1 << 30,
};

enum L4_vcon_i_flags { L4_VCON_INLCR = 0100, L4_VCON_IGNCR = 0200, L4_VCON_ICRNL = 0400 };
enum L4_vcon_o_flags { L4_VCON_ONLCR = 04, L4_VCON_OCRNL = 010, L4_VCON_ONLRET = 040 };
enum L4_vcon_l_flags { L4_VCON_ICANON = 02, L4_VCON_ECHO = 010 };

typedef struct l4_vcon_attr_t {
    l4_umword_t i_flags;
    l4_umword_t o_flags;
    l4_umword_t l_flags;
} l4_vcon_attr_t;

/* Send without waiting for an answer. size <= L4_VCON_WRITE_SIZE bytes. */
L4_INLINE l4_msgtag_t l4_vcon_send_u(l4_cap_idx_t vcon, char const *buf, unsigned size,
                                     l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);

    m->mr[0] = L4_VCON_WRITE_OP;
    m->mr[1] = size;
    __builtin_memcpy(&m->mr[2], buf, size);
    return l4_ipc_send(vcon, utcb,
                       l4_msgtag(L4_PROTO_LOG, 2 + l4_bytes_to_mwords(size), 0,
                                 L4_MSGTAG_SCHEDULE),
                       L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t l4_vcon_send(l4_cap_idx_t vcon, char const *buf, unsigned size)
{
    return l4_vcon_send_u(vcon, buf, size, l4_utcb());
}

/* Bytes written, which may be fewer than size, or -L4_E... */
L4_INLINE long l4_vcon_write_u(l4_cap_idx_t vcon, char const *buf, unsigned size, l4_utcb_t *utcb)
{
    l4_msgtag_t tag;

    if (size > L4_VCON_WRITE_SIZE)
        size = L4_VCON_WRITE_SIZE;
    tag = l4_vcon_send_u(vcon, buf, size, utcb);
    return l4_msgtag_has_error(tag) ? l4_error_u(tag, utcb) : (long)size;
}

L4_INLINE long l4_vcon_write(l4_cap_idx_t vcon, char const *buf, unsigned size)
{
    return l4_vcon_write_u(vcon, buf, size, l4_utcb());
}

/* Characters read (size + 1: there are more), | L4_VCON_READ_STAT_BREAK, or -L4_E... */
L4_INLINE int l4_vcon_read_with_flags_u(l4_cap_idx_t vcon, char *buf, unsigned size,
                                        l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);
    unsigned status, n;
    long err;

    m->mr[0] = (l4_umword_t)size << 16 | L4_VCON_READ_OP;
    err = l4_error_u(
        l4_ipc_call(vcon, utcb, l4_msgtag(L4_PROTO_LOG, 1, 0, 0), L4_IPC_NEVER), utcb);
    if (err < 0)
        return (int)err;
    status = (unsigned)m->mr[0];
    n = status & L4_VCON_READ_SIZE_MASK;
    if (n > size)
        n = size;
    if (n > L4_VCON_READ_SIZE)
        n = L4_VCON_READ_SIZE;
    if (buf)
        __builtin_memcpy(buf, &m->mr[1], n);
    return (int)((status & L4_VCON_READ_STAT_DONE ? n : size + 1) |
                 (status & L4_VCON_READ_STAT_BREAK));
}

L4_INLINE int l4_vcon_read_with_flags(l4_cap_idx_t vcon, char *buf, unsigned size)
{
    return l4_vcon_read_with_flags_u(vcon, buf, size, l4_utcb());
}

L4_INLINE int l4_vcon_read_u(l4_cap_idx_t vcon, char *buf, unsigned size, l4_utcb_t *utcb)
{
    int r = l4_vcon_read_with_flags_u(vcon, buf, size, utcb);

    return r < 0 ? r : r & L4_VCON_READ_SIZE_MASK;
}

L4_INLINE int l4_vcon_read(l4_cap_idx_t vcon, char *buf, unsigned size)
{
    return l4_vcon_read_u(vcon, buf, size, l4_utcb());
}

L4_INLINE l4_msgtag_t l4_vcon_set_attr_u(l4_cap_idx_t vcon, l4_vcon_attr_t const *attr,
                                         l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);

    m->mr[0] = L4_VCON_SET_ATTR_OP;
    m->mr[1] = attr->i_flags;
    m->mr[2] = attr->o_flags;
    m->mr[3] = attr->l_flags;
    return l4_ipc_call(vcon, utcb, l4_msgtag(L4_PROTO_LOG, 4, 0, 0), L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t l4_vcon_set_attr(l4_cap_idx_t vcon, l4_vcon_attr_t const *attr)
{
    return l4_vcon_set_attr_u(vcon, attr, l4_utcb());
}

L4_INLINE l4_msgtag_t l4_vcon_get_attr_u(l4_cap_idx_t vcon, l4_vcon_attr_t *attr,
                                         l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);
    l4_msgtag_t tag;

    m->mr[0] = L4_VCON_GET_ATTR_OP;
    tag = l4_ipc_call(vcon, utcb, l4_msgtag(L4_PROTO_LOG, 1, 0, 0), L4_IPC_NEVER);
    if (l4_error_u(tag, utcb) >= 0) {
        attr->i_flags = m->mr[1];
        attr->o_flags = m->mr[2];
        attr->l_flags = m->mr[3];
    }
    return tag;
}

L4_INLINE l4_msgtag_t l4_vcon_get_attr(l4_cap_idx_t vcon, l4_vcon_attr_t *attr)
{
    return l4_vcon_get_attr_u(vcon, attr, l4_utcb());
}

L4_INLINE void l4_vcon_set_attr_raw(l4_vcon_attr_t *attr)
{
    attr->i_flags = attr->o_flags = attr->l_flags = 0;
}
