"""test_errors.py - nothing fails silently: a status that is not 0, and a reason that can be read"""

import re

import pytest

from conftest import BUILD, REPO, assert_exit, boot, build_apps
from conftest import SCRIPT_HEAD as HEAD


def assert_failed(result, regex):
    """The run did not succeed, and the log or the reason matches."""
    text = f"{result.reason}\n--- serial log ---\n{result.log}"
    assert not result.ok, text
    assert result.exit_status not in (0, None)
    assert re.search(regex, result.log + result.reason, re.I), f"{regex} not found in\n{text}"


BAD_SCRIPTS = {
    "unknown_statement":
        (HEAD + "program x file=sort.elf quota=4M main\nfrobnicate 3\n", r"boot\.cfg:4:"),
    "unknown_option":
        (HEAD + "program x file=sort.elf quota=4M colour=red main\n", r"boot\.cfg:3:.*colour"),
    "bad_size": ("manager anon file=anon.elf quota=12Q\n", r"boot\.cfg:1:"),
    "open_quote": ("program \"x file=sort.elf main\n", r"boot\.cfg:1:"),
    "missing_file_option": ("\n\nprogram x main\n", r"boot\.cfg:3:"),
    "more_memory_than_there_is":
        (HEAD + "program x file=sort.elf quota=4M ram=64G caps=sigma0 main\n",
         r"boot\.cfg:3: x: \d+ KiB of memory wanted, \d+ KiB are left"),
    "unknown_manager": (HEAD + "program x file=sort.elf quota=4M mem=nobody main\n", r"nobody"),
    "unknown_capability": (HEAD + "program x file=sort.elf quota=4M caps=nobody main\n", r"nobody"),
    "module_not_there": (HEAD + "program x file=absent.elf quota=4M main\n", r"absent\.elf"),
    "empty": ("", r"\w"),
    "garbage": ("\x01\x02\x7f" * 100, r"boot\.cfg:1:"),
}


@pytest.mark.parametrize("name", BAD_SCRIPTS)
def test_a_broken_boot_script(script, name):
    text, regex = BAD_SCRIPTS[name]
    assert_failed(boot(script(text, head=""), timeout=60), regex)


@pytest.mark.parametrize("name", ["roottask.elf", "boot.cfg", "sigma0.elf"])
def test_a_missing_system_module(name):
    assert_failed(boot(omit=(name,), timeout=60), r"\w")


@pytest.mark.parametrize("name", ["sigma0.elf", "roottask.elf", "rm.elf", "anon.elf", "sort.elf"])
@pytest.mark.parametrize("damage", ["zeros", "cut", "text"])
def test_a_damaged_image(tmp_path, name, damage):
    good = (BUILD / name).read_bytes()
    bad = {"zeros": b"\0" * 8192, "cut": good[:200], "text": b"this is no program\n" * 300}
    path = tmp_path / name
    path.write_bytes(bad[damage])
    assert_failed(boot(files={name: str(path)}, timeout=60), r"\w")


