"""test_guest.py - boots every folder in tests/guest

A folder with boot.cfg is a test of programs: its own (the folder's *.c, and one for each folder
inside it) under the usual system. A folder without replaces the root task. Either prints its
results in the Test Anything Protocol and ends the machine with status 0.

A file `expect` in the folder may say otherwise, one word and its value a line:

    end exit 0 | panic      how the machine ends
    tap no                  no TAP lines are expected
    log regex               must be found in the log;   not-log regex   must not
    mem 64M 512M            sizes to boot with;         cpu, cmdline    the machine
    mode kernel iso uefi    ways to boot
    module file             a further module; relative to the folder, or to build/
    timeout seconds         on the host
"""

import dataclasses
import re

import pytest

import machine
from conftest import BUILD, REPO, assert_tap, boot

GUEST = REPO / "tests/guest"


@dataclasses.dataclass
class Expect:
    end: str = "exit 0"
    tap: str = "yes"
    mem: str = machine.DEFAULT_MEM
    cpu: str = machine.DEFAULT_CPU
    cmdline: str = ""
    mode: str = "kernel"
    timeout: str = "180"
    log: list = dataclasses.field(default_factory=list)
    not_log: list = dataclasses.field(default_factory=list)
    module: list = dataclasses.field(default_factory=list)


def read_expect(folder):
    expect = Expect()
    path = folder / "expect"
    for line in path.read_text().splitlines() if path.exists() else []:
        if not line.strip() or line.startswith("#"):
            continue
        word, _, value = line.strip().partition(" ")
        word = word.replace("-", "_")
        assert hasattr(expect, word), f"{path}: unknown word {word}"
        if isinstance(getattr(expect, word), list):
            getattr(expect, word).append(value.strip())
        else:
            setattr(expect, word, value.strip())
    return expect


def cases():
    for folder in sorted(p for p in GUEST.glob("*") if p.is_dir()):
        if not ((folder / "boot.cfg").exists() or list(folder.glob("*.c"))):
            continue
        expect = read_expect(folder)
        for mem in expect.mem.split():
            for mode in expect.mode.split():
                name = "-".join([folder.name] + [mem] * (" " in expect.mem)
                                + [mode] * (" " in expect.mode))
                yield pytest.param(folder, mem, mode, id=name)


def module_path(folder, name):
    own = folder / name
    return own if own.exists() else BUILD / name


@pytest.mark.parametrize("folder, mem, mode", cases())
def test_guest(folder, mem, mode):
    expect = read_expect(folder)
    images = BUILD / "guest" / folder.name
    script = folder / "boot.cfg"
    where = {"script": script} if script.exists() else {"root": images / f"{folder.name}.elf"}
    result = boot(**where, search=(str(images),), mem=mem, mode=mode, cpu=expect.cpu,
                  cmdline=expect.cmdline, timeout=float(expect.timeout),
                  modules=[module_path(folder, m) for m in expect.module])
    context = f"\n{result.reason}\n--- serial log ---\n{result.log}"
    if expect.tap != "no":
        assert_tap(result)
    ended = result.kind if result.kind != "exit" else f"exit {result.status}"
    assert ended == expect.end, context
    for regex in expect.log:
        assert re.search(regex, result.log, re.M), f"not in the log: {regex}{context}"
    for regex in expect.not_log:
        assert not re.search(regex, result.log, re.M), f"in the log: {regex}{context}"
