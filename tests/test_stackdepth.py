"""test_stackdepth.py - tools/stackdepth adds up right, and finds what must not be"""

import re
import shutil
import subprocess
import sys

import pytest

from conftest import BUILD, REPO

TOOL = REPO / "tools/stackdepth"
FLAGS = ["-O1", "-g", "-ffreestanding", "-fno-pic", "-fno-pie", "-nostdlib", "-static", "-w",
         "-mno-red-zone", "-mcmodel=kernel", "-fno-asynchronous-unwind-tables", "-Wl,-e,entry",
         "-Wl,--image-base=0xffffffff80000000", "-fuse-ld=lld", "-fno-optimize-sibling-calls"]
# One function that needs a known number of bytes: the array, and what is pushed and called.
USE = """
void sink(char *p);
__asm__("sink: ret");
#define FAR __attribute__((noinline))
FAR static void leaf(void) { char a[1024]; sink(a); __asm__ volatile("" : : : "memory"); }
"""


def stackdepth(elf, lists, *args):
    run = subprocess.run([sys.executable, TOOL, elf, "--lists", lists, *args], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert "Traceback" not in run.stdout, run.stdout
    return run


@pytest.fixture
def measure(tmp_path):
    """measure(code, lists) runs the tool over a small program with an entry of 4096 bytes."""
    def run(code, lists="", size=4096):
        (tmp_path / "main.c").write_text(USE + code)
        (tmp_path / "lists.txt").write_text(f"entry entry: {size}\n{lists}")
        subprocess.run(["clang", *FLAGS, "-o", tmp_path / "main.elf", tmp_path / "main.c"],
                       check=True)
        return stackdepth(tmp_path / "main.elf", tmp_path / "lists.txt", "--paths")
    return run


def depth(run):
    assert run.returncode == 0, run.stdout
    return int(re.search(r"entry +(\d+) of", run.stdout)[1])


def test_the_kernel_keeps_a_quarter_of_its_stacks_free():
    run = stackdepth(BUILD / "kernel.elf", REPO / "tools/stackdepth.txt")
    assert run.returncode == 0, run.stdout
    assert len(re.findall(r" of \d+ bytes", run.stdout)) == 5


def test_frames_and_return_addresses_add_up(measure):
    one = depth(measure("void entry(void) { leaf(); }"))
    two = depth(measure("FAR static void middle(void) { char a[256]; sink(a); leaf(); sink(a); }"
                        "void entry(void) { middle(); }"))
    assert 1024 + 8 + 8 <= one <= 1024 + 64
    assert one + 256 + 8 <= two <= one + 256 + 64


def test_the_deepest_path_counts(measure):
    both = "FAR static void flat(void) { char a[16]; sink(a); }" \
           "void entry(int x) { if (x) leaf(); else flat(); }"
    assert depth(measure(both)) == depth(measure("void entry(void) { leaf(); }"))


def test_code_behind_a_switch_counts(measure):
    code = "void f0(void), f1(void), f2(void), f3(void);" \
           '__asm__("f0: ret; f1: ret; f2: ret; f3: ret");' \
           "void entry(unsigned x) { switch (x) { case 0: f0(); break; case 1: f1(); break;" \
           "case 2: leaf(); break; case 3: f3(); f2(); break; case 4: f2(); f1(); break; } }"
    assert depth(measure(code)) >= 1024


def test_too_deep_is_found(measure):
    run = measure("void entry(void) { leaf(); }", size=1100)
    assert run.returncode == 1 and "are allowed: entry > leaf" in run.stdout


RECURSION = "FAR static void odd(unsigned n);" \
            "FAR static void even(unsigned n) " \
            "{ char a[64]; sink(a); if (n) odd(n - 1); sink(a); }" \
            "FAR static void odd(unsigned n) " \
            "{ char a[64]; sink(a); if (n) even(n - 1); sink(a); }" \
            "void entry(unsigned n) { even(n); }"


def test_recursion_is_found(measure):
    run = measure(RECURSION)
    assert run.returncode == 1
    assert re.search(r"recursion: (even -> odd -> even|odd -> even -> odd)", run.stdout)


def test_a_bounded_recursion_costs_its_rounds(measure):
    two, ten = (depth(measure(RECURSION, f"bound {n}: odd even\n")) for n in (2, 10))
    assert (ten - two) % 8 == 0 and ten - two >= 8 * 2 * (64 + 8)


POINTERS = "FAR static void deep(void) { leaf(); } " \
           "FAR static void flat(void) { char a[8]; sink(a); }" \
           "void (*const table[])(void) = {deep, flat};" \
           "void entry(int i) { table[i](); }"


def test_a_call_through_a_pointer_needs_a_list(measure):
    run = measure(POINTERS)
    assert run.returncode == 1 and "in entry(): stackdepth.txt does not say" in run.stdout


def test_a_call_through_a_pointer_goes_where_the_list_says(measure):
    assert depth(measure(POINTERS, "call entry: flat deep\n")) > 1024


def test_a_function_that_is_pointed_to_needs_a_list(measure):
    run = measure(POINTERS, "call entry: flat\n")
    assert run.returncode == 1 and "deep: its address is taken" in run.stdout


def test_an_interrupt_counts_where_it_strikes(measure):
    code = 'FAR static void window(void) {{ __asm__ volatile("{}; nop; cli"); }}' \
           "void handler(void) {{ leaf(); }} void entry(void) {{ window(); }}"
    lists = "interrupt: handler\n"
    without, struck = (depth(measure(code.format(i), lists)) for i in ("nop", "sti"))
    assert without < 64 and struck >= without + 64 + 1024


def test_a_stack_that_grows_by_a_variable_is_not_understood(measure):
    run = measure("void entry(unsigned n) { char a[n]; sink(a); }")
    assert run.returncode == 1 and "not understood" in run.stdout


def test_clang_is_there():
    assert shutil.which("clang")
