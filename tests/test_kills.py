"""test_kills.py - a manager is killed a thousand times, and its clients go on

The usual test (tests/guest/supervise) does it a few dozen times; this one, with QUIRE_LONG, runs
the
same programs for a thousand rounds, twice, and looks for leaks in between.
"""

import os
import re

import pytest

from conftest import BUILD, REPO, assert_exit, boot

SCRIPT = REPO / "tests/guest/supervise/boot.cfg"


@pytest.mark.skipif("QUIRE_LONG" not in os.environ, reason="long: make test-long")
def test_a_thousand_deaths_of_a_manager(tmp_path):
    text, count = re.subn(r"-- \d+$", "-- 1000", SCRIPT.read_text(), count=1, flags=re.M)
    assert count == 1
    script = tmp_path / "boot.cfg"
    script.write_text(text)
    result = boot(script, search=(str(BUILD / "guest/supervise"),), timeout=1800)
    assert_exit(result)
    assert "watch: supervise gave back everything" in result.log
    lives = re.findall(r"^roottask: manager victim (?:does not answer|has ended)", result.log, re.M)
    assert len(lives) >= 1000, f"{len(lives)} lives"
