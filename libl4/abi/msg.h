/*
 * abi/msg.h - message tag, system call word, items, timeouts
 *
 * Tag:          label << 16 | flags (0xf000) | items << 6 | words
 * System call:  rdx = capability | operation bits      rax = tag | L4_SYSCALL_MARK
 *               rsi = label to send / label received    r8  = timeouts (send << 16 | receive)
 *               clobbered: rcx, r11, r15. Results: rax tag, rsi label.
 *
 * L4_SYSCALL_MARK tells an L4 call from a foreign one (a Linux number in rax, say): a system call
 * whose rax lacks the bit becomes an exception message to the thread's exception handler. The
 * fast path compares tag flags anyway, so the test costs nothing.
 *
 * Send item:    word 0 = send base (bits 12..) | attributes (4..7) | 8 | grant 2 | compound 1
 *               word 1 = flexpage
 * Receive item: word 0 = 8 | small 2 | local id 4 | forward 1 (small: capability index in
 * bits 12..) word 1 = window flexpage (not for small) Returned:     word 0 = send base | order << 6
 * | type << 4 | 8 | kind word 1 = flexpage or label
 *
 * Timeout (16 bits): 0 never; bit 15 clear: mantissa (10 bits) << exponent (bits 10-14)
 * microseconds; mantissa 0 with exponent != 0: zero. Bit 15 set: absolute, buffer register in the
 * low bits.
 */
#pragma once

#include <abi/types.h>

typedef struct l4_msgtag_t {
    l4_mword_t raw;
} l4_msgtag_t;

enum l4_msgtag_flags {
    L4_MSGTAG_ERROR = 0x8000,
    L4_SYSCALL_MARK = 0x4000,
    L4_MSGTAG_SCHEDULE = 0x2000,
    L4_MSGTAG_TRANSFER_FPU = 0x1000,
    L4_MSGTAG_FLAGS = 0xf000,
};

enum { L4_MSGTAG_WORDS_MASK = 0x3f, L4_MSGTAG_ITEMS_SHIFT = 6, L4_MSGTAG_LABEL_SHIFT = 16 };

enum l4_syscall_flags_t {
    L4_SYSF_NONE = 0x00,
    L4_SYSF_SEND = 0x01,
    L4_SYSF_RECV = 0x02,
    L4_SYSF_OPEN_WAIT = 0x04,
    L4_SYSF_REPLY = 0x08,
    L4_SYSF_CALL = L4_SYSF_SEND | L4_SYSF_RECV,
    L4_SYSF_WAIT = L4_SYSF_OPEN_WAIT | L4_SYSF_RECV,
    L4_SYSF_SEND_AND_WAIT = L4_SYSF_OPEN_WAIT | L4_SYSF_CALL,
    L4_SYSF_REPLY_AND_WAIT = L4_SYSF_WAIT | L4_SYSF_SEND | L4_SYSF_REPLY,
    L4_SYSF_MASK = 0x0f,
};

/* Send items */
enum l4_msg_item_consts_t {
    L4_ITEM_CONT = 1, /* compound: the next item goes into the same window */
    L4_ITEM_MAP = 8,
    L4_MAP_ITEM_MAP = 0,
    L4_MAP_ITEM_GRANT = 2,
    L4_RCV_ITEM_FORWARD_MAPPINGS = 1,
    L4_RCV_ITEM_SINGLE_CAP = L4_ITEM_MAP | 2,
    L4_RCV_ITEM_LOCAL_ID = 4,
    /* kind in a returned item */
    L4_ITEM_RET_MAPPED = 0,
    L4_ITEM_RET_NOTHING = 2,
    L4_ITEM_RET_LABEL = 4,
    L4_ITEM_RET_FPAGE = 6,
    L4_ITEM_RET_MASK = 6,
};

/* Memory attributes of a send item */
enum l4_fpage_cacheability_opt_t {
    L4_FPAGE_CACHE_OPT = 0x1, /* shifted by 4 in the item: 0x10 */
    L4_FPAGE_CACHEABLE = 0x3,
    L4_FPAGE_BUFFERABLE = 0x5,
    L4_FPAGE_UNCACHEABLE = 0x1,
};
enum { L4_ITEM_ATTR_SHIFT = 4, L4_ITEM_ATTR_MASK = 0xf0 };

/* Page-fault message: MR0 = address & ~7 | bits, MR1 = instruction pointer */
enum l4_page_fault_bits {
    L4_PF_PRESENT = 1, /* page present, access not allowed */
    L4_PF_WRITE = 2,
    L4_PF_FETCH = 4,
    L4_PF_BITS = 7,
};

/* Timeouts */
typedef struct l4_timeout_s {
    l4_uint16_t t;
} l4_timeout_s;

typedef union l4_timeout_t {
    l4_uint32_t raw;
    struct {
        l4_timeout_s rcv;
        l4_timeout_s snd;
    } p;
} l4_timeout_t;

enum { L4_TIMEOUT_ABS = 0x8000, L4_TIMEOUT_ZERO = 0x0400, L4_TIMEOUT_NEVER = 0 };
