"""test_seeded.py - bugs that other kernels had, put into this one: each is caught by a named test

tests/seeded/*.patch, each with a head of four lines:

    From: whose bug it was        Bug: what it is here
    Caught by: host NAME: test    Caught by: guest FOLDER [options]: sentence

The tree is copied (one copy a worker, which keeps its objects), the patch applied, what is needed
built, the test run: it must fail, and must pass in the tree itself. An option of a guest test goes
to the kernel's command line; steps=1 asks for the kernel that looks at the interrupts after each
step.
"""

import dataclasses
import os
import re
import subprocess

import pytest

from conftest import BUILD, REPO, boot, make, parse_tap
from test_guest import GUEST, read_expect

LONG = "QUIRE_LONG" in os.environ
QUICK = ("quota_race", "right_tested_with_or", "stale_region_after_detach")
PATCHES = sorted((REPO / "tests/seeded").glob("*.patch"))
HEAD = re.compile(r"From: (.+)\nBug: (.+)\nCaught by: (host|guest) (\w+)([^:\n]*): (.+)\n\n--- a/")
SECONDS = 60


@dataclasses.dataclass
class Named:
    kind: str
    where: str  # host test, or folder of a guest test
    options: list
    test: str

    def steps(self):
        return "steps=1" in self.options


def named_test(patch):
    head = HEAD.match(patch.read_text())
    assert head, f"{patch.name}: the head is not as it should be"
    return Named(head[3], head[4], head[5].split(), head[6])


def run_host(named, build):
    """The log of a host test."""
    run = subprocess.run([build / "host" / named.where, named.test], text=True, timeout=SECONDS,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return run.stdout


def run_guest(named, build):
    expect = read_expect(GUEST / named.where)
    kernel = build / "steps1" if named.steps() else build
    images = build / "guest" / named.where
    script = GUEST / named.where / "boot.cfg"
    where = {"script": script} if script.exists() else {"root": images / f"{named.where}.elf"}
    options = [o for o in named.options if o != "steps=1"]
    result = boot(**where, search=(str(images), str(build)), mem=expect.mem.split()[0],
                  cpu=expect.cpu, cmdline=" ".join([*options, expect.cmdline]), timeout=SECONDS,
                  files={n: kernel / n for n in ("kernel.elf", "kernel.elf32")}
                  | {n: build / n for n in ("sigma0.elf", "roottask.elf", "rm.elf")})
    return f"{result.log}\n{result.reason}"


def run(named, build):
    return (run_host if named.kind == "host" else run_guest)(named, build)


def passed_in(log):
    """The sentences of the tests that passed, in their order."""
    return [line.split(" - ", 1)[1] for _, line in sorted(parse_tap(log).passed)]


def failed_first(named, log, order):
    """The named test failed, or ended the run when all before it had said something."""
    tap = parse_tap(log)
    if any(line.endswith(f" - {named.test}") for _, line in tap.failed):
        return True
    return named.test not in passed_in(log) and \
        len(tap.passed) + len(tap.failed) == order.index(named.test)


def files_of_the_tree():
    git = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=REPO,
                         capture_output=True, text=True, check=False)
    if git.returncode == 0:
        return [n for n in git.stdout.split("\0") if n and (REPO / n).is_file()]
    found = (p.relative_to(REPO) for p in REPO.rglob("*") if p.is_file())
    return [str(p) for p in found if p.parts[0] != "build"]


@pytest.fixture
def copy():
    """A copy of the tree as it is; what a patch has changed last time is changed back."""
    folder = BUILD / "seeded" / os.environ.get("PYTEST_XDIST_WORKER", "alone")
    for name in files_of_the_tree():
        content, to = (REPO / name).read_bytes(), folder / name
        if not to.exists() or to.read_bytes() != content:
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(content)
            to.chmod((REPO / name).stat().st_mode)
    return folder


def build_in(folder, *targets):
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    run = subprocess.run(["make", "-C", folder, f"-j{os.cpu_count()}", *targets], env=env,
                         text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert run.returncode == 0, run.stdout


def build_for(named, folder):
    if named.kind == "host":
        build_in(folder, f"build/host/{named.where}")
        return
    script = (GUEST / named.where / "boot.cfg").exists()
    build_in(folder, f"build/guest/{named.where}/{named.where}.elf",
             *(["guest"] if script else ["build/kernel.elf32", "build/sigma0.elf"]))
    if named.steps():
        build_in(folder, "STEPS=1", "O=build/steps1", "build/steps1/kernel.elf32")


@pytest.mark.parametrize("patch", PATCHES, ids=lambda p: p.stem)
def test_a_seeded_bug_is_caught(patch, copy):
    if not LONG and patch.stem not in QUICK:
        pytest.skip("make test-long: some minutes for all of them")
    named = named_test(patch)
    if named.steps():
        make("STEPS=1", "O=build/steps1", "build/steps1/kernel.elf32")
    log = run(named, BUILD)
    order = passed_in(log)
    assert named.test in order, f"without the bug:\n{log}"
    subprocess.run(["git", "apply", patch], cwd=copy, check=True,
                   env=os.environ | {"GIT_CEILING_DIRECTORIES": str(copy.parent)})
    build_for(named, copy)
    log = run(named, copy / "build")
    assert failed_first(named, log, order), log[-4000:]
