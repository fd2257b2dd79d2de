"""test_bench.py - the benchmark runs, its counter counts, and every figure has its name

What the figures are is no matter of these tests, but for those marked `bench`: they compare with
the column `must`, and run when they are asked for (./quire test -m bench).
"""

import json
import subprocess
import sys

import pytest

import benchrows
import benchrun
from conftest import BUILD, REPO, make

RELEASE = BUILD / "release"
# Programs outside the benchmark read the file by these names.
NAMES = """
    ipc_cross_0 ipc_cross_8 ipc_cross_63 ipc_same_0 ipc_cap_1 syscall_null invoke_min fault_1
    fault_2_refault fault_2_fresh fault_hier fault_cow map_4k unmap_1 unmap_child lookup_1000
    map_4m_4k unmap_4m_4k map_4m_2m unmap_4m_2m map_4m_2m_after unmap_4m_2m_after rm_attach
    rm_detach task_create task_delete thread_start thread_delete touch_4k touch_ahead touch_2m
    lines_ipc lines_ipc_fpu lines_fault bytes_thread bytes_task bytes_mapping bytes_gate kernel_text
    longest_stretch
""".split()
LATER = set()
SERIES = {
    "unmap_children_one_task": [10 ** n for n in range(6)],
    "unmap_children_n_tasks": [10 ** n for n in range(4)],
    "lookup_unmap": [10 ** n for n in range(5)],
    "lookup_map": [10 ** n for n in range(5)],
    "chain_map": [10 ** n for n in range(5)],
    "chain_unmap": [10 ** n for n in range(5)],
    "map_pages": [2 ** n for n in range(10)],
    "unmap_pages": [2 ** n for n in range(10)],
    "ipc_words": list(range(64)),
}


def bench(*args):
    """Runs tools/bench with these arguments."""
    return subprocess.run([sys.executable, REPO / "tools/bench", "--build", RELEASE, *args],
                          text=True, capture_output=True, check=False)


@pytest.fixture(scope="session")
def measured(tmp_path_factory):
    """What `make bench` measured."""
    path = tmp_path_factory.mktemp("bench") / "bench.json"
    make("bench", f"BENCHFLAGS=--json {path}")
    return json.loads(path.read_text())


def test_the_counter_counts_instructions(measured):
    c = measured["calibration"]
    assert c["loop_measured"] == c["loop_instructions"]
    assert 0 <= c["rep_measured"] - c["rep_iterations"] <= 2


def test_a_counter_that_counts_something_else_is_refused():
    with pytest.raises(benchrun.BenchError, match="does not count instructions"):
        benchrun.check_calibration("rows", [{"loop_instructions": 10000, "loop_measured": 10001}])


@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_measured(measured, name):
    assert name in measured["rows"]
    assert (measured["rows"][name] is None) == (name in LATER)


def test_the_growth_series_are_complete(measured):
    assert {name: [x for x, _ in points] for name, points in measured["series"].items()} == SERIES


def test_a_second_run_measures_the_same(measured):
    rows, series, _ = benchrun.parse(benchrun.boot(RELEASE, "rows", 180.0))
    assert {name: measured["rows"][name] for name in rows} == rows
    assert {name: measured["series"][name] for name in series} == series


# The row of the same operation, where it has another name.
ROW_OF = {"fault_2_fresh": "fault_2_fresh_median"}
MARKED = """
    ipc_cross_0 ipc_cross_0_fpu ipc_cross_8 ipc_cross_63 ipc_same_0 invoke_min fault_1 map_4k
    unmap_1 map_4m_4k unmap_4m_4k map_4m_2m unmap_4m_2m task_create task_delete fault_2_fresh
    fault_2_refault rm_attach rm_detach
""".split()


@pytest.mark.parametrize("name", MARKED)
def test_the_plugin_counts_what_the_time_stamp_counter_counts(measured, name):
    # Some marked operations stand in another program, with other tables and slabs around them.
    seen, row = measured["regions"][name], measured["rows"][ROW_OF.get(name, name)]
    assert abs(seen["instructions"] - row) <= 0.05 * row
    assert seen["kernel"] < seen["instructions"]
    assert all(seen[f] > 0 for f in ("loads", "stores", "code_lines", "data_lines"))


def test_every_executed_function_has_a_name(measured):
    for name, seen in measured["regions"].items():
        strangers = [f for f, _ in seen["functions"] if "?" in f]
        assert not strangers, f"{name}: {strangers}"


def test_the_rows_are_measured_without_shortcuts_too(measured):
    slow = measured["without_shortcuts"]
    assert set(slow) == set(benchrun.SHORTCUTS)
    assert all(value > 0 for value in slow.values())


def test_a_comparison_shows_what_changed(measured, tmp_path):
    new, old = tmp_path / "new.json", tmp_path / "old.json"
    new.write_text(json.dumps(measured))
    measured = json.loads(json.dumps(measured))
    measured["rows"]["ipc_cross_0"] *= 2
    old.write_text(json.dumps(measured))
    run = bench("--use", new, "--compare", old)
    assert run.stdout.split()[0] == "ipc_cross_0" and run.stdout.split()[-2:] == ["-50.0", "%"]
    assert bench("--use", new, "--compare", new).stdout == "nothing has changed\n"


def test_the_document_gets_its_tables(measured, tmp_path):
    data, page = tmp_path / "bench.json", tmp_path / "page.md"
    data.write_text(json.dumps(measured))
    page.write_text("before\n<!-- bench: begin -->\nSTALE\n<!-- bench: end -->\nafter\n")
    assert bench("--use", data, "--document", page).returncode in (0, 1)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "STALE" not in text
    assert "| `ipc_cross_0` |" in text


@pytest.mark.bench
@pytest.mark.parametrize("row", [r for r in benchrows.ROWS if not r.later], ids=lambda r: r.name)
def test_the_must_is_met(measured, row, request):
    if "bench" not in request.config.getoption("-m"):
        pytest.skip("figures are judged when asked for: -m bench")
    value, due = measured["rows"][row.name], row.due(measured["rows"])
    assert value <= due, f"{row.name}: {value}, due are {due}"
