/*
 * abi/protocols.h - message labels and the opcodes behind them
 *
 * The label is the upper part of the message tag. Negative labels belong to the kernel and to
 * sigma0, those from 0x4000 on to the servers in user space. The opcode is the low 16 bits of
 * message word 0, unless said otherwise.
 */
#pragma once

/* clang-format off */
#define L4_PROTOCOLS(X)              \
    X(NONE, 0)                       \
    X(ALLOW_SYSCALL, 1)              \
    X(IRQ, -1)                       \
    X(PAGE_FAULT, -2)                \
    X(EXCEPTION, -5)                 \
    X(SIGMA0, -6)                    \
    X(IO_PAGE_FAULT, -8)             \
    X(KOBJECT, -10)                  \
    X(TASK, -11)                     \
    X(THREAD, -12)                   \
    X(LOG, -13)                      \
    X(SCHEDULER, -14)                \
    X(FACTORY, -15)                  \
    X(VM, -16)                       \
    X(IRQ_SENDER, -18)               \
    X(SEMAPHORE, -20)                \
    X(META, -21)                     \
    X(DEBUGGER, -23)

#define L4RE_PROTOCOLS(X)            \
    X(DATASPACE, 0x4000)             \
    X(NAMESPACE, 0x4001)             \
    X(PARENT, 0x4002)                \
    X(RM, 0x4005)                    \
    X(MEM_ALLOC, 0x400b)             \
    X(STATS, 0x5100)                \
    X(STARTER, 0x5101)
/* clang-format on */

enum l4_msgtag_protocol {
#define X(name, number) L4_PROTO_##name = number,
    L4_PROTOCOLS(X)
#undef X
};

enum l4re_protocols_t {
#define X(name, number) L4RE_PROTO_##name = number,
    L4RE_PROTOCOLS(X)
#undef X
};

/* Task (-11) */
enum l4_task_ops {
    L4_TASK_MAP_OP = 0,      /* MR1 send base | attributes | grant, MR2 flexpage; item: src task */
    L4_TASK_UNMAP_OP = 1,    /* MR1 mask, MR2.. flexpages; answer: flexpages with accessed/dirty */
    L4_TASK_CAP_INFO_OP = 2, /* MR1 cap (valid), or MR1 cap a, MR2 cap b (equal); answer: label */
    L4_TASK_ADD_KU_MEM_OP = 3, /* MR1 flexpage; answer: MR0 flexpage used */
};

/* l4_task_unmap mask */
enum l4_unmap_flags_t {
    L4_FP_OTHER_SPACES = 0UL,
    L4_FP_ALL_SPACES = 0x80000000UL,
    L4_FP_DELETE_OBJ = 0xc0000000UL,
};

/* Thread (-12) */
enum l4_thread_ops {
    L4_THREAD_CONTROL_OP = 0,
    L4_THREAD_EX_REGS_OP =
        1, /* MR0 op | flags, MR1 ip, MR2 sp; answer: MR0 flags, MR1 ip, MR2 sp */
    L4_THREAD_SWITCH_OP = 2,
    L4_THREAD_STATS_OP = 3, /* answer: MR0 microseconds */
    L4_THREAD_VCPU_RESUME_OP = 4,
    L4_THREAD_REGISTER_DEL_IRQ_OP = 5,
    L4_THREAD_MODIFY_SENDER_OP = 6,
    L4_THREAD_VCPU_CONTROL_OP = 7,
    L4_THREAD_SET_SEGMENT_BASE_AMD64_OP = 0x12, /* MR0 op | segment << 16 (0 fs, 1 gs), MR1 base */
    L4_THREAD_OPCODE_MASK = 0xffff,
};

enum l4_thread_control_flags {
    L4_THREAD_CONTROL_SET_PAGER = 0x0010000,
    L4_THREAD_CONTROL_BIND_TASK = 0x0200000,
    L4_THREAD_CONTROL_ALIEN = 0x0400000,
    L4_THREAD_CONTROL_SET_EXC_HANDLER = 0x1000000,
};

enum l4_thread_control_mr_indices {
    L4_THREAD_CONTROL_MR_IDX_FLAGS = 0,
    L4_THREAD_CONTROL_MR_IDX_PAGER = 1,
    L4_THREAD_CONTROL_MR_IDX_EXC_HANDLER = 2,
    L4_THREAD_CONTROL_MR_IDX_FLAG_VALS = 4,
    L4_THREAD_CONTROL_MR_IDX_BIND_UTCB = 5,
    L4_THREAD_CONTROL_MR_IDX_BIND_TASK = 6,
};

