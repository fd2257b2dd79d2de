/*
 * l4/sys/types.h - message tags and capability indices
 */
#pragma once

#include <abi/msg.h>
#include <abi/protocols.h>

#include <l4/sys/compiler.h>
#include <l4/sys/consts.h>
#include <l4/sys/l4int.h>
#include <l4/sys/__l4_fpage.h>
#include <l4/sys/__timeout.h>

/* words and items in units of themselves, flags: enum l4_msgtag_flags */
L4_INLINE l4_msgtag_t l4_msgtag(long label, unsigned words, unsigned items, unsigned flags)
{
    l4_msgtag_t t = {(l4_mword_t)((l4_umword_t)label << L4_MSGTAG_LABEL_SHIFT |
                                  (words & L4_MSGTAG_WORDS_MASK) |
                                  (items & 0x3f) << L4_MSGTAG_ITEMS_SHIFT |
                                  (flags & L4_MSGTAG_FLAGS))};

    return t;
}

L4_INLINE long l4_msgtag_label(l4_msgtag_t t)
{
    return t.raw >> L4_MSGTAG_LABEL_SHIFT;
}

L4_INLINE unsigned l4_msgtag_words(l4_msgtag_t t)
{
    return t.raw & L4_MSGTAG_WORDS_MASK;
}

L4_INLINE unsigned l4_msgtag_items(l4_msgtag_t t)
{
    return t.raw >> L4_MSGTAG_ITEMS_SHIFT & 0x3f;
}

L4_INLINE unsigned l4_msgtag_flags(l4_msgtag_t t)
{
    return t.raw & L4_MSGTAG_FLAGS;
}

L4_INLINE unsigned l4_msgtag_has_error(l4_msgtag_t t)
{
    return t.raw & L4_MSGTAG_ERROR;
}

L4_INLINE unsigned l4_msgtag_is_page_fault(l4_msgtag_t t)
{
    return l4_msgtag_label(t) == L4_PROTO_PAGE_FAULT;
}

L4_INLINE unsigned l4_msgtag_is_exception(l4_msgtag_t t)
{
    return l4_msgtag_label(t) == L4_PROTO_EXCEPTION;
}

L4_INLINE unsigned l4_msgtag_is_sigma0(l4_msgtag_t t)
{
    return l4_msgtag_label(t) == L4_PROTO_SIGMA0;
}

L4_INLINE unsigned l4_msgtag_is_io_page_fault(l4_msgtag_t t)
{
    return l4_msgtag_label(t) == L4_PROTO_IO_PAGE_FAULT;
}

/* Both ways of saying "none": the invalid bit, and an index beyond every table. */
L4_INLINE unsigned l4_is_invalid_cap(l4_cap_idx_t c)
{
    return (c & L4_INVALID_CAP_BIT) || (l4_mword_t)c < 0;
}

L4_INLINE unsigned l4_is_valid_cap(l4_cap_idx_t c)
{
    return !l4_is_invalid_cap(c);
}

L4_INLINE unsigned l4_capability_equal(l4_cap_idx_t a, l4_cap_idx_t b)
{
    return a >> L4_CAP_SHIFT == b >> L4_CAP_SHIFT;
}

L4_INLINE l4_cap_idx_t l4_capability_next(l4_cap_idx_t c)
{
    return c + L4_CAP_OFFSET;
}
