"""test_modeldriver.py - the mapping database beside its specification, booted (tests/guest/model)

The usual steps are tests/test_guest.py's; here they replay, and run on the kernel with sanitizers.
"""

import os
import re

import pytest

from conftest import BUILD, assert_tap, boot
from test_san import sanitized  # noqa: F401, a fixture

SEEDS = range(1, 101 if "QUIRE_LONG" in os.environ else 1)
SUMMARY = re.compile(r"^# model: seed (\d+), (\d+) steps, (\d+) looks, (\d+) refused$", re.M)


def model(seed, steps, **options):
    result = boot(root=BUILD / "guest/model/model.elf", timeout=1800.0,
                  cmdline=f"kmem=32M model-seed={seed} model-steps={steps}", **options)
    assert_tap(result)
    return [int(n) for n in SUMMARY.search(result.log).groups()]


def test_steps_replay_and_show_both_what_is_allowed_and_what_is_not():
    first, again = model(3, 3000), model(3, 3000)
    assert first == again
    _, steps, looks, refused = first
    assert looks > 8 * steps and looks / 4 < refused < 3 * looks / 4


def test_the_model_on_the_kernel_with_sanitizers(sanitized):  # noqa: F811
    model(4, 3000, files=sanitized("san"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mode", ["plain", "san"])
def test_a_hundred_thousand_steps(sanitized, mode, seed):  # noqa: F811
    model(seed, 100000, **({} if mode == "plain" else {"files": sanitized(mode)}))
