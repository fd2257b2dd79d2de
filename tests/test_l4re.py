"""test_l4re.py - C programs in the manner of L4Re compile as they are, outside the tree, and run

Nothing in tests/l4re knows of Quire: only <l4/...> headers of L4Re and the C library. The first
comment of each main.c says `expect: regex`, which must be found in the log.
"""

import re

import pytest

from conftest import REPO, assert_exit, boot, build_apps

PROGRAMS = sorted(p for p in (REPO / "tests/l4re").iterdir() if p.is_dir())


@pytest.mark.parametrize("folder", PROGRAMS, ids=lambda p: p.name)
def test_l4re_program(folder, script):
    text = (folder / "main.c").read_text()
    assert not re.search(r"quire|<abi/|<common/", text, re.I)
    image = build_apps(folder)
    result = boot(script(f"program {folder.name} file={folder.name}.elf prio=80 quota=4M mem=anon "
                         "caps=rom main\n"), apps=image)
    assert_exit(result)
    for regex in re.findall(r"expect: (.*)$", text, re.M):
        assert re.search(regex, result.log, re.M), f"not in the log: {regex}\n{result.log}"


THREAD = """\
#include <l4/re/c/util/cap_alloc.h>
#include <l4/util/thread.h>
#include <l4/re/env.h>
#include <l4/sys/ipc.h>
#include <l4/sys/thread.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/factory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef float four __attribute__((vector_size(16)));
static char stack[8192] __attribute__((aligned(16)));
static volatile float in[4] = {1, 2, 3, 4};

static void thread(void)
{
    char line[40];
    four v[2] = {{in[0], in[1], in[2], in[3]}, {2, 2, 2, 2}};

    v[1] *= v[0];
    __asm__ volatile("" : : "r"(v) : "memory");
    snprintf(line, sizeof(line), "%d %d", (int)v[1][0], (int)v[1][3]);
    exit(strcmp(line, "2 8") != 0);
}

int main(void)
{
    l4_cap_idx_t t = l4re_util_cap_alloc();
    l4_sched_param_t sp = l4_sched_param(50, 0);

    l4_factory_create_thread(l4re_env()->factory, t);
    l4_thread_control_start();
    l4_thread_control_pager(l4re_env()->rm);
    l4_thread_control_exc_handler(l4re_env()->rm);
    l4_thread_control_bind((l4_utcb_t *)l4re_env()->first_free_utcb, L4RE_THIS_TASK_CAP);
    l4_thread_control_commit(t);
    l4_thread_ex_regs(t, (l4_umword_t)thread, (l4_umword_t)(stack + sizeof(stack) - OFF), 0);
    l4_scheduler_run_thread(l4re_env()->scheduler, t, &sp);
    l4_ipc_sleep(L4_IPC_NEVER);
    return 3;
}
"""


@pytest.mark.parametrize("off", [0, 8, 16, 24])
def test_a_thread_may_start_on_any_aligned_word_of_its_stack(app, script, off):
    folder = app(f"stack{off}", THREAD.replace("OFF", str(off)))
    images = build_apps(folder)
    assert_exit(boot(script(f"program s file=stack{off}.elf quota=4M main\n"), apps=images))
