"""conftest.py - what all tests share: one build, and boot()

The build happens once, before the first test, in the process that pytest started (not in its
workers). A test that needs programs of its own calls build_apps(), which takes a lock.
"""

import dataclasses
import fcntl
import os
import pathlib
import subprocess
import sys

import pytest

REPO = pathlib.Path(__file__).resolve().parent.parent
BUILD = REPO / "build"
sys.path.insert(0, str(REPO / "tools"))
sys.dont_write_bytecode = True
import machine  # noqa: E402


def make(*args, check=True):
    """Runs make in the checkout, one at a time over all workers; returns the finished process."""
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        run = subprocess.run(["make", "-C", str(REPO), "--no-print-directory",
                              f"-j{os.cpu_count()}", *args], env=env, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if check and run.returncode != 0:
        pytest.fail(f"make {' '.join(args)} failed:\n{run.stdout}", pytrace=False)
    return run


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a few seconds")
    config.addinivalue_line("markers", "bench: judges figures of the benchmark; -m bench")
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    run = make("all", "guest", "host-tests", check=False)
    if run.returncode != 0:
        pytest.exit(f"the build failed:\n{run.stdout}", returncode=2)


def boot(script=None, root=None, modules=(), **kw):
    """Boots and returns a machine.Result; nothing is asserted. Keywords: machine.Options."""
    kw.setdefault("timeout", 180.0)
    opts = machine.Options(build=str(BUILD), script=script and str(script),
                           root=root and str(root), modules=tuple(map(str, modules)), **kw)
    return machine.boot(opts)


def assert_exit(result, status=0):
    """The guest ended by itself with this status; otherwise its whole log is the message."""
    assert (result.kind, result.status) == ("exit", status), \
        f"{result.reason}\n--- serial log ---\n{result.log}"


@dataclasses.dataclass
class Tap:
    """Results in the Test Anything Protocol: `1..N`, `ok n - sentence`, `not ok n - sentence`."""
    passed: list
    failed: list
    plan: int | None


def parse_tap(log):
    tap = Tap([], [], None)
    for line in log.splitlines():
        words = line.strip().split(" ", 3)
        if line.strip().startswith("1..") and line.strip()[3:].isdigit():
            tap.plan = int(line.strip()[3:])
        elif words[0] == "ok" and len(words) > 1 and words[1].isdigit():
            tap.passed.append((int(words[1]), line.strip()))
        elif words[:2] == ["not", "ok"] and len(words) > 2 and words[2].isdigit():
            tap.failed.append((int(words[2]), line.strip()))
    return tap


def assert_tap(result):
    """Every planned test ran once, in order, and passed."""
    tap = parse_tap(result.log)
    context = f"\n{result.reason}\n--- serial log ---\n{result.log}"
    assert not tap.failed, "\n".join(line for _, line in tap.failed) + context
    assert tap.plan is not None, "no plan line 1..N" + context
    assert [n for n, _ in tap.passed] == list(range(1, tap.plan + 1)), \
        f"planned 1..{tap.plan}, saw {[n for n, _ in tap.passed]}" + context


@pytest.fixture
def app(tmp_path):
    """app(name, code) writes a program's folder outside the checkout; returns its path."""
    def write(name, code, **files):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "main.c").write_text(code)
        for other, text in files.items():
            (folder / other.replace("__", ".")).write_text(text)
        return folder
    return write


def build_apps(*folders):
    """Builds program folders out of tree; returns the paths of their images."""
    make("apps", "APPS=" + " ".join(map(str, folders)))
    return tuple(str(BUILD / "apps" / f"{pathlib.Path(f).name}.elf") for f in folders)


SCRIPT_HEAD = """\
manager anon file=anon.elf quota=64M prio=220
manager rom file=rom.elf quota=1M prio=220
"""


@pytest.fixture
def script(tmp_path):
    """script(text) writes a boot script with the usual managers before the text."""
    def write(text, head=SCRIPT_HEAD):
        path = tmp_path / "boot.cfg"
        path.write_text(head + text)
        return path
    return write
