/*
 * fpage.c - the rule of the two windows
 *
 *   send    |-------------------------------|  2^s        s > r: the receiver sees the part of
 *                   ^ hot spot                            the send window at the hot spot
 *   receive     |-------|                      2^r        s <= r: the send window appears in the
 *                                                         receive window at the hot spot
 *
 * F1  src and dst are multiples of 2^order, order = min(s, r).
 * F2  [src, +2^order) lies within the send window, [dst, +2^order) within the receive window.
 * F3  Only hot_spot mod 2^max(s, r) matters; s = r ignores it.
 */
#include <common/fpage.h>

struct meeting fpage_meet(l4_umword_t send_base, unsigned send_order, l4_umword_t rcv_base,
                          unsigned rcv_order, l4_umword_t hot_spot)
{
    l4_umword_t send = order_mask(send_order), rcv = order_mask(rcv_order);
    struct meeting m = {.src = send_base & ~send, .dst = rcv_base & ~rcv};

    if (send_order <= rcv_order) {
        m.dst += hot_spot & rcv & ~send;
        m.order = send_order;
    } else {
        m.src += hot_spot & send & ~rcv;
        m.order = rcv_order;
    }
    return m;
}
