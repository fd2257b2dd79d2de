"""test_demo.py - the main job, on real input: the demonstration against the host's computation

The rule (examples/sort/records.h): records of 64 bytes, ordered by their first 16 bytes, equal
keys keep their order, what is left behind the last whole record stays where it is.
"""

import hashlib
import random
import re

import pytest

from conftest import BUILD, REPO, assert_exit, boot

DEMO = REPO / "examples/sort/boot.cfg"
MIB = 1 << 20
RECORD, KEY = 64, 16


def sorted_records(data):
    whole = len(data) // RECORD * RECORD
    records = sorted((data[i:i + RECORD] for i in range(0, whole, RECORD)), key=lambda r: r[:KEY])
    return b"".join(records) + data[whole:]


def make_input(path, size, seed, kind="random"):
    rng = random.Random(seed)
    data = rng.randbytes(size)
    if kind == "few_keys":  # many equal keys: only a stable sort gives the right answer
        cut = [data[i:i + RECORD] for i in range(0, size, RECORD)]
        data = b"".join(bytes([r[0] & 3]) * min(KEY, len(r)) + r[KEY:] for r in cut)
    elif kind == "descending":
        data = sorted_records(data)
        whole = size // RECORD * RECORD
        cut = [data[i:i + RECORD] for i in range(0, whole, RECORD)]
        data = b"".join(reversed(cut)) + data[whole:]
    elif kind == "zeros":
        data = bytes(size)
    path.write_bytes(data)
    return data


def assert_sorted(result, data):
    assert_exit(result)
    digests = re.findall(r"\b[0-9a-f]{64}\b", result.log)
    wanted = [hashlib.sha256(d).hexdigest() for d in (data, sorted_records(data))]
    assert digests[:2] == wanted, result.log
    for part in ("thread", "access", "region", "dataspace", "frame"):
        assert re.search(rf"^  {part} ", result.log, re.M), f"the story lacks {part}\n{result.log}"
    agreed = re.findall(r"^  agree .*: (\d+) (=|>=) (\d+)$", result.log, re.M)
    assert agreed and all(a == b or how == ">=" for a, how, b in agreed), result.log
    assert "DIFFER" not in result.log, result.log


INPUTS = [(8 * MIB, 1, "random"), (8 * MIB + 4096, 2, "few_keys"), (8 * MIB + 37, 3, "descending"),
          (12 * MIB + 1, 4, "random"), (9 * MIB, 5, "zeros")]


@pytest.mark.parametrize("size, seed, kind", INPUTS)
def test_the_demonstration_sorts_what_the_host_sorts(tmp_path, size, seed, kind):
    path = tmp_path / "input.dat"
    data = make_input(path, size, seed, kind)
    assert_sorted(boot(DEMO, modules=[path]), data)


def test_a_file_of_16_mib_fills_all_32_mib(tmp_path):
    path = tmp_path / "input.dat"
    data = make_input(path, 16 * MIB, 7)
    result = boot(DEMO, modules=[path])
    assert_sorted(result, data)
    assert re.search(r"agree .*work memory.*: 8192 = 8192$", result.log, re.M), result.log


@pytest.mark.parametrize("mem", ["64M", "512M", "6G"])
def test_the_demonstration_in_little_and_in_much_memory(mem):
    assert_sorted(boot(DEMO, modules=[BUILD / "input.dat"], mem=mem),
                  (BUILD / "input.dat").read_bytes())


@pytest.mark.parametrize("mode", ["iso", "uefi"])
def test_the_demonstration_boots_through_grub(mode):
    assert_sorted(boot(DEMO, modules=[BUILD / "input.dat"], mode=mode, timeout=300),
                  (BUILD / "input.dat").read_bytes())


@pytest.mark.parametrize("cpu", ["qemu64", "max"])
def test_the_demonstration_on_another_processor(cpu):
    assert_sorted(boot(DEMO, modules=[BUILD / "input.dat"], cpu=cpu),
                  (BUILD / "input.dat").read_bytes())


def test_two_runs_are_the_same_run():
    first, second = (boot(DEMO, modules=[BUILD / "input.dat"]) for _ in range(2))
    assert_exit(first)
    assert first.log == second.log


def test_the_input_of_the_build_is_as_large_as_promised():
    assert (BUILD / "input.dat").stat().st_size >= 8 * MIB
