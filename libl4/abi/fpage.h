/*
 * abi/fpage.h - flexpages: 2^order bytes, ports or slots, aligned to their size
 *
 *   63                              12 11     6 5  4 3      0
 *   +---------------------------------+--------+----+--------+
 *   | page address, port, cap slot    | order  |type| rights |
 *   +---------------------------------+--------+----+--------+
 *
 * Memory: the address itself in bits 12.. (order >= 12). I/O and capabilities: port or slot
 * number << 12. Order 63 is the whole space.
 */
#pragma once

#include <abi/types.h>

typedef union l4_fpage_t {
    l4_umword_t raw;
    l4_umword_t fpage;
} l4_fpage_t;

enum l4_fpage_consts {
    L4_FPAGE_RIGHTS_SHIFT = 0,
    L4_FPAGE_TYPE_SHIFT = 4,
    L4_FPAGE_SIZE_SHIFT = 6,
    L4_FPAGE_ADDR_SHIFT = 12,
    L4_FPAGE_RIGHTS_BITS = 4,
    L4_FPAGE_TYPE_BITS = 2,
    L4_FPAGE_SIZE_BITS = 6,
    L4_FPAGE_RIGHTS_MASK = 0xf,
    L4_WHOLE_ADDRESS_SPACE = 63,
    L4_WHOLE_IOADDRESS_SPACE = 16,
    L4_IOPORT_MAX = 1 << 16,
};

enum l4_fpage_type {
    L4_FPAGE_SPECIAL = 0,
    L4_FPAGE_MEMORY = 1,
    L4_FPAGE_IO = 2,
    L4_FPAGE_OBJ = 3,
};

enum L4_fpage_rights {
    L4_FPAGE_X = 1,
    L4_FPAGE_W = 2,
    L4_FPAGE_RO = 4,
    L4_FPAGE_R = 4,
    L4_FPAGE_RW = 6,
    L4_FPAGE_RX = 5,
    L4_FPAGE_RWX = 7,
    L4_FPAGE_C_REF_CNT = 0x0,
    L4_FPAGE_FAULT_WRITE = 2,
    L4_FPAGE_FAULT_INSTR = 1,
    L4_FPAGE_RIGHTS_ALL = 0xf,
};

enum L4_cap_fpage_rights {
    L4_CAP_FPAGE_W = 0x1,
    L4_CAP_FPAGE_S = 0x2,
    L4_CAP_FPAGE_R = 0x4,
    L4_CAP_FPAGE_RO = 0x4,
    L4_CAP_FPAGE_D = 0x8,
    L4_CAP_FPAGE_RW = 0x5,
    L4_CAP_FPAGE_RS = 0x6,
    L4_CAP_FPAGE_RWS = 0x7,
    L4_CAP_FPAGE_RWSD = 0xf,
    L4_CAP_FPAGE_RWD = 0xd,
    L4_CAP_FPAGE_RD = 0xc,
};

/* Accessed and dirty, as unmap returns them in the rights of a flexpage. */
enum { L4_FPAGE_REFERENCED = 1, L4_FPAGE_DIRTY = 2 };
