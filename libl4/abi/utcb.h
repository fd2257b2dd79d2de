/*
 * abi/utcb.h - the user-level thread control block: 1 KiB, shared by a thread and the kernel
 *
 *   word   0 .. 62   message registers MR0..MR62
 *         63         address of this UTCB in the owner's space; gs:0 reads this word
 *         64         buffer descriptor: first memory buffer register (bits 0-4), first I/O (5-9),
 *                    first object (10-14), inherit FPU (24)
 *         65 .. 122  buffer registers BR0..BR57
 *        123         error of the last IPC (enum l4_ipc_tcr_error_t)
 *        124         free marker: 0 = this UTCB is free
 *        125 .. 127  user words
 *
 * U1  The kernel reads every word at most once per operation: a second thread may change it.
 */
#pragma once

#include <abi/types.h>

enum {
    L4_UTCB_GENERIC_DATA_SIZE = 63,
    L4_UTCB_GENERIC_BUFFERS_SIZE = 58,
    L4_UTCB_OFFSET = 1024, /* bytes between two UTCBs */
    L4_UTCB_SELF_WORD = 63,
    L4_UTCB_BDR_WORD = 64,
    L4_UTCB_TCR_WORD = 123,
    L4_UTCB_INHERIT_FPU = 1UL << 24,
};

typedef union l4_msg_regs_t {
    l4_umword_t mr[L4_UTCB_GENERIC_DATA_SIZE];
    l4_uint64_t mr64[L4_UTCB_GENERIC_DATA_SIZE];
} l4_msg_regs_t;

typedef struct l4_buf_regs_t {
    l4_umword_t bdr;
    l4_umword_t br[L4_UTCB_GENERIC_BUFFERS_SIZE];
} l4_buf_regs_t;

typedef struct l4_thread_regs_t {
    l4_umword_t error;
    l4_umword_t free_marker;
    l4_umword_t user[3];
} l4_thread_regs_t;

typedef struct l4_utcb_t {
    l4_msg_regs_t msg;
    l4_umword_t self;
    l4_buf_regs_t buf;
    l4_thread_regs_t tcr;
} l4_utcb_t;

/* Exception message (label -5): 26 words at MR0. In the order of L4Re's amd64 layout. */
typedef struct l4_exc_regs_t {
    l4_umword_t r15, r14, r13, r12, r11, r10, r9, r8;
    l4_umword_t rdi, rsi, rbp, pfa, rbx, rdx, rcx, rax;
    l4_umword_t trapno, err, ip, cs, flags, sp, ss;
    l4_umword_t fs_base, gs_base, ds_es_fs_gs;
} l4_exc_regs_t;

enum { L4_UTCB_EXCEPTION_REGS_SIZE = sizeof(l4_exc_regs_t) / sizeof(l4_umword_t) };

_Static_assert(sizeof(l4_utcb_t) == L4_UTCB_OFFSET, "UTCB is 1 KiB");
_Static_assert(offsetof(l4_utcb_t, self) == 8 * L4_UTCB_SELF_WORD, "gs:0");
_Static_assert(offsetof(l4_utcb_t, buf) == 8 * L4_UTCB_BDR_WORD, "BDR");
_Static_assert(offsetof(l4_utcb_t, tcr) == 8 * L4_UTCB_TCR_WORD, "TCR");
_Static_assert(L4_UTCB_EXCEPTION_REGS_SIZE == 26, "exception message");
