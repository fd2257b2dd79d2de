#!/usr/bin/python3
"""test.py - runs every test: pytest over tests/, on as many workers as there are processors

Arguments are pytest's (`-k demo`, `-x`). Exit status: pytest's.
"""

import importlib.util
import os
import pathlib
import sys

REPO = pathlib.Path(__file__).resolve().parent.parent


def main(argv):
    argv = [a for a in argv if a != "--quire"]
    os.chdir(REPO)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-m", "pytest", "-c", "tests/pytest.ini", "--rootdir=."]
    if importlib.util.find_spec("xdist") and not any(a.startswith(("-n", "--pdb")) for a in argv):
        command += ["-n", str(min(8, max(2, os.cpu_count() or 2)))]
    if not any(not a.startswith("-") and os.path.exists(a.split("::")[0]) for a in argv):
        argv.append("tests")
    sys.stdout.flush()
    os.execv(sys.executable, command + argv)


if __name__ == "__main__":
    main(sys.argv[1:])
