"""benchrun.py - boots the benchmark's programs and reads what they print

The figures are the same on every host: QEMU counts instructions, on one virtual processor, and the
time stamp counter is that count. measure() proves it (calibration) before it believes anything.
"""

import bisect
import collections
import dataclasses
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import tempfile

import machine
from benchrows import STRETCHES, empty_rows

CPU = machine.DEFAULT_CPU + ",enforce"
LAYERS_SCRIPT = machine.REPO / "tests/bench/layers/boot.cfg"
KMEM = "kmem=128M"
NO_SHORTCUTS = "nofast"
# Rows that are measured a second time with the kernel's shortcuts off.
SHORTCUTS = ("ipc_cross_0", "ipc_cross_8", "ipc_cross_63", "ipc_same_0", "ipc_cap_1",
             "ipc_cross_0_far_slot", "ipc_cross_0_timeout", "ipc_cross_0_to_thread", "invoke_min",
             "syscall_null", "fault_1", "fault_hier", "map_4k", "unmap_1")
FUNCTIONS = 16  # of a region that are recorded
# What each program is booted with.
PROGRAMS = {
    "rows": dict(cmdline=KMEM),
    "lines": dict(cmdline=KMEM),
    "layers": dict(script=str(LAYERS_SCRIPT)),
}


class BenchError(Exception):
    """The benchmark says nothing; the text says why."""


def boot(build, name, timeout, qemu_args=(), option=""):
    """The log of one program's run, which must end with status 0. option: of the kernel."""
    image = pathlib.Path(build) / "bench" / f"{name}.elf"
    where = dict(PROGRAMS[name])
    where["cmdline"] = f"{where.get('cmdline', '')} {option}".strip()
    where.update({"apps": (str(image),), "search": (str(image.parent),)} if "script" in where
                 else {"root": str(image)})
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
    rows, series, calibrations, since = {}, {}, [], {}
    for line in log.splitlines():
        word, *rest = line.split()[:4] or [""]
        if word == "bench" and len(rest) == 2:
            rows[rest[0]] = int(rest[1])
        elif word == "series" and len(rest) == 3:
            series.setdefault(rest[0], []).append([int(rest[1]), int(rest[2])])
        elif word == "since" and len(rest) == 2:
            since[rest[0]] = int(rest[1])
        elif word == "until" and len(rest) == 2:
            rows[rest[0]] = int(rest[1]) - since[rest[0]]
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


@dataclasses.dataclass(frozen=True)
class Section:
    flags: int
    address: int
    data: bytes


def sections(path):
    """Sections of an ELF64 file that are in memory and have contents."""
    file = pathlib.Path(path).read_bytes()
    table, = struct.unpack_from("<Q", file, 0x28)
    size, count = struct.unpack_from("<HH", file, 0x3a)
    for i in range(count):
        _, kind, flags, address, at, length = struct.unpack_from("<IIQQQQ", file, table + i * size)
        if kind == 1 and flags & 2:  # PROGBITS, ALLOC
            yield Section(flags, address, file[at:at + length])


def kernel_text(path):
    """Bytes of code and constants in a kernel image."""
    return sum(len(s.data) for s in sections(path) if not s.flags & 1)


# ---------------------------------------------------------------- under the plugin

FIELDS = ("instructions", "kernel", "loads", "stores", "code_lines", "data_lines", "stretch")


@dataclasses.dataclass(frozen=True)
class Site:
    """An instruction, and how often it was executed."""
    address: int
    count: int
    code: bytes


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
                self.sites.setdefault(name, []).append(
                    Site(int(rest[0], 16), int(rest[1]), bytes.fromhex(rest[2])))

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


class Names:
    """Functions by address and code: programs lie at the same addresses, their code differs."""

    def __init__(self, build, program):
        build = pathlib.Path(build)
        paths = [build / "kernel.elf", build / f"bench/{program}.elf", build / "sigma0.elf"]
        if "script" in PROGRAMS[program]:
            paths += [build / "anon.elf", build / "rm.elf"]
        self.images = {p: (list(sections(p)), self.load(p)) for p in paths}

    @staticmethod
    def load(path):
        tool = shutil.which("llvm-nm") or shutil.which("llvm-nm-14") or "nm"
        run = subprocess.run([tool, "--defined-only", "-n", str(path)], text=True,
                             capture_output=True, check=False)
        if run.returncode != 0:
            raise BenchError(f"{tool}: {run.stderr.strip()}")
        words = (line.split() for line in run.stdout.splitlines())
        return [(int(w[0], 16), w[2]) for w in words if len(w) == 3 and w[1] in "tT"]

    def find(self, site):
        """(image, function); (None, "?") if no image has this code there."""
        for path, (parts, symbols) in self.images.items():
            for s in parts:
                at = site.address - s.address
                if 0 <= at < len(s.data) and self.same(s.data[at:at + len(site.code)], site.code):
                    i = bisect.bisect_right(symbols, (site.address, "\x7f")) - 1
                    return path, symbols[i][1] if i >= 0 else "?"
        return None, "?"

    @staticmethod
    def same(image, code):
        """The kernel replaces three-byte no-operations of its image when it starts."""
        return image == code or (image == b"\x0f\x1f\x00" and len(code) == 3)


def by_function(names, sites):
    """Executed instructions by `image: function`, over all passes."""
    counts = collections.Counter()
    for site in sites:
        path, function = names.find(site)
        counts[f"{path.stem if path else '?'}: {function}"] += site.count
    return counts


def plugin_rows(r):
    """Rows that only the plugin can see."""
    rows = {}
    for row, region in (("lines_ipc", "ipc_cross_0"), ("lines_ipc_fpu", "ipc_cross_0_fpu"),
                        ("lines_fault", "fault_1")):
        code, data = r.median(region, "code_lines"), r.median(region, "data_lines")
        rows.update({row: [code, data], f"{row}_code": code, f"{row}_data": data})
    rows["longest_stretch"] = max(r.largest(region, "stretch") for region in r.passes)
    for region in STRETCHES:
        rows[f"stretch_{region}"] = r.largest(region, "stretch")
    return rows


def summary(r, names):
    """Medians of each region, and its functions with their mean of instructions a pass."""
    result = {}
    for region, passes in r.passes.items():
        functions = by_function(names, r.sites.get(region, ())).most_common(FUNCTIONS)
        result[region] = {f: r.median(region, f) for f in FIELDS[:6]}
        result[region]["stretch"] = r.largest(region, "stretch")
        result[region]["functions"] = [[f, round(n / len(passes), 1)] for f, n in functions]
    return result


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
    slow, _, _ = parse(boot(build, "rows", timeout, option=NO_SHORTCUTS))
    rows["kernel_text"] = kernel_text(pathlib.Path(build) / "kernel.elf")
    looked_at = {}
    for name in ("lines", "layers") if plugin else ():
        r = regions(build, name, timeout)
        if name == "lines":
            rows.update(plugin_rows(r))
        looked_at.update(summary(r, Names(build, name)))
    return {"calibration": calibration, "rows": rows, "series": series, "regions": looked_at,
            "without_shortcuts": {name: slow[name] for name in SHORTCUTS},
            "machine": {"cpu": CPU, "build": pathlib.Path(build).name}}
