"""test_build.py - host tests, the golden text of the ABI, and the build itself"""

import json
import re
import subprocess

import pytest

from conftest import BUILD, REPO, assert_exit, boot, make


def host_tests():
    run = subprocess.run(["make", "-s", "-C", str(REPO), "print-host-tests"], text=True,
                         capture_output=True, check=True)
    return run.stdout.split()


@pytest.mark.parametrize("name", host_tests())
def test_host(name):
    run = subprocess.run([BUILD / "host" / name], cwd=REPO, text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, check=False, timeout=600)
    assert run.returncode == 0, run.stdout


def test_the_abi_is_what_the_golden_text_says():
    run = make("abi", check=False)
    assert run.returncode == 0, \
        f"{run.stdout}\nan intended change: make abi-golden, and raise the level in CHANGES.md"


def test_changes_md_names_an_abi_level():
    assert re.search(r"ABI level \d+", (REPO / "CHANGES.md").read_text())


def test_compile_commands_name_files_that_exist():
    units = json.loads((BUILD / "compile_commands.json").read_text())
    assert units
    for unit in units:
        assert (REPO / unit["file"]).exists(), unit["file"]


def test_a_second_make_does_nothing():
    run = make("all")
    assert not [line for line in run.stdout.splitlines() if re.match(r"  (CC|LINK|AR)\b", line)]


def test_release_mode_builds(tmp_path):
    make("all", "MODE=release", f"O={tmp_path}/build")


@pytest.mark.parametrize("flags", [["CC=gcc"], ["MODE=release"]], ids=lambda f: f[0])
def test_the_kernel_of_another_compiler_or_mode_runs_the_demonstration(tmp_path, flags):
    names = ["kernel.elf", "kernel.elf32"]
    make(*flags, f"O={tmp_path}", *(f"{tmp_path}/{n}" for n in names))
    result = boot(files={n: str(tmp_path / n) for n in names})
    assert_exit(result)


def segments(image):
    text = subprocess.run(["llvm-readelf", "-lW", image], text=True, capture_output=True,
                          check=True).stdout
    return re.findall(r"^  LOAD\s+\S+ \S+ \S+ \S+ (\S+) (R?) ?(W?) ?(E?)", text, re.M)


@pytest.mark.parametrize("image", ["kernel.elf", "sigma0.elf", "roottask.elf", "rm.elf",
                                   "anon.elf", "rom.elf"])
def test_no_segment_is_both_writable_and_executable(image):
    found = segments(BUILD / image)
    assert found
    assert not [s for s in found if s[2] and s[3] and int(s[0], 16)]
