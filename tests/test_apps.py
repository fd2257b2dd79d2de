"""test_apps.py - programs outside the checkout: make run and ./quire run, as docs/tools.md says"""

import os
import subprocess
import sys

import pytest

from conftest import BUILD, REPO, assert_exit, boot, build_apps

HELLO = """\
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    for (int i = 0; i < argc; ++i)
        printf("argument %d is %s\\n", i, argv[i]);
    return argc > 1 ? atoi(argv[1]) : 0;
}
"""
# Returns the number of characters on the line that somebody types.
TYPED = """\
#include <l4/sys/ipc.h>
#include <l4/sys/types.h>
#include <l4/sys/vcon.h>
#include <stdio.h>

int main(void)
{
    char line[100];
    int n = 0, got;

    printf("type something\\n");
    while (n == 0 || line[n - 1] != '\\n') {
        got = l4_vcon_read(L4_BASE_LOG_CAP, line + n, sizeof(line) - n);
        n += got > 0 ? got : 0;
        if (got <= 0)
            l4_ipc_sleep_ms(1);
    }
    printf("typed: %.*s", n, line);
    return n;
}
"""
BOOT_INTERACTIVE = """\
import sys
sys.path[:0] = sys.argv[1:2]
import machine
r = machine.boot(machine.Options(build=sys.argv[2], script=sys.argv[3], apps=(sys.argv[4],),
                                 interactive=True, timeout=60), sink=sys.stdout)
sys.exit(r.exit_status)
"""
BARE = """\
#include <stdio.h>

static char bss[100000];

int main(void)
{
    bss[99999] = 7;
    printf("bare kernel\\n");
    return bss[99999];
}
"""


def run(*command):
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.run(command, cwd=REPO, env=env, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)


@pytest.mark.parametrize("status", [0, 1, 42, 100])
def test_the_exit_status_of_main_is_the_machines(app, script, status):
    images = build_apps(app(f"hello{status}", HELLO))
    text = f"program hello file=hello{status}.elf quota=4M main -- {status}\n"
    result = boot(script(text), apps=images)
    assert_exit(result, status)
    assert f"argument 1 is {status}" in result.log


def test_make_run_builds_and_boots_a_folder_outside_the_checkout(app, script):
    folder = app("outside", HELLO)
    cfg = script("program outside file=outside.elf quota=4M main -- 0 \"two words\"\n")
    done = run("make", "run", f"APPS={folder}", f"SCRIPT={cfg}", "HEADLESS=1")
    assert done.returncode == 0, done.stdout
    assert "argument 2 is two words" in done.stdout


def test_make_run_ends_with_the_status_of_the_program(app, script):
    folder = app("failing", HELLO)
    cfg = script("program failing file=failing.elf quota=4M main -- 9\n")
    done = run("make", "run", f"APPS={folder}", f"SCRIPT={cfg}", "HEADLESS=1")
    assert done.returncode == 9 and "exit status 9" in done.stdout, done.stdout


def test_quire_run_ends_with_the_programs_own_status(app, script):
    folder = app("exact", HELLO)
    cfg = script("program exact file=exact.elf quota=4M main -- 9\n")
    done = run("./quire", "run", "-y", f"APPS={folder}", f"SCRIPT={cfg}")
    assert done.returncode == 9, done.stdout


def test_a_folder_may_list_its_sources_and_flags(app, script):
    folder = app("listed", "int other(void);\nint main(void) { return other(); }\n",
                 other__c="int other(void);\nint other(void) { return SEVEN; }\n",
                 broken__c="this is not C\n",
                 build__mk="sources := main.c other.c\ncflags := -DSEVEN=7\n")
    images = build_apps(folder)
    assert_exit(boot(script("program listed file=listed.elf quota=4M main\n"), apps=images), 7)


def test_two_programs_run_in_one_boot(app, script):
    images = build_apps(app("first", HELLO), app("second", HELLO))
    cfg = script("program first file=first.elf quota=4M prio=110 -- 0\n"
                 "program second file=second.elf quota=4M prio=100 main -- 3\n")
    result = boot(cfg, apps=images)
    assert_exit(result, 3)


def test_a_program_in_the_root_tasks_place(app):
    images = build_apps(app("bare", BARE))
    result = boot(root=images[0])
    assert_exit(result, 7)
    assert "bare kernel" in result.log


def test_make_run_root(app):
    folder = app("bareroot", BARE)
    done = run("make", "run", f"ROOT={folder}", "HEADLESS=1")
    assert done.returncode == 7 and "exit status 7" in done.stdout, done.stdout


def test_what_is_typed_reaches_the_program_that_reads(app, script):
    image = build_apps(app("typed", TYPED))[0]
    cfg = script("program typed file=typed.elf quota=4M main\n")
    line = "more than the sixteen characters of a serial line's queue\n"
    with subprocess.Popen([sys.executable, "-B", "-c", BOOT_INTERACTIVE, REPO / "tools", BUILD, cfg,
                           image], text=True, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as booted:
        seen = ""
        while "type something" not in seen and (more := booted.stdout.readline()):
            seen += more
        booted.stdin.write(line)
        booted.stdin.flush()
        seen += booted.stdout.read()
    assert booted.returncode == len(line), seen
    assert f"typed: {line}" in seen


def test_an_app_folder_without_a_program_is_refused_with_its_name(tmp_path):
    done = run("make", "run", f"APPS={tmp_path}", "HEADLESS=1")
    assert done.returncode == 2 and "holds no program" in done.stdout


def test_an_app_folder_that_does_not_exist_is_named(tmp_path):
    done = run("make", "run", f"APPS={tmp_path}/nowhere", "HEADLESS=1")
    assert done.returncode == 2 and "nowhere" in done.stdout


def test_a_compile_error_fails_the_run(app):
    done = run("./quire", "run", "-y", f"APPS={app('wrong', 'this is not C')}")
    assert done.returncode == 125 and "the build failed" in done.stdout


def test_a_folder_may_move_between_two_builds(app, tmp_path, script):
    folder = app("moving", "int main(void) { return 5; }\n")
    build_apps(folder)
    (tmp_path / "elsewhere").mkdir()
    moved = folder.rename(tmp_path / "elsewhere/moving")
    (moved / "main.c").write_text("int main(void) { return 6; }\n")
    images = build_apps(moved)
    assert_exit(boot(script("program moving file=moving.elf quota=4M main\n"), apps=images), 6)
