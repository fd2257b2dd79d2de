"""test_sweep.py - an interrupt at every place of a long operation, somebody hostile behind it

tests/guest/sweep says how. Here it runs on a kernel that looks at the interrupts after every step
of a long operation (STEPS=1), so that it can be interrupted wherever a kernel of any other
LIMIT_STEPS can be; on the usual kernel test_guest.py runs it. Every run is done twice and must give
the same.
"""

import concurrent.futures
import os
import re
import subprocess

import pytest

from conftest import BUILD, REPO, assert_exit, assert_tap, boot, make

LONG = "QUIRE_LONG" in os.environ
SAMPLE = "sweep=701 pairs=5"
# Only a split mapping of 1 GiB is cut in several pieces; tests/host/test_split.c has those.
NOT_SWEPT = ["walk_revoke"]
KERNEL = BUILD / "steps1/kernel.elf"
STRIDE = 79  # 115,000 points
POINTS = 100_000
RESULT = re.compile(r"^# (\d+) points, hash ([0-9a-f]{16})$", re.M)


@pytest.fixture(scope="module")
def sweep():
    """sweep(options): points, hash, log of one run."""
    make("STEPS=1", "O=build/steps1", "build/steps1/kernel.elf32")
    files = {n: BUILD / "steps1" / n for n in ("kernel.elf", "kernel.elf32")}

    def run(options, **kw):
        result = boot(root=BUILD / "guest/sweep/sweep.elf", files=files, mem="128M",
                      cmdline=f"kmem=4M {options}", timeout=1800, **kw)
        assert_tap(result)
        assert_exit(result)
        points, outcomes = RESULT.search(result.log).groups()
        return int(points), outcomes, result.log
    return run


def in_parallel(run, cases):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(run, cases))


def points_plugin(counts):
    """Arguments for QEMU: count calls of sched_preempt, and interrupts of the 8254 taken there."""
    make("build/bench/points.so")
    code = subprocess.run(["llvm-objdump", "-d", "--no-show-raw-insn", KERNEL], text=True,
                          capture_output=True, check=True).stdout
    sites = re.findall(r"^([0-9a-f]+):\s+(?:callq?|jmp)\s.* <sched_preempt>$", code, re.M)
    taken = re.search(r"^([0-9a-f]+) <icu_interrupt>:", code, re.M)[1]
    window = code.partition(" <sched_preempt>:\n")[2]
    end = re.search(r"^([0-9a-f]+):\s+cli$", window, re.M)[1]
    return ("-plugin", f"file={BUILD}/bench/points.so,out={counts},taken={taken},end={end},"
            + ",".join(f"site={s}" for s in sites)), len(sites)


def place(address):
    return subprocess.run(["llvm-symbolizer", f"--obj={KERNEL}", f"0x{address}"], text=True,
                          capture_output=True, check=True).stdout.split("\n")[:2]


def test_a_sample_is_of_one_of_the_two_orders_and_the_same_twice(sweep, tmp_path):
    plugin, sites = points_plugin(tmp_path / "counts")
    one, two = in_parallel(lambda args: sweep(SAMPLE, qemu_args=args), [(), plugin])
    assert one[:2] == two[:2]
    assert one[0] > 1000
    counts = [line.split() for line in (tmp_path / "counts").read_text().splitlines()]
    assert len(counts) == sites > 10
    never = [place(address) for address, _, interrupts in counts if interrupts == "0"]
    assert [function for function, _ in never] == NOT_SWEPT, f"never interrupted: {never}"


@pytest.mark.skipif(not LONG, reason="make test-long: ten minutes or more")
def test_all_places_are_of_one_of_the_two_orders_and_the_same_twice(sweep):
    table = (REPO / "tests/guest/sweep/firsts.c").read_text().partition("firsts[]")[2]
    firsts = range(len(re.findall(r'^    \{"', table, re.M)))
    runs = in_parallel(sweep, [f"sweep={STRIDE} first={f}" for f in firsts for _ in range(2)])
    for f in firsts:
        assert runs[2 * f][:2] == runs[2 * f + 1][:2], f"first operation {f}"
    points = sum(r[0] for r in runs[::2])
    print(f"{points} points")
    assert points >= POINTS
