"""benchrun.py - boots the benchmark's programs and reads what they print

The figures are the same on every host: QEMU counts instructions, on one virtual processor, and the
time stamp counter is that count. measure() proves it (calibration) before it believes anything.
"""

import pathlib
import re
import shutil
import statistics
import struct
import tempfile

import machine
from benchrows import empty_rows

CPU = machine.DEFAULT_CPU + ",enforce"
LAYERS_SCRIPT = machine.REPO / "tests/bench/layers/boot.cfg"
KMEM = "kmem=128M"
# What each program is booted with.
PROGRAMS = {
    "rows": dict(cmdline=KMEM),
    "lines": dict(cmdline=KMEM),
    "layers": dict(script=str(LAYERS_SCRIPT)),
}


class BenchError(Exception):
    """The benchmark says nothing; the text says why."""


def boot(build, name, timeout, qemu_args=()):
    """The log of one program's run, which must end with status 0."""
    image = pathlib.Path(build) / "bench" / f"{name}.elf"
    where = dict(PROGRAMS[name])
    where.update({"apps": (str(image),)} if "script" in where else {"root": str(image)})
    opts = machine.Options(build=str(build), cpu=CPU, timeout=timeout, qemu_args=qemu_args, **where)
    try:
        result = machine.boot(opts)
    except machine.SetupError as e:
        raise BenchError(str(e)) from e
    if not result.ok:
        raise BenchError(f"{name}: {result.reason}\n--- serial log ---\n{result.log}")
    return result.log


def parse(log):
    """(rows, series, calibrations) that a program printed."""
    rows, series, calibrations = {}, {}, []
    for line in log.splitlines():
        word, *rest = line.split()[:4] or [""]
        if word == "bench" and len(rest) == 2:
            rows[rest[0]] = int(rest[1])
        elif word == "series" and len(rest) == 3:
            series.setdefault(rest[0], []).append([int(rest[1]), int(rest[2])])
        elif word == "calibration" and len(rest) == 2:
            if rest[0] == "rdtsc_cost":
                calibrations.append({})
            calibrations[-1][rest[0]] = int(rest[1])
    return rows, series, calibrations


def check_calibration(name, calibrations):
    if not calibrations:
        raise BenchError(f"{name}: no calibration was printed")
    for c in calibrations:
        if c.get("loop_measured") != c.get("loop_instructions"):
            raise BenchError(f"{name}: the time stamp counter does not count instructions: a loop "
                             f"of {c.get('loop_instructions')} measured {c.get('loop_measured')}")


def kernel_text(path):
    """Bytes of code and constants in a kernel image: sections in memory, not writable, with
    contents."""
    data = pathlib.Path(path).read_bytes()
    at, = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3a)
    total = 0
    for i in range(count):
        _, kind, flags, _, _, length = struct.unpack_from("<IIQQQQ", data, at + i * size)
        if kind == 1 and flags & 2 and not flags & 1:  # PROGBITS, ALLOC, not WRITE
            total += length
    return total


# ---------------------------------------------------------------- under the plugin

FIELDS = ("instructions", "kernel", "loads", "stores", "code_lines", "data_lines", "stretch")


class Regions:
    """What the plugin saw: passes and executed addresses of each marked region."""

    def __init__(self, log, text):
        names = {int(m[1]): m[2] for m in re.finditer(r"^region (\d+) (\w+)", log, re.M)}
        self.passes = {}
        self.sites = {}
        for line in text.splitlines():
            word, region, *rest = line.split()
            name = names.get(int(region), region)
            if word == "pass":
                one = dict(zip(FIELDS, map(int, rest)))
                one["stretch_end"] = int(rest[len(FIELDS)], 16)
                self.passes.setdefault(name, []).append(one)
            elif word == "at":
                self.sites.setdefault(name, {})[int(rest[0], 16)] = int(rest[1])

    def median(self, name, field):
        values = [p[field] for p in self.passes.get(name, [])]
        return int(statistics.median_low(values)) if values else None

    def largest(self, name, field):
        return max((p[field] for p in self.passes.get(name, [])), default=None)


def regions(build, name, timeout):
    """Runs a program under the plugin."""
    plugin = (pathlib.Path(build) / "bench/count.so").resolve()
    with tempfile.TemporaryDirectory(prefix="quire-bench-") as tmp:
        out = pathlib.Path(tmp) / "out"
        # QEMU splits its arguments at commas, so the plugin goes by a path without one.
        shutil.copy(plugin, pathlib.Path(tmp) / "count.so")
        log = boot(build, name, timeout, ("-plugin", f"file={tmp}/count.so,out={out}"))
        return Regions(log, out.read_text())


def plugin_rows(r):
    """Rows that only the plugin can see."""
    rows = {}
    for row, region in (("lines_ipc", "ipc_cross_0"), ("lines_fault", "fault_1")):
        code, data = r.median(region, "code_lines"), r.median(region, "data_lines")
        rows.update({row: [code, data], f"{row}_code": code, f"{row}_data": data})
    for row, region in (("longest_stretch", "unmap_100000"),
                        ("stretch_unmap_chain", "unmap_chain_10000"),
                        ("stretch_delete_task", "delete_task_100000"),
                        ("stretch_map_4m", "map_4m_4k"), ("stretch_unmap_4m", "unmap_4m_4k")):
        rows[row] = r.largest(region, "stretch")
    return rows


# ---------------------------------------------------------------- all of it

def measure(build, timeout=300.0, plugin=True):
    """The contents of bench.json."""
    rows, series, calibration = empty_rows(), {}, None
    for name in ("rows", "layers"):
        r, s, c = parse(boot(build, name, timeout))
        check_calibration(name, c)
        rows.update(r)
        series.update(s)
        calibration = calibration or dict(c[0], ok=True)
    rows["kernel_text"] = kernel_text(pathlib.Path(build) / "kernel.elf")
    memory = {}
    if plugin:
        r = regions(build, "lines", timeout)
        rows.update(plugin_rows(r))
        memory = {name: {f: r.median(name, f) for f in FIELDS[:6]} for name in r.passes}
    return {"calibration": calibration, "rows": rows, "series": series, "regions": memory,
            "machine": {"cpu": CPU, "build": pathlib.Path(build).name}}
