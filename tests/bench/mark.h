/*
 * mark.h - regions that the plugin in tools/plugin looks at
 *
 * A mark is a no-operation on any machine. The guest prints the regions' names, so that the host
 * needs no list of its own.
 */
#pragma once

#include "bench.h"

#define BENCH_REGIONS(X)                                                                           \
    X(ipc_cross_0)                                                                                 \
    X(ipc_cross_0_fpu)                                                                             \
    X(ipc_cross_8)                                                                                 \
    X(ipc_cross_63)                                                                                \
    X(ipc_same_0)                                                                                  \
    X(invoke_min)                                                                                  \
    X(fault_1)                                                                                     \
    X(map_4k)                                                                                      \
    X(unmap_1)                                                                                     \
    X(map_4m_4k)                                                                                   \
    X(unmap_4m_4k)                                                                                 \
    X(map_4m_2m)                                                                                   \
    X(unmap_4m_2m)                                                                                 \
    X(task_create)                                                                                 \
    X(task_delete)                                                                                 \
    X(unmap_100000)                                                                                \
    X(unmap_chain_10000)                                                                           \
    X(delete_task_100000)                                                                          \
    X(create_task_64k)                                                                             \
    X(map_caps_512)                                                                                \
    X(unmap_caps_512)                                                                              \
    X(unmap_nothing_61)                                                                            \
    X(fault_2_fresh)                                                                               \
    X(fault_2_refault)                                                                             \
    X(fault_cow)                                                                                   \
    X(fault_cow_read)                                                                              \
    X(touch_ahead)                                                                                 \
    X(rm_attach)                                                                                   \
    X(rm_detach)

enum bench_region {
    REGION_none,
#define X(name) REGION_##name,
    BENCH_REGIONS(X)
#undef X
};

static inline void bench_print_regions(void)
{
#define X(name) printf("region %d %s\n", REGION_##name, #name);
    BENCH_REGIONS(X)
#undef X
}

#define MARK(word) __asm__ volatile("nopl %c0(%%rax)" : : "i"(word) : "memory")
#define MARK_BEGIN(region) MARK(0x51420000 + (region))
#define MARK_END(region) MARK(0x51450000 + (region))

/* Do it `times` times, each a pass of the region; `after` is not looked at. */
#define MARKED(region, times, statement, after)                                                    \
    for (unsigned pass_ = 0; pass_ < (times); pass_++) {                                           \
        MARK_BEGIN(region);                                                                        \
        statement;                                                                                 \
        MARK_END(region);                                                                          \
        after;                                                                                     \
    }
