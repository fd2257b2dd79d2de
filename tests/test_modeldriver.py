"""test_modeldriver.py - random sequences beside the model, booted (tests/guest/model)

The usual steps are tests/test_guest.py's; here they replay, come from files, do what the host does,
and run on the kernel with sanitizers.
"""

import os
import random
import re
import subprocess

import pytest

from conftest import BUILD, REPO, assert_tap, boot
from test_san import sanitized  # noqa: F401, a fixture

SEEDS = range(1, 101 if "QUIRE_LONG" in os.environ else 1)
SUMMARY = re.compile(r"^# model: seed (\d+), (\d+) sequences, (\d+) steps, (\d+) errors, "
                     r"(\d+) looks, (\d+) refused$", re.M)
OPERATION_BYTES = 8  # tests/random/model.h


def model(seed, steps, **options):
    result = boot(root=BUILD / "guest/model/model.elf", timeout=3600.0,
                  cmdline=f"kmem=32M model-seed={seed} model-steps={steps}", **options)
    assert_tap(result)
    return [int(n) for n in SUMMARY.search(result.log).groups()]


def test_steps_replay_and_show_both_what_is_allowed_and_what_is_not():
    first, again = model(3, 3000), model(3, 3000)
    assert first == again
    _, _, steps, errors, looks, refused = first
    assert looks > 8 * steps and looks / 5 < refused < 3 * looks / 4 and errors > steps / 50


def test_the_host_and_the_machine_perform_the_same_sequences():
    run = subprocess.run([BUILD / "host/test_random", "3000"], text=True, capture_output=True,
                         check=True)
    there = re.search(r"(\d+) operations in (\d+) sequences; (\d+) errors", run.stdout).groups()
    _, sequences, steps, errors, _, _ = model(1, 3000)
    assert tuple(map(int, there)) == (steps, sequences, errors)


def test_files_are_sequences_on_the_host_and_booted(tmp_path):
    for n in range(3):
        (tmp_path / f"sequence{n}").write_bytes(random.Random(n).randbytes(800 * n + 5))
    for path in tmp_path.iterdir():
        subprocess.run([BUILD / "host/test_random", path], check=True, stdout=subprocess.DEVNULL)
    run = subprocess.run([REPO / "tools/replay", "--build", BUILD, tmp_path], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert run.returncode == 0, run.stdout
    _, sequences, steps, _, _, _ = map(int, SUMMARY.search(run.stdout).groups())
    assert (sequences, steps) == (3, sum((800 * n + 5) // OPERATION_BYTES for n in range(3)))


def test_the_model_on_the_kernel_with_sanitizers(sanitized):  # noqa: F811
    model(4, 3000, files=sanitized("san"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mode", ["plain", "san"])
def test_a_hundred_thousand_steps(sanitized, mode, seed):  # noqa: F811
    model(seed, 100000, **({} if mode == "plain" else {"files": sanitized(mode)}))