FAULTS = {
    "null_pointer_read": ("*(volatile int *)0;", r"fault: .*read of 0x0+\b"),
    "null_pointer_write": ("*(volatile int *)8 = 1;", r"fault: .*write of 0x0*8\b"),
    "call_of_nothing": ("((void (*)(void))0x123000)();", r"fault: .*fetch of 0x0*123000\b"),
    "write_to_text": ("*(volatile char *)main = 1;", r"fault: .*write"),
    "division_by_zero": ("volatile int n = 7, z = 0; n = n / z;", r"backtrace"),
    "undefined_instruction": ("__asm__ volatile(\"ud2\");", r"backtrace"),
    "non_canonical_address": ("*(volatile int *)0x8000000000000000ul = 1;", r"backtrace"),
    "kernel_address": ("*(volatile int *)0xffffffff80100000ul = 1;", r"backtrace|fault:"),
    "privileged_instruction": ("__asm__ volatile(\"cli\");", r"backtrace"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_program_that_faults_is_reported_with_names(app, script, name):
    code, regex = FAULTS[name]
    folder = app(f"bad_{name}", "int main(void);\n"
                 "__attribute__((noinline)) static int culprit(void)\n"
                 f"{{\n    {code}\n    return 0;\n}}\nint main(void) {{ return culprit(); }}\n")
    images = build_apps(folder)
    cfg = script(f"program bad file=bad_{name}.elf quota=4M main\n")
    result = boot(cfg, apps=images, timeout=60)
    assert_failed(result, regex)
    assert "main.c" in result.log or name == "call_of_nothing", result.log


def test_a_program_that_never_ends_is_no_success(app, script):
    images = build_apps(app("spin", "int main(void) { for (;;) __asm__ volatile(\"pause\"); }\n"))
    result = boot(script("program spin file=spin.elf quota=4M main\n"), apps=images, timeout=8)
    assert result.kind == "timeout"
    assert "processor at ip" in result.reason


def test_a_machine_without_memory_says_so():
    assert_failed(boot(mem="12M", timeout=60), r"\w")


ROOT_FAULTS = {
    "null_pointer": "*(volatile int *)8 = 1;",
    "undefined_instruction": "__asm__ volatile(\"ud2\");",
    "wild_jump": "((void (*)(void))0x7f0000001000)();",
}


@pytest.mark.parametrize("name", ROOT_FAULTS)
def test_a_fault_of_the_root_task_is_a_panic_with_names(app, name):
    folder = app(f"root_{name}", "__attribute__((noinline)) static int culprit(void)\n"
                 f"{{\n    {ROOT_FAULTS[name]}\n    return 1;\n}}\n"
                 "int main(void) { return culprit() + 1; }\n")
    result = boot(root=build_apps(folder)[0], timeout=60)
    assert (result.kind, result.exit_status) == ("panic", 112), result.log
    assert "panic: the root task stopped" in result.log
    assert "nobody handles it" in result.log
    assert re.search(r"backtrace kernel: .*\n +#0 .* at kernel/", result.log), result.log
    if name != "wild_jump":
        assert re.search(r"backtrace roottask: .*\n +#0 .*culprit at .*main\.c", result.log)


@pytest.mark.parametrize("mem, kmem", [("64M", "3G"), ("512M", "1G")])
def test_a_share_for_the_kernel_that_is_not_there_is_a_panic(mem, kmem):
    result = boot(mem=mem, cmdline=f"kmem={kmem}", timeout=60)
    assert result.kind == "panic" and "option kmem=" in result.reason, result.log


def test_a_kernel_without_memory_for_tasks_is_an_error_with_a_line():
    result = boot(cmdline="kmem=4M", timeout=60)
    assert_failed(result, r"roottask: boot\.cfg:\d+: .*cannot create the task: out of memory")


NO_NEXT_LIFE = """\
#include "victim.h"

#include <l4/re/env.h>
#include <l4/sys/debugger.h>
#include <l4/sys/err.h>
#include <l4/sys/ipc.h>
#include <stdio.h>

static long call(l4_umword_t op)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = op;
    u->msg.mr[1] = END_FAULT;
    return l4_error(l4_ipc_call(l4re_env_get_cap("victim"), u, l4_msgtag(PROTO_VICTIM, 2, 0, 0),
                                L4_IPC_NEVER));
}

int main(void)
{
    l4_cap_idx_t debugger = l4re_env_get_cap("debugger");

    if (call(VICTIM_LIFE) != 0)
        return 1;
    l4_dbg_kmem_fail(debugger, 1, 1000000);
    call(VICTIM_DIE);
    l4_ipc_sleep_ms(100);
    l4_dbg_kmem_fail(debugger, 0, 1);
    return call(VICTIM_LIFE) < 0 ? 7 : 2;
}
"""


def test_a_manager_whose_next_life_cannot_be_made_is_gone_for_its_clients(app, script):
    here = REPO / "tests/guest/supervise"
    images = build_apps(app("no_next", NO_NEXT_LIFE, build__mk=f"cflags := -I{here}\n"))
    cfg = script("manager victim file=victim.elf quota=256K prio=210 restart=9\n"
                 "program no_next file=no_next.elf quota=4M caps=victim,debugger main\n")
    result = boot(cfg, apps=images, search=(str(BUILD / "guest/supervise"),), timeout=60)
    assert_exit(result, 7)
    assert re.search(r"roottask: victim does not start: .*out of memory", result.log), result.log
    assert "roottask: manager victim has ended: its clients will fail" in result.log


def test_a_word_of_the_command_line_is_whole(script):
    result = boot(cmdline="interactively xinteractive")
    assert_exit(result, 0)
    assert "staying up" not in result.log


def test_interactive_stays_up_when_the_main_program_has_ended():
    result = boot(cmdline="interactive", limit=8)
    assert result.kind == "limit", result.log
    assert "sort ended with status 0" in result.log
    assert "staying up (option interactive)" in result.log
    assert "shutdown" not in result.log
