"""test_security.py - docs/security.md: its tests exist, and those that look at the machine itself

Page tables and control registers are read through QEMU's monitor while the machine runs.
"""

import re
import struct
import subprocess

import pytest

import machine
from conftest import BUILD, REPO, assert_exit, assert_tap, boot

CPUS = [machine.DEFAULT_CPU, "max"]
TEXT = (REPO / "docs/security.md").read_text()
IPC = BUILD / "guest/ipc/ipc.elf"
DEMO = REPO / "examples/sort/boot.cfg"
KERNEL_HALF = 1 << 63
CR0_WP = 1 << 16
CR4_UMIP, CR4_SMEP, CR4_SMAP = 1 << 11, 1 << 20, 1 << 21


# ---------------------------------------------------------------- the list

def named_tests():
    """(item, place, name) of every test that the list names: `place: name`."""
    for number, body in re.findall(r"^\| (\d+) \|(.*)\|$", TEXT, re.M):
        for place, name in re.findall(r"`([\w/]+): ([^`]+)`", body):
            yield pytest.param(place, name, id=f"{number}-{name}")


def test_the_list_has_32_items_with_a_test_each():
    rows = re.findall(r"^\| (\d+) \|.*\|$", TEXT, re.M)
    assert [int(n) for n in rows] == list(range(1, 33))
    with_tests = {p.id.split("-")[0] for p in named_tests()}
    assert with_tests == set(rows)


@pytest.mark.parametrize("place, name", named_tests())
def test_the_test_that_the_list_names_exists(place, name):
    path = REPO / "tests" / place
    files = sorted(path.rglob("*.c")) + sorted(path.rglob("*.py")) if path.is_dir() else \
        [f for f in (path.with_suffix(".c"), path.with_suffix(".py")) if f.exists()]
    assert files, f"no such place: tests/{place}"
    assert any(f'"{name}"' in f.read_text() or re.search(rf"\b{re.escape(name)}\b", f.read_text())
               for f in files), f"tests/{place} has no test '{name}'"


GUESTS = sorted({m[1] for m in re.finditer(r"`guest/(\w+): ", TEXT)})


LONG = ("sweep", "bounds", "fuzz", "model")


@pytest.mark.parametrize("name", [n for n in GUESTS if n not in LONG])
def test_the_guest_tests_of_the_list_pass_on_the_other_processor(name):
    result = boot(root=BUILD / f"guest/{name}/{name}.elf", cpu="max")
    assert_tap(result)
    assert_exit(result)


# ---------------------------------------------------------------- the machine

def pages(text):
    """(address, writable, executable, user) of every page in QEMU's `info tlb`."""
    for address, flags in re.findall(r"^([0-9a-f]{16}): [0-9a-f]{16} (\S{9})", text, re.M):
        yield int(address, 16), "W" in flags, "X" not in flags, "U" in flags


def symbols():
    run = subprocess.run(["llvm-nm", BUILD / "kernel.elf"], text=True, capture_output=True,
                         check=True)
    return {name: int(value, 16) for value, _, name in
            (line.split() for line in run.stdout.splitlines() if len(line.split()) == 3)}


def look(line, *commands, **kw):
    result = boot(ask=((line, commands),), **kw)
    assert len(result.answers) == len(commands), result.log
    return result.answers


@pytest.fixture(scope="module", params=CPUS)
def tables(request):
    (text,) = look("^ok 9 ", "info tlb", root=IPC, cpu=request.param)
    return list(pages(text))


def test_no_page_of_the_kernel_is_writable_and_executable(tables):
    kernel = [p for p in tables if p[0] >= KERNEL_HALF]
    assert len(kernel) > 40
    assert [hex(a) for a, w, x, _ in kernel if w and x] == []
    assert any(x for _, _, x, _ in kernel)


def test_text_and_constants_of_the_kernel_are_read_only(tables):
    s = symbols()
    rights = {a: (w, x) for a, w, x, _ in tables}
    for page in range(s["kernel_start"], s["text_end"], 4096):
        assert rights[page] == (False, True), hex(page)
    for page in range(s["text_end"], s["rodata_end"], 4096):
        assert rights[page] == (False, False), hex(page)


def test_no_user_page_is_in_the_kernels_half_and_no_kernel_page_outside(tables):
    assert all(user == (address < KERNEL_HALF) for address, _, _, user in tables)


def test_the_guard_pages_are_not_mapped(tables):
    s, mapped = symbols(), {a for a, *_ in tables}
    assert s["stack_guard"] not in mapped and s["df_guard"] not in mapped
    assert s["stack_guard"] + 4096 in mapped and s["df_guard"] + 4096 in mapped


def test_no_page_of_an_ordinary_program_is_writable_and_executable():
    # The machine goes on until it is asked, so that it may be another task's turn once.
    ask = [(line, ("info tlb",)) for line in ("^input  sha", "^sorted sha", "^the story", "^what")]
    result = boot(ask=ask, script=DEMO, modules=[BUILD / "input.dat"])
    user = max(([p for p in pages(text) if p[3]] for text in result.answers), key=len)
    assert len(user) > 1000
    assert [hex(a) for a, w, x, _ in user if w and x] == []
    assert any(x for _, _, x, _ in user)


