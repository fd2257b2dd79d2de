/*
 * abi/errors.h - every error code, once
 *
 * L4_ERRORS(X): X(name, number, text). A function returns 0 (or a result >= 0) or -L4_name.
 * L4_IPC_ERRORS(X): the thread control word `error` after an IPC; as errno it is -(EIPC_LO + n).
 * The lowest bit of an IPC error tells the phase: 0 send, 1 receive.
 */
#pragma once

/* clang-format off */
#define L4_ERRORS(X)                                                 \
    X(EOK, 0, "success")                                             \
    X(EPERM, 1, "no permission")                                     \
    X(ENOENT, 2, "no such entity")                                   \
    X(EIO, 5, "input/output error")                                  \
    X(ENXIO, 6, "no such device or address")                         \
    X(E2BIG, 7, "argument value too big")                            \
    X(EAGAIN, 11, "try again")                                       \
    X(ENOMEM, 12, "out of memory")                                   \
    X(EACCESS, 13, "access denied")                                  \
    X(EFAULT, 14, "bad address")                                     \
    X(EBUSY, 16, "busy")                                             \
    X(EEXIST, 17, "exists already")                                  \
    X(ENODEV, 19, "no such device or object type")                   \
    X(EINVAL, 22, "invalid argument")                                \
    X(ENOSPC, 28, "no space left")                                   \
    X(ERANGE, 34, "out of range")                                    \
    X(ENAMETOOLONG, 36, "name too long")                             \
    X(ENOSYS, 38, "operation not known")                             \
    X(EBADPROTO, 39, "protocol not known")                           \
    X(EADDRNOTAVAIL, 99, "address not available")                    \
    X(ENOREPLY, 1000, "no reply wanted")                             \
    X(EMSGTOOSHORT, 1001, "message too short")                       \
    X(EMSGTOOLONG, 1002, "message too long")                         \
    X(EMSGMISSARG, 1003, "message lacks an item")

#define L4_IPC_ERRORS(X)                                             \
    X(SETIMEOUT, 0x2, "timeout while sending")                       \
    X(RETIMEOUT, 0x3, "timeout while receiving")                     \
    X(ENOT_EXISTENT, 0x4, "partner does not exist")                  \
    X(SECANCELED, 0x6, "cancelled while sending")                    \
    X(RECANCELED, 0x7, "cancelled while receiving")                  \
    X(SEMSGCUT, 0x8, "message cut, told to the sender")              \
    X(REMSGCUT, 0x9, "message cut, told to the receiver")            \
    X(SESNDPFTO, 0xa, "timeout in the sender's page fault, sender")  \
    X(RESNDPFTO, 0xb, "timeout in the sender's page fault, receiver") \
    X(SERCVPFTO, 0xc, "timeout in the receiver's page fault, sender") \
    X(RERCVPFTO, 0xd, "timeout in the receiver's page fault, receiver") \
    X(SEABORTED, 0xe, "aborted while sending")                       \
    X(REABORTED, 0xf, "aborted while receiving")                     \
    X(SEMAPFAILED, 0x10, "mapping failed, told to the sender")       \
    X(REMAPFAILED, 0x11, "mapping failed, told to the receiver")
/* clang-format on */

enum l4_error_code_t {
#define X(name, number, text) L4_##name = number,
    L4_ERRORS(X)
#undef X
        L4_EIPC_LO = 2000,
    L4_EIPC_HI = 2000 + 0x1f,
    L4_ERRNOMAX = 2000,
};

enum l4_ipc_tcr_error_t {
    L4_IPC_ERROR_MASK = 0x1f,
    L4_IPC_SND_ERR_MASK = 0x01,
#define X(name, number, text) L4_IPC_##name = number,
    L4_IPC_ERRORS(X)
#undef X
};
