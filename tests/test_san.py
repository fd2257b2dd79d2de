"""test_san.py - the kernel built with sanitizers: they find what they are there for, else nothing

MODE=san is the kernel with UBSan and KASAN, on run times of its own (tests/san). Everything else
of the system is the usual build.
"""

import os
import re
import subprocess

import pytest

from conftest import BUILD, REPO, assert_exit, assert_tap, boot, make
from test_guest import GUEST, module_path, read_expect

KASAN, UBSAN = 9, 7  # how many seeds there are in tests/san/seed.c
SEEDS = [*range(1, KASAN + 1), *range(101, 101 + UBSAN)]
# What a report of each seed must say, besides its kind.
WORDS = {1: "write of 8 bytes .* a free object", 2: "read .* behind an object",
         3: "read .* a free page", 4: "write .* a free page", 5: "read of 1 bytes .* a free page",
         6: "write of 4 bytes .* beside a variable", 7: "write of 1 bytes .* of the stack",
         8: "write of 128 bytes .* behind an object", 9: "not the kernel's memory",
         101: "a sum that overflows", 102: "a shift", 103: "a division by 0",
         104: "an index out of bounds", 105: "a null pointer", 106: "misaligned",
         107: "no valid value"}
# Counts instructions of the kernel as it is: not of one that counts on the side.
MEASURES = ("bounds", "boot_time")
# The gaps behind objects need room: more than a default pool has, for the largest tests.
ROOM = "kmem=160M"
SAMPLE = ("caps", "hostile")
LONG = "QUIRE_LONG" in os.environ


@pytest.fixture(scope="session")
def sanitized():
    """sanitized(mode): the images of that kernel, for Options.files."""
    def images(mode):
        folder = f"{BUILD}/{mode}"
        make(f"MODE={mode}", f"O=build/{mode}", f"build/{mode}/kernel.elf32")
        return {n: f"{folder}/{n}" for n in ("kernel.elf", "kernel.elf32")}
    return images


def guest(folder, files):
    expect = read_expect(folder)
    images = BUILD / "guest" / folder.name
    script = folder / "boot.cfg"
    where = {"script": script} if script.exists() else {"root": images / f"{folder.name}.elf"}
    return expect, boot(**where, files=files, search=(str(images),), mem=expect.mem.split()[-1],
                        cpu=expect.cpu, cmdline=f"{expect.cmdline} {ROOM}", timeout=600,
                        modules=[module_path(folder, m) for m in expect.module])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seeded_fault_is_reported_with_its_place(sanitized, seed):
    result = boot(root=BUILD / "guest/caps/caps.elf", files=sanitized("san"),
                  cmdline=f"seed={seed}")
    kind = "kasan" if seed < 100 else "ubsan"
    assert result.kind == "panic", f"{result.reason}\n{result.log}"
    assert re.search(f"^panic: {kind}: .*{WORDS[seed]}", result.log, re.M), result.log
    assert "seed.c" in result.log and "san_commit" in result.log, "no backtrace with names"


@pytest.mark.parametrize("mode, seed", [("kasan", 2), ("ubsan", 102)])
def test_each_sanitizer_works_alone(sanitized, mode, seed):
    result = boot(root=BUILD / "guest/caps/caps.elf", files=sanitized(mode), cmdline=f"seed={seed}")
    assert result.kind == "panic" and f"panic: {mode}: " in result.log, result.log
    result = boot(root=BUILD / "guest/caps/caps.elf", files=sanitized(mode))
    assert_exit(result)
    assert f"sanitizers: {KASAN} seeds of kasan, {UBSAN} of ubsan" in result.log


def guest_tests():
    for folder in sorted(p for p in GUEST.glob("*") if p.is_dir()):
        if not ((folder / "boot.cfg").exists() or list(folder.glob("*.c"))):
            continue
        if folder.name not in MEASURES and (LONG or folder.name in SAMPLE):
            yield folder.name


@pytest.mark.parametrize("name", guest_tests())
def test_guest_tests_pass_on_the_kernel_with_sanitizers(sanitized, name):
    expect, result = guest(GUEST / name, sanitized("san"))
    context = f"\n{result.reason}\n{result.log}"
    if expect.tap != "no":
        assert_tap(result)
    ended = result.kind if result.kind != "exit" else f"exit {result.status}"
    assert ended == expect.end and "asan: " not in result.log and "ubsan: " not in result.log, \
        context


def test_the_usual_kernel_has_nothing_of_the_sanitizers():
    names = subprocess.run(["llvm-nm", BUILD / "kernel.elf"], text=True, capture_output=True,
                           check=True).stdout
    assert not re.search(r"asan|ubsan|san_", names)


def test_the_demonstration_runs_on_the_kernel_with_sanitizers(sanitized):
    assert_exit(boot(files=sanitized("san")))