enum l4_thread_ex_regs_flags {
    L4_THREAD_EX_REGS_CANCEL = 0x10000UL,
    L4_THREAD_EX_REGS_TRIGGER_EXCEPTION = 0x20000UL,
};

/* Factory (-15): MR0 = protocol of the new object, then typed arguments; item 0 of the buffer
 * registers names the slot. */
enum l4_varg_type {
    L4_VARG_TYPE_NIL = 0x00,
    L4_VARG_TYPE_UMWORD = 0x01,
    L4_VARG_TYPE_STRING = 0x02,
    L4_VARG_TYPE_FPAGE = 0x03,
    L4_VARG_TYPE_SIGN = 0x80,
    L4_VARG_TYPE_MWORD = L4_VARG_TYPE_SIGN | L4_VARG_TYPE_UMWORD,
};

/* Scheduler (-14) */
enum l4_scheduler_ops {
    L4_SCHEDULER_INFO_OP =
        0, /* MR1 cpu set (granularity << 24 | offset); answer: MR0 map, MR1 max */
    L4_SCHEDULER_RUN_THREAD_OP =
        1, /* MR1 set, MR2 map, MR3 priority, MR4 quantum (us); item: thread */
    L4_SCHEDULER_IDLE_TIME_OP = 2, /* MR1, MR2 set; answer: MR0 microseconds */
};

/* Log / virtual console (-13) */
enum l4_vcon_ops {
    L4_VCON_WRITE_OP = 0, /* MR1 size in bytes, MR2.. the characters */
    L4_VCON_READ_OP = 1,  /* MR0 op | max << 16; answer: MR0 status, MR1.. characters */
    L4_VCON_SET_ATTR_OP = 2,
    L4_VCON_GET_ATTR_OP = 3,
};
enum { L4_VCON_WRITE_SIZE = 61 * 8, L4_VCON_READ_SIZE = 62 * 8 };
/* In READ's status, beside the number of characters: there were no more. */
#define L4_VCON_READ_STAT_DONE 0x80000000U

/* Gate (KOBJECT -10), receive endpoint */
enum l4_ipc_gate_ops {
    L4_RCV_EP_BIND_OP = 0x10,       /* MR1 label; item: thread */
    L4_IPC_GATE_GET_INFO_OP = 0x11, /* answer: MR0 label */
};

/* IRQ (-1), ICU and IRQ sender, semaphore */
enum l4_irq_ops {
    L4_IRQ_SENDER_ATTACH_OP = 0, /* -18 */
    L4_IRQ_SENDER_DETACH_OP = 1,
    L4_IRQ_CHAIN_OP = 0, /* -1 */
    L4_IRQ_TRIGGER_OP = 2,
    L4_IRQ_EOI_OP = 4,
};
enum l4_icu_ops {
    L4_ICU_BIND_OP = 0, /* -1: MR1 irq number; item: irq */
    L4_ICU_UNBIND_OP = 1,
    L4_ICU_INFO_OP = 2,
    L4_ICU_MSI_INFO_OP = 3,
    L4_ICU_UNMASK_OP = 4,
    L4_ICU_MASK_OP = 5,
    L4_ICU_SET_MODE_OP = 6,
};
enum l4_semaphore_ops { L4_SEMAPHORE_DOWN_OP = 0 };
enum l4_meta_ops { L4_META_NUM_INTERFACES = 0, L4_META_INTERFACE = 1, L4_META_SUPPORTS = 2 };

/* Debugger (-23). Quire's own: L4_DBG_* from 0x100 on. */
enum l4_debugger_ops {
    L4_DEBUGGER_NAME_SET_OP = 0,  /* invoked on any object's debugger view: item the object */
    L4_DEBUGGER_GLOBAL_ID_OP = 1, /* item: object; answer: MR0 id */
    L4_DBG_COUNTERS_OP = 0x100,   /* optional item: task; answer: enum l4_dbg_counter words */
    L4_DBG_TRACE_CTL_OP = 0x101,  /* MR1: 0 off, 1 on, 2 on and emptied */
    L4_DBG_TRACE_READ_OP = 0x102, /* MR1 sequence number; answer: MR0 next, MR1 n, n records */
    L4_DBG_SHUTDOWN_OP = 0x103,   /* MR1 exit status 0..127: power off (does not return) */
    L4_DBG_KMEM_OP = 0x104,       /* answer: MR0 total, MR1 free, MR2 low water, bytes */
    L4_DBG_CHECK_OP = 0x105,      /* walk every invariant; answer: label 0 or -EINVAL */
    L4_DBG_KMEM_FAIL_OP = 0x106,  /* MR1 n: the n-th allocation from now on fails, 0: none; MR2:
                                   * how many fail from there, 0: that one */
};

