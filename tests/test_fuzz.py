"""test_fuzz.py - hostile tasks that try everything (tests/guest/fuzz): replay, coverage, sanitizers

A million calls on the usual kernel are tests/test_guest.py's; here is what makes them worth it.
"""

import collections
import os
import re

import pytest

import coverage
from conftest import BUILD, assert_tap, boot, make
from test_san import sanitized  # noqa: F401, a fixture

LONG = "QUIRE_LONG" in os.environ
# A million calls each: (kernel, seed). The usual kernel's seed 1 is tests/test_guest.py's.
MILLIONS = [(mode, seed) for seed in range(1, 101 if LONG else 2)
            for mode in ("plain", "ubsan", "kasan") if LONG or mode != "plain"]
SUMMARY = re.compile(r"^# fuzz: seed (\d+), (\d+) calls in (\d+) rounds, .* hash ([0-9a-f]{16})$",
                     re.M)
TALLY = re.compile(r"^# tally: (\w+) (\d+): (.*)$", re.M)

# Kernel files, and how much of their machine code 100,000 calls must reach, in per cent. What is
# missing there: boot, panic, and long operations that something more important interrupts (these
# are reached with sanitizers, where an operation looks ten times as often).
FLOORS = {"factory.c": 85, "fastpath.c": 80, "fault.c": 80, "fpage.c": 95, "gate.c": 85,
          "ioport.c": 80, "ipc.c": 85, "irq.c": 85, "kmem.c": 60, "map.c": 95, "map_caps.c": 85,
          "map_io.c": 55, "map_memory.c": 75, "mapdb.c": 50, "msg.c": 70, "object.c": 85,
          "ptab.c": 88, "sched.c": 75, "semaphore.c": 90, "split.c": 80, "task.c": 80,
          "thread.c": 80, "timeout.c": 80, "unmap_memory.c": 85, "walk.c": 55}
# Functions that only a preempted operation needs: not without, but with sanitizers.
PREEMPTED = {"transfer_items", "walk_finish"}

# Operations that must succeed so often in 100,000 calls, and fail in so many ways.
OPERATIONS = {("TASK", 0): (600, 6), ("TASK", 1): (300, 3), ("TASK", 2): (200, 2),
              ("TASK", 3): (60, 3), ("THREAD", 0): (40, 5), ("THREAD", 1): (40, 4),
              ("THREAD", 2): (100, 2), ("THREAD", 18): (30, 4), ("FACTORY", 0): (80, 5),
              ("FACTORY", 1): (100, 4), ("FACTORY", 2): (80, 4), ("FACTORY", 3): (60, 6),
              ("FACTORY", 4): (100, 4), ("FACTORY", 6): (100, 4), ("KOBJECT", 16): (20, 5),
              ("KOBJECT", 17): (60, 3), ("IRQ", 2): (20, 2), ("IRQ", 8): (10, 4),
              ("IRQ_SENDER", 0): (8, 4), ("SEMAPHORE", 0): (4, 4), ("SCHEDULER", 1): (5, 5),
              ("NONE", 1): (100, 3), ("NONE", 3): (150, 6), ("NONE", 6): (100, 3),
              ("NONE", 15): (10, 3)}
ERRORS = ["EPERM", "ENOENT", "ENOMEM", "EEXIST", "ENODEV", "EINVAL", "ENOSYS", "EBADPROTO",
          "EMSGTOOSHORT", "EMSGMISSARG", "SETIMEOUT", "RETIMEOUT", "ENOT_EXISTENT", "SECANCELED",
          "RECANCELED", "SEMSGCUT", "REMSGCUT"]


def fuzz(calls, seed=1, kmem="8M", **options):
    result = boot(root=BUILD / "guest/fuzz/fuzz.elf", timeout=1800.0,
                  cmdline=f"kmem={kmem} fuzz-calls={calls} fuzz-seed={seed}", **options)
    assert_tap(result)
    summary = SUMMARY.search(result.log)
    assert summary and int(summary.group(1)) == seed and int(summary.group(2)) >= calls, result.log
    return result.log, summary.group(4)


def tally(log):
    table = {}
    for used, op, results in TALLY.findall(log):
        words = results.split()
        table[used, int(op)] = dict(zip(words[::2], map(int, words[1::2])))
    return table


def test_a_seed_replays_exactly():
    first, again, other = fuzz(10000, 5), fuzz(10000, 5), fuzz(10000, 6)
    assert first[1] == again[1] and tally(first[0]) == tally(again[0])
    assert first[1] != other[1]


ROUND = re.compile(r"^# round (\d+): (fuzz-seed=.*)\n# round \d+: (.*)$", re.M)


def rounds(cmdline):
    """{number: (options that replay it, calls and hash and instructions)} of a run."""
    result = boot(root=BUILD / "guest/fuzz/fuzz.elf", cmdline=f"kmem=8M fuzz-show=1 {cmdline}")
    assert_tap(result)
    return {int(n): (options, what) for n, options, what in ROUND.findall(result.log)}


def test_a_single_round_replays_to_the_instruction():
    """Results and hash, and how many instructions it took: nothing of the rounds before shows."""
    whole = rounds("fuzz-seed=3 fuzz-calls=12000")
    assert len(whole) > 60
    for number in (11, 37, 60):
        options, what = whole[number]
        assert rounds(options) == {number: (options, what)}


def reached(log_file, kernel):
    found = coverage.functions(kernel, coverage.read_addresses(log_file))
    return coverage.by_file(found), {f.name for f in found if f.reached}


def test_random_calls_reach_the_kernel_everywhere(tmp_path):
    make("build/bench/cover.so")
    out = tmp_path / "reached"
    log, _ = fuzz(100000, qemu_args=("-plugin", f"file={BUILD}/bench/cover.so,out={out}"))
    files, _ = reached(out, BUILD / "kernel.elf")
    percent = {name: 100 * files[name][0] / files[name][1] for name in FLOORS}
    assert {n: p for n, p in percent.items() if p < FLOORS[n]} == {}
    table, errors = tally(log), collections.Counter()
    poor = {}
    for key, (successes, ways) in OPERATIONS.items():
        results = table.get(key, {})
        if results.get("OK", 0) < successes or len(results) < ways:
            poor[key] = results
    assert not poor
    for results in table.values():
        errors.update(results)
    assert [e for e in ERRORS if errors[e] < 5] == []


def test_hostile_tasks_on_the_kernel_with_sanitizers(sanitized, tmp_path):  # noqa: F811
    make("build/bench/cover.so")
    out, files = tmp_path / "reached", sanitized("san")
    fuzz(100000, 2, "16M", files=files,
         qemu_args=("-plugin", f"file={BUILD}/bench/cover.so,out={out}"))
    _, names = reached(out, files["kernel.elf"])
    assert PREEMPTED <= names


@pytest.mark.parametrize("mode, seed", MILLIONS)
def test_a_million_hostile_calls(sanitized, mode, seed):  # noqa: F811
    fuzz(1000000, seed, "16M", **({} if mode == "plain" else {"files": sanitized(mode)}))
