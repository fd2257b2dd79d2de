/*
 * abi/sigma0.h - the RAM service: opcodes of label MEM_ALLOC on an account's gate at sigma0
 *
 *   op          message words                  answer
 *   0 ALLOC     MR0 op, MR1 order              MR0 address; item: the block, hot spot = address
 *   1 FREE      MR0 op, MR1 memory flexpage    -
 *   2 QUERY     MR0 op                         MR0 quota, MR1 used (bytes)
 *   3 RELEASE   MR0 op                         -  the account, its children and its gate are gone
 *
 * A new account: factory protocol, MR0 = L4_PROTO_SIGMA0, MR1 = 8 << 16 | 1, MR2 = quota in bytes;
 * one object buffer. Answer: item, the account's gate.
 */
#pragma once

enum sigma0_ram_ops {
    SIGMA0_RAM_ALLOC = 0,
    SIGMA0_RAM_FREE = 1,
    SIGMA0_RAM_QUERY = 2,
    SIGMA0_RAM_RELEASE = 3,
};