@pytest.mark.parametrize("cpu, bits", [(CPUS[0], CR4_UMIP | CR4_SMEP | CR4_SMAP),
                                       ("max", CR4_UMIP | CR4_SMEP | CR4_SMAP),
                                       ("qemu64", 0), ("qemu64,+smep", CR4_SMEP),
                                       ("qemu64,+smap", CR4_SMAP), ("qemu64,+umip", CR4_UMIP)])
def test_what_the_processor_can_forbid_is_forbidden(cpu, bits):
    (text,) = look("^ok 9 ", "info registers", root=IPC, cpu=cpu)
    cr0, cr4 = (int(re.search(rf"CR{n}=([0-9a-f]+)", text)[1], 16) for n in (0, 4))
    assert cr0 & CR0_WP
    assert cr4 & (CR4_UMIP | CR4_SMEP | CR4_SMAP) == bits


def test_the_system_call_clears_the_flag_ac():
    """Structure: no user of an emulator sees with which flags the kernel ran."""
    text = (REPO / "kernel/x86/cpu.c").read_text()
    assert re.search(r"wrmsr\(MSR_SFMASK,[^;]*RFLAGS_AC", text)


@pytest.mark.parametrize("cpu, code", [(CPUS[0], "0f01ca"), ("max", "0f01ca"),
                                       ("qemu64", "0f1f00")])
def test_traps_clear_the_flag_ac_where_there_is_smap(cpu, code):
    """The door of traps has three bytes that become `clac`."""
    (text,) = look("^ok 9 ", f"x /3xb {symbols()['clac_site']:#x}", root=IPC, cpu=cpu)
    assert "".join(re.findall(r"0x(\w\w)\b", text)) == code, text


def test_interrupts_that_cannot_be_masked_harm_nobody():
    result = boot(root=IPC, ask=tuple(("^ok ", ("nmi",)) for _ in range(30)))
    assert_tap(result)
    assert_exit(result)
    assert result.log.count("NMI at") >= 10, result.log


def kernel_with(tmp_path, symbol, code):
    """A copy of the kernel for multiboot 1 in which a function begins with other instructions."""
    data = bytearray((BUILD / "kernel.elf32").read_bytes())
    address = symbols()[symbol] & 0xffffffff
    offset, count = struct.unpack_from("<I", data, 28)[0], struct.unpack_from("<H", data, 44)[0]
    for i in range(count):
        kind, at, va, _, size = struct.unpack_from("<5I", data, offset + 32 * i)
        if kind == 1 and va <= address < va + size:
            data[at + address - va:at + address - va + len(code)] = code
            path = tmp_path / "kernel.elf32"
            path.write_bytes(data)
            return path
    raise AssertionError(f"{symbol} is in no segment")


def test_a_kernel_stack_that_overflows_ends_in_a_report(tmp_path):
    """`mov $stack_guard + 4096, %rsp; push %rax` where tasks are made."""
    top = (symbols()["stack_guard"] + 4096) & 0xffffffff
    code = b"\x48\xc7\xc4" + struct.pack("<I", top) + b"\x50"
    result = boot(root=IPC, files={"kernel.elf32": kernel_with(tmp_path, "task_create", code)})
    assert result.kind == "panic", result.reason + result.log
    assert "panic: double fault" in result.log
    assert re.search(r"double fault: .*ip 0x\w+, sp 0x\w+", result.log)
    assert re.search(r"#\d+ .*task_create at kernel/task\.c", result.log), result.log


def test_no_jump_of_the_kernel_goes_through_a_table():
    code = subprocess.run(["llvm-objdump", "-d", "--no-show-raw-insn", BUILD / "kernel.elf"],
                          text=True, capture_output=True, check=True).stdout
    assert "<task_invoke>" in code
    assert not re.findall(r"^.*\bjmpq?\s+\*.*\(.*$", code, re.M)


def test_indices_that_users_control_are_bounded_without_a_branch():
    """Structure: the tables that are indexed by what a message says, and that nothing else is."""
    seen = 0
    for path in sorted((REPO / "kernel").glob("*.[ch]")):
        text = path.read_text()
        for index in re.findall(r"->caps\[((?:[^][]|\[[^]]*\])*)\]", text):
            assert index.startswith("index_below("), f"{path.name}: caps[{index}]"
            seen += 1
    icu = (REPO / "kernel/icu.c").read_text()
    assert "words[index_below(op, sizeof(words))]" in icu and "words[op]" not in icu
    for function in re.split(r"\n}\n", icu):
        if re.search(r"\bline >= PIC_LINES|\bline < PIC_LINES", function):
            assert "index_below(line, PIC_LINES)" in function, function
            seen += 1
    assert seen >= 6