#define L4_DBG_COUNTERS(X)                                                                         \
    X(PAGE_FAULTS, "page faults turned into messages")                                             \
    X(EXCEPTIONS, "exceptions turned into messages")                                               \
    X(IPC_SEND, "messages delivered to a thread")                                                  \
    X(INVOCATIONS, "kernel objects invoked")                                                       \
    X(MAPS, "flexpages mapped (items and l4_task_map)")                                            \
    X(PAGES_MAPPED, "page-table entries entered")                                                  \
    X(PAGES_UNMAPPED, "page-table entries removed")                                                \
    X(UNMAPS, "flexpages unmapped")                                                                \
    X(SWITCHES, "switches between threads")                                                        \
    X(KMEM_USED, "bytes of kernel memory charged")                                                 \
    X(KMEM_LIMIT, "bytes of kernel memory allowed")

enum l4_dbg_counter {
#define X(name, text) L4_DBG_CNT_##name,
    L4_DBG_COUNTERS(X)
#undef X
        L4_DBG_CNT_NUM
};

/* sigma0 (-6): MR0 = ~0xffUL | op, MR1 = flexpage. */
enum l4sigma0_reqs {
    SIGMA0_REQ_MAGIC = ~0xff,
    SIGMA0_REQ_MASK = ~0xff,
    SIGMA0_REQ_ID_MASK = 0xf0,
    SIGMA0_REQ_ID_FPAGE_RAM = 0x60,
    SIGMA0_REQ_ID_FPAGE_IOMEM = 0x70,
    SIGMA0_REQ_ID_FPAGE_IOMEM_CACHED = 0x80,
    SIGMA0_REQ_ID_FPAGE_ANY = 0x90,
    SIGMA0_REQ_ID_KIP = 0xA0,
    SIGMA0_REQ_ID_DEBUG_DUMP = 0xC0,
};

/* Dataspace (0x4000) */
enum l4re_ds_ops {
    L4RE_DS_MAP_OP = 0,      /* MR1 offset, MR2 hot spot, MR3 flags; answer: one item */
    L4RE_DS_CLEAR_OP = 1,    /* MR1 offset, MR2 size */
    L4RE_DS_INFO_OP = 2,     /* answer: MR0 size, MR1 flags */
    L4RE_DS_COPY_IN_OP = 3,  /* MR1 dst offset, MR2 src offset, MR3 size; item: source dataspace */
    L4RE_DS_ALLOCATE_OP = 4, /* MR1 offset, MR2 size */
    L4RE_DS_RELEASE_OP = 5,  /* Quire's own: free it and its gate; needs W */
};
enum l4re_ds_flags {
    L4RE_DS_F_R = 4,
    L4RE_DS_F_W = 2,
    L4RE_DS_F_X = 1,
    L4RE_DS_F_RW = 6,
    L4RE_DS_F_RX = 5,
    L4RE_DS_F_RWX = 7,
    L4RE_DS_F_RIGHTS_MASK = 0x0f,
    L4RE_DS_F_NORMAL = 0x00,
    L4RE_DS_F_BUFFERABLE = 0x10,
    L4RE_DS_F_UNCACHEABLE = 0x20,
    L4RE_DS_F_CACHING_MASK = 0x30,
};

/* Memory allocation: factory create(0x4000, size, flags, alignment) */
enum l4re_ma_flags {
    L4RE_MA_CONTINUOUS = 0x01,
    L4RE_MA_PINNED = 0x02,
    L4RE_MA_SUPER_PAGES = 0x04,
    L4RE_MA_RESERVED = 0x40, /* Quire's own: memory and quota are set aside at creation */
    /* Quire's own, bits 8..13: order of the most that is made at once when pages are touched in
     * sequence, up to just below a superpage; 0: page by page */
    L4RE_MA_AHEAD_SHIFT = 8,
    L4RE_MA_AHEAD_MASK = 0x3f,
};
#define L4RE_MA_AHEAD(order) ((unsigned long)(order) << L4RE_MA_AHEAD_SHIFT)

/* Flags of what the manager `phys` opens, Quire's own; a fourth argument is a device's address */
enum l4re_phys_flags {
    L4RE_PHYS_DEVICE = 0x1000, /* memory of a device, uncached if not said otherwise */
    L4RE_PHYS_CACHED = 0x2000,
    L4RE_PHYS_BELOW_4G = 0x4000, /* memory for devices with 32 address bits */
};

/* Account of a memory allocator (0x400b), Quire's own */
enum l4re_ma_ops {
    L4RE_MA_RELEASE_OP = 1,  /* all its dataspaces and its gate are gone */
    L4RE_MA_SNAPSHOT_OP = 2, /* MR1 flags; item: a dataspace; answer: item, its copy */
};

