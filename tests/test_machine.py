"""test_machine.py - tools/machine.py tells every ending apart and is never silent

The guests are the smallest possible kernels (tests/fake/fake.S), so these tests hold whatever
the real kernel does.
"""

import subprocess

import pytest

import machine
from conftest import BUILD, REPO

HANG, FAULT = "0", "-1"


@pytest.fixture
def fake(tmp_path):
    """fake(value, text) boots a kernel that prints text and ends in the way of value."""
    def run(value, text="hello\n", timeout=20.0, **kw):
        obj, elf = tmp_path / "fake.o", tmp_path / "kernel.elf"
        quoted = text.replace("\n", "\\n")
        subprocess.run(["clang", "-m32", "-g", "-c", "-o", obj, f"-DEND_VALUE={value}",
                        f'-DTEXT="{quoted}"', REPO / "tests/fake/fake.S"], check=True)
        subprocess.run(["ld.lld", "-m", "elf_i386", "-Ttext=0x100000", "-o", elf, obj], check=True)
        empty = tmp_path / "empty"
        empty.write_bytes(b"\0" * 4096)
        files = dict.fromkeys(("sigma0.elf", "root.elf"), str(empty))
        files |= {"kernel.elf32": str(elf), "kernel.elf": str(elf)}
        kw.setdefault("root", str(empty))
        return machine.boot(machine.Options(build=str(BUILD), files=files, timeout=timeout, **kw))
    return run


@pytest.mark.parametrize("status", [0, 1, 42, 100])
def test_the_guests_status_comes_through(fake, status):
    r = fake(0x10 + status)
    assert (r.kind, r.status, r.exit_status) == ("exit", status, status)
    assert r.log == "hello\n"


def test_a_panic_is_not_an_exit_and_carries_its_reason(fake):
    r = fake(0x7F, "panic: the sky fell\n")
    assert (r.kind, r.exit_status) == ("panic", 112)
    assert "the sky fell" in r.reason


def test_a_triple_fault_is_named_with_the_place(fake):
    r = fake(FAULT)
    assert (r.kind, r.exit_status) == ("reset", 113)
    assert "triple fault" in r.reason
    assert "fake.S" in r.reason


def test_a_hang_is_a_timeout_that_says_where_the_processor_was(fake):
    r = fake(HANG, timeout=3.0)
    assert (r.kind, r.exit_status) == ("timeout", 124)
    assert "hello" in r.reason and "fake.S" in r.reason


def test_a_hang_may_be_ended_by_the_guests_own_clock(fake):
    r = fake(HANG, limit=2, timeout=600.0)
    assert (r.kind, r.exit_status) == ("limit", 111)
    assert "guest's clock" in r.reason and "fake.S" in r.reason


def test_silence_is_reported_as_silence(fake):
    r = fake(HANG, text="", timeout=3.0)
    assert r.kind == "timeout"
    assert "printed nothing at all" in r.reason


def test_an_unknown_exit_value_is_no_success(fake):
    r = fake(0x0F)
    assert (r.kind, r.exit_status) == ("qemu", 125)


def test_a_missing_image_is_named():
    r = machine.boot(machine.Options(build="/nonexistent"))
    assert r.kind == "qemu" and "/nonexistent" in r.reason


def test_qemus_own_complaint_is_passed_on(fake):
    r = fake(0x10, cpu="nonsense")
    assert r.kind == "qemu" and "nonsense" in r.reason


def test_a_backtrace_line_is_followed_by_names(fake, tmp_path):
    text = "backtrace kernel: 0x100012 0x100012\n"
    r = fake(0x10, text)
    assert [line for line in r.lines() if "#0" in line and "fake.S" in line], r.log


def test_a_backtrace_of_an_unknown_image_stays_readable(fake):
    r = fake(0x10, "backtrace nobody: 0x100012\n")
    assert "no image called nobody" in r.log


def test_a_comma_in_a_name_reaches_the_guest(fake, tmp_path):
    odd = tmp_path / "a,b.dat"
    odd.write_bytes(b"x")
    assert fake(0x10, modules=(str(odd),)).ok


def test_a_blank_in_a_name_is_refused_with_a_reason(fake, tmp_path):
    odd = tmp_path / "a b.dat"
    odd.write_bytes(b"x")
    r = fake(0x10, modules=(str(odd),))
    assert r.kind == "qemu" and "blank" in r.reason
