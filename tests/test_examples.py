"""test_examples.py - every example that has a boot script runs and ends with status 0

The first comment lines of a boot.cfg may say `# expect: regex`; the log must match.
"""

import re

import pytest

from conftest import BUILD, REPO, assert_exit, boot

EXAMPLES = sorted((REPO / "examples").glob("*/boot.cfg"))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda p: p.parent.name)
def test_example(script):
    modules = [BUILD / "input.dat"] if script.parent.name == "sort" else []
    result = boot(script, modules=modules)
    assert_exit(result, 0)
    for regex in re.findall(r"^# expect: (.*)$", script.read_text(), re.M):
        assert re.search(regex, result.log, re.M), f"not in the log: {regex}\n{result.log}"


def test_every_example_is_run_by_some_script():
    programs = {p.parent.name for p in (REPO / "examples").glob("*/*.c")}
    scripts = EXAMPLES + sorted((REPO / "tests/guest").glob("*/boot.cfg"))
    named = {m for s in scripts for m in re.findall(r"file=(\w+)\.elf", s.read_text())}
    assert programs <= named