/* Namespace (0x4001): name in MR2.. */
enum l4re_ns_ops { L4RE_NS_QUERY_OP = 0 }; /* MR1 length in bytes; answer: one capability item */

/*
 * Parent (0x4002). The gate operations are for managers that are restarted (restart= in the boot
 * script; for others -L4_ENOSYS): such a gate belongs to the parent and outlives the manager, with
 * three words that say what it is. The next instance finds them and binds each to itself.
 */
enum l4re_parent_ops {
    L4RE_PARENT_SIGNAL_OP = 0,    /* MR1 signal (enum), MR2 value; may not answer */
    L4RE_PARENT_GATE_OP = 1,      /* MR1 label, MR2-4 words; answer: MR0 number, items: the gate,
                                   * once to keep and once to grant on */
    L4RE_PARENT_GATE_NEXT_OP = 2, /* MR1 number; answer: MR0 number of the first kept gate at or
                                   * behind it, MR1-3 words, item: the gate; -L4_ENOENT */
    L4RE_PARENT_GATE_BIND_OP = 3, /* MR1 number, MR2 label: messages come to the caller's manager */
};
enum { L4RE_PARENT_GATE_WORDS = 3 };
enum l4re_parent_signals {
    L4RE_SIG_EXIT = 0,  /* value: exit status */
    L4RE_SIG_FAULT = 1, /* an unhandled fault or exception has been reported; stop the task */
};

/* Starter (0x5101), Quire's own: MR0 op, MR1 bytes of the name, MR2.. the name */
enum l4re_starter_ops {
    L4RE_STARTER_START_OP = 0,
    L4RE_STARTER_STATE_OP = 1, /* answer: MR0 state, MR1 exit status once it has ended */
};

enum l4re_starter_states {
    L4RE_STARTER_IDLE = 0,    /* never started, or its last start failed */
    L4RE_STARTER_RUNNING = 1, /* or ended a moment ago: not everything is given back yet */
    L4RE_STARTER_ENDED = 2,   /* everything is given back */
};

/* Region manager (0x4005) */
enum l4re_rm_ops {
    L4RE_RM_ATTACH_OP = 0,
    L4RE_RM_DETACH_OP = 1,
    L4RE_RM_FIND_OP = 2,
    L4RE_RM_RESERVE_AREA_OP = 3,
    L4RE_RM_FREE_AREA_OP = 4,
    L4RE_RM_GET_REGIONS_OP = 5,
    L4RE_RM_GET_AREAS_OP = 6,
    L4RE_RM_GET_INFO_OP = 7,
};
/* Managed dataspaces (0x4005, Quire's own): a region map's control gate knows these too. */
enum l4re_managed_ops {
    L4RE_MANAGED_DATASPACE_OP = 0x100, /* answer: item, the map as a dataspace */
};
enum l4re_rm_flags_t {
    L4RE_RM_F_X = 0x1,
    L4RE_RM_F_W = 0x2,
    L4RE_RM_F_R = 0x4,
    L4RE_RM_F_RX = 0x5,
    L4RE_RM_F_RW = 0x6,
    L4RE_RM_F_RWX = 0x7,
    L4RE_RM_F_RIGHTS_MASK = 0x0f,
    L4RE_RM_F_CACHING_MASK = 0xf0,
    L4RE_RM_F_DETACH_FREE = 0x200,
    L4RE_RM_F_PAGER = 0x400,
    L4RE_RM_F_RESERVED = 0x800,
    L4RE_RM_F_KERNEL = 0x100,
    L4RE_RM_F_SEARCH_ADDR = 0x20000,
    L4RE_RM_F_IN_AREA = 0x40000,
    L4RE_RM_F_EAGER_MAP = 0x80000,
    L4RE_RM_F_NO_EAGER_MAP = 0x100000,
};
enum l4re_rm_detach_flags {
    L4RE_RM_DETACH_EXACT = 1,
    L4RE_RM_DETACH_OVERLAP = 2,
    L4RE_RM_DETACH_KEEP = 4
};
enum l4re_rm_detach_results {
    L4RE_RM_DETACHED_DS = 0,
    L4RE_RM_KEPT_DS = 1,
    L4RE_RM_SPLIT_DS = 2,
    L4RE_RM_DETACH_RESULT_MASK = 3,
    L4RE_RM_DETACH_AGAIN = 4,
};

/* Statistics (0x5100), Quire's own: every server answers op 0 with words it documents. */
enum l4re_stats_ops { L4RE_STATS_GET_OP = 0, L4RE_STATS_LAST_FAULT_OP = 1 };
