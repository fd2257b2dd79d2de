/*
 * abi/types.h - the words that kernel and programs share
 *
 * Everything is a 64-bit word (l4_umword_t). A capability index is slot << 12,
 * so its low 12 bits are free for the operation bits of the system call.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef uint8_t l4_uint8_t;
typedef uint16_t l4_uint16_t;
typedef uint32_t l4_uint32_t;
typedef uint64_t l4_uint64_t;
typedef int8_t l4_int8_t;
typedef int16_t l4_int16_t;
typedef int32_t l4_int32_t;
typedef int64_t l4_int64_t;
typedef unsigned long l4_umword_t;
typedef signed long l4_mword_t;
typedef unsigned long l4_addr_t;
typedef unsigned long l4_size_t;
typedef unsigned long l4_cap_idx_t;
typedef unsigned long l4_cpu_time_t;     /* microseconds */
typedef unsigned long l4_kernel_clock_t; /* microseconds since boot */

/* Pages */
#define L4_PAGESHIFT 12
#define L4_PAGESIZE (1UL << L4_PAGESHIFT)
#define L4_PAGEMASK (~(L4_PAGESIZE - 1))
#define L4_SUPERPAGESHIFT 21
#define L4_SUPERPAGESIZE (1UL << L4_SUPERPAGESHIFT)
#define L4_SUPERPAGEMASK (~(L4_SUPERPAGESIZE - 1))
#define L4_LOG2_PAGESIZE L4_PAGESHIFT
#define L4_LOG2_SUPERPAGESIZE L4_SUPERPAGESHIFT

/* User addresses are [0, L4_USER_END). The last page below the canonical hole stays unused,
 * so no instruction in user space can be followed by a non-canonical one. */
#define L4_USER_END 0x7ffffffff000UL

/* Capability indices */
#define L4_CAP_SHIFT 12
#define L4_CAP_OFFSET (1UL << L4_CAP_SHIFT)
#define L4_CAP_MASK (~(L4_CAP_OFFSET - 1))
#define L4_INVALID_CAP (~0UL << (L4_CAP_SHIFT - 1))
#define L4_INVALID_CAP_BIT (1UL << (L4_CAP_SHIFT - 1))
/* Slots of one capability table: [0, L4_CAP_SLOTS). */
#define L4_CAP_SLOTS (1UL << 18)

/* Initial capabilities of every task (slot << 12). */
#define L4_BASE_TASK_CAP (1UL << L4_CAP_SHIFT)
#define L4_BASE_FACTORY_CAP (2UL << L4_CAP_SHIFT)
#define L4_BASE_THREAD_CAP (3UL << L4_CAP_SHIFT)
#define L4_BASE_PAGER_CAP (4UL << L4_CAP_SHIFT)
#define L4_BASE_LOG_CAP (5UL << L4_CAP_SHIFT)
#define L4_BASE_ICU_CAP (6UL << L4_CAP_SHIFT)
#define L4_BASE_SCHEDULER_CAP (7UL << L4_CAP_SHIFT)
#define L4_BASE_IOMMU_CAP (8UL << L4_CAP_SHIFT)
#define L4_BASE_DEBUGGER_CAP (9UL << L4_CAP_SHIFT)
#define L4_BASE_CAPS_LAST_P1 10UL
