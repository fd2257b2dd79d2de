"""test_model.py - the SPIN models: the kernel's way holds, each known mistake is found"""

import re
import shutil
import subprocess

import pytest

from conftest import BUILD, REPO


def in_the_set_up_list():
    words = re.search(r'^packages="([^"]*)"', (REPO / "quire").read_text(), re.M | re.S)
    return "spin" in words.group(1).split()


def test_the_models_say_what_they_should():
    if not shutil.which("spin"):
        assert in_the_set_up_list(), "there is no spin, and set-up would not install it"
        pytest.skip("there is no spin: ./quire setup installs it")
    run = subprocess.run([REPO / "tools/model", "--build", BUILD], text=True, check=False,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900)
    assert run.returncode == 0, run.stdout
    assert len(re.findall(r"^ok - unmap", run.stdout, re.M)) == 5, run.stdout
