"""test_tidy.py - the tree keeps the house numbers, and tools/tidy finds every kind of offence"""

import subprocess
import sys

import pytest

from conftest import REPO

GOOD = "/*\n * {name} - a file\n */\n"
STORY = "".join(f"/* PF-{n}: step */\n" for n in range(1, 10))


def tidy(root):
    run = subprocess.run([sys.executable, REPO / "tools/tidy", "--root", root], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert "Traceback" not in run.stdout, run.stdout
    return run


@pytest.fixture
def tree(tmp_path):
    """tree(path, text) adds a file to a small tree that is tidy as it stands."""
    def add(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return tmp_path
    add("kernel/story.h", GOOD.format(name="story.h") + STORY)
    return add


def test_this_tree_is_tidy():
    run = tidy(REPO)
    assert run.returncode == 0, run.stdout


def test_a_good_tree_passes(tree):
    run = tidy(tree("kernel/a.c", GOOD.format(name="a.c") + '#include "story.h"\n'))
    assert (run.returncode, run.stdout) == (0, "")


def body(lines):
    return "int f(int a,\n      int b)\n{\n" + "    a += b;\n" * (lines - 5) + "    return a;\n}\n"


OFFENCES = {
    "a_long_function": ("kernel/a.c", body(71), "function of 71 lines"),
    "a_long_function_in_a_header":
        ("kernel/a.h", "static inline " + body(80), "function of 80 lines"),
    "a_long_file": ("kernel/a.c", "int x;\n" * 700, "limit is 700"),
    "a_wide_line": ("kernel/a.c", "int " + "x" * 100 + ";\n", "limit is 100"),
    "a_tab": ("kernel/a.c", "\tint x;\n", "a tab"),
    "blanks_at_the_end": ("kernel/a.c", "int x; \n", "blanks at the end"),
    "an_if_in_a_c_file": ("kernel/a.c", "#ifdef X\n#endif\n", "no #if"),
    "the_kernel_including_l4": ("kernel/a.c", "#include <l4/sys/ipc.h>\n", "never includes"),
    "the_kernel_including_libc": ("kernel/a.c", "#include <stdio.h>\n", "not <stdio.h>"),
    "an_abi_header_including_more":
        ("libl4/abi/a.h", "#include <l4/sys/types.h>\n", "the ABI includes only"),
    "an_abi_header_with_an_if": ("libl4/abi/a.h", "#if KERNEL\n#endif\n", "no #if"),
    "a_step_told_twice": ("pagers/a.c", "/* PF-3: again */\n", "PF-3 is told twice"),
    "a_step_too_many": ("pagers/a.c", "/* PF-10: more */\n", "PF-10 is no step"),
    "no_newline_at_the_end": ("kernel/a.c", "int x;", "no newline"),
}


@pytest.mark.parametrize("name", OFFENCES)
def test_tidy_finds(tree, name):
    path, text, sentence = OFFENCES[name]
    run = tidy(tree(path, GOOD.format(name=path.rsplit("/", 1)[1]) + text))
    assert run.returncode == 1
    assert sentence in run.stdout and len(run.stdout.splitlines()) == 1, run.stdout


def test_a_function_of_70_lines_is_allowed(tree):
    assert tidy(tree("kernel/a.c", GOOD.format(name="a.c") + body(70))).returncode == 0


def test_tidy_finds_a_missing_first_line(tree):
    assert "must begin with a comment" in tidy(tree("kernel/a.c", "int x;\n")).stdout


def test_tidy_finds_a_first_line_of_another_file(tree):
    assert "speaks of b.c" in tidy(tree("kernel/a.c", GOOD.format(name="b.c"))).stdout


def test_tidy_finds_a_missing_step(tree):
    root = tree("kernel/story.h", GOOD.format(name="story.h") + STORY.replace("PF-4:", "PF 4"))
    assert "lacks PF-4" in tidy(root).stdout


def test_tidy_finds_a_wrong_count_in_the_tour(tree):
    root = tree("README.md", "| 1 | [kernel/story.h](kernel/story.h) | 7 | a story |\n")
    assert "has 12 lines" in tidy(root).stdout
