"""test_quire.py - the set-up of ./quire: it says, it asks, and it touches nothing needlessly

dpkg-query, apt-get, sudo and id are replaced by stubs that keep a diary.
"""

import os
import pty
import stat
import subprocess

import pytest

from conftest import REPO

DPKG = """#!/bin/sh
for last; do :; done
if [ -e $DIARY.installed ] || ! echo " $MISSING " | grep -q " $last "; then
    echo 'install ok installed'
fi
"""
APT = """#!/bin/sh
echo "apt-get $*" >> $DIARY
case $1 in
install) if [ "$LISTS" = empty ] && ! grep -q update $DIARY; then exit 100; fi
         [ "$LISTS" = broken ] || touch $DIARY.installed ;;
esac
"""
SUDO = '#!/bin/sh\necho "sudo" >> $DIARY\nexec "$@"\n'


@pytest.fixture
def setup(tmp_path):
    """setup(args, ...) runs ./quire setup among the stubs; returns (status, output, diary)."""
    def run(*args, missing="", uid=0, lists="full", ci="", answer=None):
        diary = tmp_path / "diary"
        diary.write_text("")
        stubs = {"dpkg-query": DPKG, "apt-get": APT, "sudo": SUDO, "id": f"#!/bin/sh\necho {uid}\n"}
        for name, text in stubs.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(stat.S_IRWXU)
        env = dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}", DIARY=str(diary),
                   MISSING=missing, LISTS=lists, CI=ci)
        ours, terminal = pty.openpty()
        if answer:
            os.write(ours, answer.encode())
        done = subprocess.run([REPO / "quire", "setup", *args], env=env, text=True, check=False,
                              stdin=terminal if answer else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        os.close(terminal)
        os.close(ours)
        return done.returncode, done.stdout, diary.read_text()
    return run


def test_nothing_missing_nothing_touched(setup):
    assert setup() == (0, "", "")
    assert setup("-y") == (0, "", "")


def test_what_is_missing_is_named_and_without_yes_not_installed(setup):
    status, out, diary = setup(missing="lld ovmf")
    assert status == 3 and "lld ovmf" in out and diary == ""


@pytest.mark.parametrize("answer, installed", [("y\n", True), ("n\n", False), ("\n", False)])
def test_at_a_terminal_it_asks_and_no_is_the_default(setup, answer, installed):
    status, out, diary = setup(missing="lld ovmf", answer=answer)
    assert "missing Debian packages: lld ovmf" in out and "Install them" in out
    assert (status, "install -y" in diary) == ((0, True) if installed else (3, False))


@pytest.mark.parametrize("way", [{"args": ["-y"]}, {"ci": "true"}])
def test_yes_or_ci_installs_exactly_what_is_missing(setup, way):
    status, out, diary = setup(*way.get("args", []), missing="lld ovmf", ci=way.get("ci", ""))
    assert status == 0 and "lld ovmf" in out
    assert diary == "apt-get install -y --no-install-recommends lld ovmf\n"


def test_empty_package_lists_are_fetched_first(setup):
    status, _, diary = setup("-y", missing="xorriso", lists="empty")
    assert status == 0 and "apt-get update" in diary


def test_an_ordinary_user_goes_through_sudo(setup):
    status, _, diary = setup("-y", missing="xorriso", uid=1000)
    assert status == 0 and diary.startswith("sudo\n")


def test_a_failed_installation_is_an_error(setup):
    status, out, _ = setup("-y", missing="xorriso", lists="broken")
    assert status == 3 and "still missing" in out


def test_an_unknown_command_shows_the_usage():
    done = subprocess.run([REPO / "quire", "fly"], text=True, capture_output=True, check=False)
    assert done.returncode == 2 and "quire run" in done.stderr


def test_every_package_is_documented():
    text = (REPO / "quire").read_text().split('packages="')[1].split('"')[0]
    documented = (REPO / "docs/tools.md").read_text()
    assert [p for p in text.split() if p not in documented] == []
