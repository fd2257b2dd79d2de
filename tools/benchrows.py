"""benchrows.py - the rows of the benchmark: what they measure, what is due

A figure is a number of executed instructions, or bytes where the name says so; smaller is better.
Rows with must None are shown and recorded only. `limit` computes a row's own limit from the
others' values (a row that may grow by 5 % over the same operation without siblings).
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    text: str
    must: int | None = None
    goal: int | None = None
    limit: object = None          # function of all rows -> must, for relative rows
    later: bool = False           # what it measures is not built yet: null

    def due(self, rows):
        return self.limit(rows) if self.limit else self.must


def plus_5_percent(name):
    def limit(rows):
        return None if rows.get(name) is None else int(rows[name] * 1.05)
    return limit



KiB = 1024
ROWS = (
    Row("ipc_cross_0", "call + reply through a gate, different tasks, 0 words", 280, 180),
    Row("ipc_cross_8", "the same, 8 words each way", 310, 200),
    Row("ipc_cross_63", "the same, 63 words", 450, 320),
    Row("ipc_same_0", "the same in one task, 0 words", 270, 175),
    Row("ipc_cap_1", "call that delegates one capability", 800, 600),
    Row("syscall_null", "cheapest system call", 60, 50),
    Row("invoke_min", "cheapest object invocation (cap_valid)", 150, 110),
    Row("fault_1", "page fault, pager in another task maps 4 KiB, resumed", 1000, 750),
    Row("fault_2_refault", "through region manager and dataspace manager, page present there",
        1500, 1200),
    Row("fault_2_fresh", "the same, fresh anonymous page (512 of these clear it); the mean, with "
        "its share of requests for more memory", 2200, 1800),
    Row("fault_hier", "through two pagers in two tasks, the page mapped on twice", 2000, 1600),
    Row("fault_cow", "copy-on-write fault (512 of these copy)", 2800, 2300),
    Row("map_4k", "l4_task_map, one 4 KiB page", 550, 400),
    Row("unmap_1", "l4_task_unmap of a page with one child", 500, 350),
    Row("unmap_child", "each further child, in one task or in many: the worse", 80, 50),
    Row("lookup_1000", "unmap of the oldest of 1000 siblings", None, None,
        limit=plus_5_percent("lookup_1")),
    Row("lookup_1000_map", "map from the oldest of 1000 siblings", None, None,
        limit=plus_5_percent("lookup_1_map")),
    Row("map_4m_4k", "map one 4 MiB flexpage of 4 KiB pages", 250000, 150000),
    Row("unmap_4m_4k", "unmap it", 150000, 100000),
    Row("map_4m_2m", "map one 4 MiB flexpage of 2 MiB pages", 2200, 1600),
    Row("unmap_4m_2m", "unmap it", 700, 500),
    Row("map_4m_2m_after", "the same where 4 KiB pages have been before", 2200, 1600),
    Row("unmap_4m_2m_after", "unmap it", 700, 500),
    Row("rm_attach", "l4re_rm_attach, 4 KiB, untouched", 1500, 1100),
    Row("rm_detach", "l4re_rm_detach of it", 1500, 1100),
    Row("task_create", "task with a one-page UTCB area", 5500, 4200),
    Row("task_delete", "empty task deleted", 4000, 3000),
    Row("thread_start", "thread created, bound, started", 2500, 1500),
    Row("thread_delete", "thread deleted", 1200, 800),
    Row("touch_4k", "first touch of 64 MiB in sequence, 4 KiB pages, per MiB "
        "(131,072 of these clear it)", 560000, 480000),
    Row("touch_ahead", "the same with map-ahead", 230000, 190000),
    Row("touch_2m", "the same with superpages", 136000, 133000),
    Row("lines_ipc_code", "64-byte lines of code touched by ipc_cross_0", 20, 12),
    Row("lines_ipc_data", "64-byte lines of data touched by ipc_cross_0", 25, 17),
    Row("lines_fault_code", "64-byte lines of code touched by fault_1", 80, 60),
    Row("lines_fault_data", "64-byte lines of data touched by fault_1", 60, 45),
    Row("bytes_thread", "bytes of kernel memory per thread", 2048, 1536),
    Row("bytes_task", "per empty task with a one-page UTCB area", 28672, 24832),
    Row("bytes_mapping", "per mapping of a 4 KiB page, page tables aside", 48, 40),
    Row("kernel_text", "bytes of kernel code and constants", 80 * KiB, 64 * KiB),
    Row("longest_stretch", "longest stretch with interrupts off, 100,000 mappings of a page: the "
        "largest of the rows stretch_*", 20000, 5000),
)
# Measured and recorded, without a limit of their own.
EXTRA = {
    "malloc_free": "malloc(64) and free() of it",
    "malloc_free_large": "malloc(1 MiB) and free() of it",
    "program_start": "a program, from the wish to start it to main()",
    "program_exit": "the same, with one line printed, to the end of exit()",
    "start_small": "program_start on the small C library",
    "exit_small": "program_exit on the small C library",
    "ipc_same_63": "call + reply in one task, 63 words",
    "ipc_same_0_to_higher": "ipc_same_0 to a server of higher priority",
    "ipc_cross_0_to_lower": "ipc_cross_0 to a server of lower priority",
    "ipc_cross_0_to_thread": "ipc_cross_0 through the thread's own capability",
    "ipc_cross_0_far_slot": "ipc_cross_0, the gate in slot 100,000",
    "ipc_cross_0_timeout": "ipc_cross_0 with timeouts of a second",
    "ipc_cross_0_fpu": "ipc_cross_0 between threads that have used the FPU",
    "ipc_cross_0_one_fpu": "ipc_cross_0, the client alone has used the FPU",
    "lines_ipc_fpu_code": "lines_ipc_code of ipc_cross_0_fpu",
    "lines_ipc_fpu_data": "lines_ipc_data of ipc_cross_0_fpu",
    "syscall_poll": "receive from nobody without waiting",
    "map_4k_tables": "map_4k where no page table is",
    "unmap_1_tables": "unmap_1 when the page tables go with it",
    "lookup_1": "lookup_1000 as the only child",
    "lookup_1_map": "lookup_1000_map as the only child",
    "unmap_child_one_task": "unmap_child, all children in one task",
    "unmap_child_n_tasks": "unmap_child, each child in a task of its own",
    "fault_cow_read": "fault_cow on a page that the same client has read before",
    "fault_2_fresh_median": "fault_2_fresh when memory is at hand",
    "latency_map_100000": "latest wake-up seen of an important thread, 100,000 pages being mapped",
    "latency_unmap_100000": "the same while they are unmapped",
    "bytes_gate": "bytes of kernel memory per gate",
    "bytes_capability": "per capability",
}
STRETCHES = {
    "unmap_100000": "100,000 mappings of one page unmapped",
    "unmap_chain_10000": "a chain of 10,000 mappings unmapped",
    "delete_task_100000": "a task with 100,000 mappings deleted",
    "map_4m_4k": "1024 pages mapped as one flexpage",
    "unmap_4m_4k": "1024 pages unmapped as one flexpage",
    "map_caps_512": "512 capabilities mapped as one flexpage",
    "unmap_caps_512": "512 capabilities unmapped as one flexpage",
    "create_task_64k": "a task made with the largest UTCB area",
    "unmap_nothing_61": "61 flexpages of the whole space in one call, nothing there",
}
EXTRA.update({f"stretch_{name}": f"longest stretch: {text}" for name, text in STRETCHES.items()})


def empty_rows():
    """Every key there is, with no value yet."""
    rows = {row.name: None for row in ROWS}
    rows.update({"lines_ipc": None, "lines_ipc_fpu": None, "lines_fault": None})
    rows.update({name: None for name in EXTRA})
    return rows


def verdict(row, rows):
    """One word about a row's value."""
    value, due = rows.get(row.name), row.due(rows)
    if value is None:
        return "later" if row.later else "MISSING"
    if due is None:
        return ""
    if row.goal is not None and value <= row.goal:
        return "goal"
    return "ok" if value <= due else "MISSED"
