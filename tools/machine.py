"""machine.py - boots a Quire system in QEMU and says how it ended

Used by tools/run.py (the command line) and by the tests (tests/conftest.py).

V1  A run ends in exactly one of the kinds below; only `exit` carries a status of the guest.
V2  No ending is silent: every kind but `exit` with status 0 comes with a sentence (reason).
V3  A file is handed to the guest under its base name, whatever its path looks like.

    kind     how it is recognised                                 exit status of run.py
    exit     isa-debug-exit value 0x10 + status                   the status, 0..100
    panic    isa-debug-exit value 0x7f                            112
    limit    the watchdog: Options.limit is used up               111
    reset    the machine stopped without one: triple fault        113
    timeout  the host's patience ended; the machine is examined   124
    qemu     QEMU did not start, crashed, or a file is missing    125
"""

import dataclasses
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

REPO = pathlib.Path(__file__).resolve().parent.parent
DEFAULT_CPU = "qemu64,+smep,+smap,+fsgsbase,+umip,+pdpe1gb,+rdtscp"
DEFAULT_MEM = "512M"
EXIT_STATUS = {"limit": 111, "panic": 112, "reset": 113, "timeout": 124, "qemu": 125}
OVMF_FILES = ("/usr/share/ovmf/OVMF.fd", "/usr/share/qemu/OVMF.fd",
              "/usr/share/OVMF/OVMF.fd")
SERVERS = ("rm.elf", "anon.elf", "rom.elf")
BACKTRACE = re.compile(r"backtrace ([^\s:]+):((?:\s+(?:0x)?[0-9a-fA-F]+)+)\s*$")
ESCAPES = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1bc|[\x00\x07\r]")


class SetupError(Exception):
    """The machine cannot even be started; the text says why."""


@dataclasses.dataclass
class Options:
    """What to boot and on which machine. Paths may be relative to the working directory."""
    build: str = "build"
    script: str | None = None        # boot script; None: the demonstration's (unless root is given)
    root: str | None = None          # program in the root task's place
    apps: tuple = ()                 # program images, found by their base name first
    modules: tuple = ()              # further files
    search: tuple = ()               # folders that are searched before the build folder
    cmdline: str = ""                # kernel options
    mem: str = DEFAULT_MEM
    cpu: str = DEFAULT_CPU
    mode: str = "kernel"             # kernel (multiboot 1), iso (BIOS), uefi
    icount: bool = True              # deterministic: one instruction is one tick
    timeout: float | None = 120.0    # seconds on the host; None: for ever
    limit: int | None = None         # seconds on the guest's clock, 2, 4 ... 30: with icount that
    #                                  is so many times 10^9 instructions, on every host
    interactive: bool = False        # our standard input is the guest's serial line
    gdb: bool = False
    debug: str | None = None         # file for QEMU's log of interrupts and exceptions
    files: dict = dataclasses.field(default_factory=dict)  # replaces an image: {"sigma0.elf": path}
    omit: tuple = ()                 # names of standard modules to leave out
    qemu_args: tuple = ()
    ask: tuple = ()                  # (regex, commands): when a line of the log matches, the
    #                                  machine stops, QEMU's monitor answers, and it goes on


@dataclasses.dataclass
class Result:
    """How it ended. `log` is the serial line with symbolised backtraces."""
    kind: str
    status: int | None
    reason: str
    log: str
    seconds: float
    answers: tuple = ()              # of the commands in Options.ask, in the order they were given

    @property
    def exit_status(self):
        return self.status if self.kind == "exit" else EXIT_STATUS[self.kind]

    @property
    def ok(self):
        return self.kind == "exit" and self.status == 0

    def lines(self):
        return self.log.splitlines()


# ---------------------------------------------------------------- which files

def image_path(opts, name):
    """Path of an image by its base name, or None. An app of that name comes first."""
    candidates = [pathlib.Path(a) for a in opts.apps if pathlib.Path(a).name == name]
    build = pathlib.Path(opts.build)
    candidates += [pathlib.Path(d) / name for d in opts.search]
    candidates += [build / name]
    if name in opts.files:
        candidates = [pathlib.Path(opts.files[name])]
    return next((p for p in candidates if p.is_file()), None)


def script_statements(path):
    """(name of the task, name of its module) of each statement with file=."""
    try:
        text = pathlib.Path(path).read_text(errors="replace")
    except OSError as e:
        raise SetupError(f"boot script {path}: {e.strerror}") from e
    found = []
    for line in text.splitlines():
        words = line.split("#")[0].replace('"', "").split()
        files = [w.removeprefix("file=") for w in words if w.startswith("file=")]
        found += [(words[1], f) for f in files if len(words) > 1]
    return found


def boot_script(opts):
    """The script of this boot, or None: a root program needs none."""
    return opts.script or (None if opts.root else REPO / "examples/sort/boot.cfg")


def module_list(opts):
    """[(name, path)] in the order of the boot protocol: sigma0, root task, script, the rest."""
    mods = []

    def add(name, path, why):
        if name in opts.omit or any(n == name for n, _ in mods):
            return
        if path is None or not pathlib.Path(path).is_file():
            raise SetupError(f"{why}: no file {path or name} (is everything built?)")
        if re.search(r"\s", name):  # the boot protocol takes what follows for arguments
            raise SetupError(f"{why}: the name {name!r} has a blank in it")
        mods.append((name, pathlib.Path(path).resolve()))

    def standard(name):
        add(name, image_path(opts, name) or pathlib.Path(opts.build) / name, "system image")

    standard("sigma0.elf")
    script = boot_script(opts)
    if opts.root:
        add(pathlib.Path(opts.root).name, opts.root, "root program")
    else:
        standard("roottask.elf")
    if script:
        add("boot.cfg", script, "boot script")
        for name in SERVERS:
            standard(name)
        for _, name in script_statements(script):
            path = image_path(opts, name)
            if path:  # what is missing is for the root task to report
                add(name, path, "program")
    for app in opts.apps:
        add(pathlib.Path(app).name, app, "program")
    modules = opts.modules
    if not opts.script and not opts.root and not modules:
        modules = (pathlib.Path(opts.build) / "input.dat",)
    for path in modules:
        name = pathlib.Path(path).name
        if any(n == name for n, _ in mods) and name not in opts.omit:
            raise SetupError(f"two modules are called {name}")
        add(name, path, "module")
    return mods


def kernel_path(opts, name):
    path = pathlib.Path(opts.files.get(name, pathlib.Path(opts.build) / name))
    if not path.is_file():
        raise SetupError(f"{path} does not exist: run make first")
    return path


def make_iso(opts, out):
    """A CD image that GRUB boots from BIOS and UEFI (multiboot 2)."""
    mods = module_list(opts)
    with tempfile.TemporaryDirectory(prefix="quire-iso-") as tmp:
        boot = pathlib.Path(tmp) / "boot"
        (boot / "grub").mkdir(parents=True)
        shutil.copyfile(kernel_path(opts, "kernel.elf"), boot / "kernel.elf")
        cfg = ["serial --unit=0 --speed=115200", "terminal_output console serial",
               "insmod all_video",
               f"if multiboot2 /boot/kernel.elf {opts.cmdline}".rstrip() + "; then"]
        for name, path in mods:
            shutil.copyfile(path, boot / name)
            cfg.append(f"    module2 /boot/{name} {name}")
        # Silence would be the other choice: without an operating system GRUB waits at its menu.
        cfg += ["    boot", "fi", "echo GRUB could not load Quire", "sleep 5", "halt", ""]
        (boot / "grub/grub.cfg").write_text("\n".join(cfg))
        run = subprocess.run(["grub-mkrescue", "-o", str(out), tmp], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if run.returncode != 0:
            raise SetupError(f"grub-mkrescue failed ({run.returncode}):\n{run.stdout}")


# ---------------------------------------------------------------- symbols

class Symbols:
    """Names for addresses, from the images of this boot."""

    def __init__(self, opts, mods):
        self.tool = shutil.which("llvm-symbolizer") or shutil.which("llvm-symbolizer-14")
        self.paths = {name.removesuffix(".elf"): path for name, path in mods}
        self.paths["kernel"] = pathlib.Path(
            opts.files.get("kernel.elf", pathlib.Path(opts.build) / "kernel.elf"))
        if opts.root:
            self.paths["roottask"] = pathlib.Path(opts.root)
        script = boot_script(opts)  # a report speaks of tasks, by the script's names
        for task, name in script_statements(script) if script else []:
            self.paths.setdefault(task, dict(mods).get(name))

    def frames(self, image, addresses):
        """One line for each frame (inlined functions have their own)."""
        image = pathlib.PurePath(image).name.removesuffix(".elf")
        path = self.paths.get(image)
        if not path or not path.is_file():
            return [f"    (no image called {image}: frames stay numbers)"]
        if not self.tool:
            return ["    (llvm-symbolizer is not installed: frames stay numbers)"]
        # A return address belongs to the call before it; the first one is the instruction itself.
        wanted = [a if i == 0 else a - 1 for i, a in enumerate(addresses)]
        run = subprocess.run([self.tool, f"--obj={path}", "--output-style=JSON"]
                             + [hex(a) for a in wanted],
                             text=True, capture_output=True, check=False)
        try:
            found = json.loads(run.stdout)
        except ValueError:
            return [f"    (llvm-symbolizer said: {(run.stderr or run.stdout).strip()})"]
        lines = []
        for n, (address, entry) in enumerate(zip(addresses, found)):
            for s in entry.get("Symbol") or [{}]:
                where = s.get("FileName") or "?"
                if where.startswith(str(REPO) + "/"):
                    where = os.path.relpath(where, REPO)
                lines.append(f"    #{n:<2} {address:#018x} {s.get('FunctionName') or '?'} at "
                             f"{where}:{s.get('Line', 0)}")
        return lines

    def annotate(self, line):
        """Lines to print behind `line`, if it is a backtrace."""
        m = BACKTRACE.search(line)
        if not m:
            return []
        return self.frames(m.group(1), [int(a, 16) for a in m.group(2).split()])


# ---------------------------------------------------------------- the machine

def qemu_command(opts, mods, tmp, qmp_fd):
    tmp = pathlib.Path(tmp)
    cmd = ["qemu-system-x86_64", "-cpu", opts.cpu, "-m", opts.mem, "-display", "none",
           "-no-reboot", "-nodefaults", "-serial", "stdio",
           "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
           "-no-shutdown", "-chardev", f"socket,id=qmp,fd={qmp_fd}",
           "-mon", "chardev=qmp,mode=control"]
    log, what = (opts.debug, "int,cpu_reset") if opts.debug else (f"{tmp}/cpu.log", "cpu_reset")
    cmd += ["-d", what, "-D", str(log)]
    if opts.icount and opts.mode == "kernel" and not opts.interactive:
        cmd += ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]
    else:
        cmd += ["-accel", "tcg"]
    if opts.mode == "kernel":
        for name, path in mods:
            (tmp / name).symlink_to(path)
        initrd = ",".join(str(tmp / name).replace(",", ",,") for name, _ in mods)
        cmd += ["-kernel", str(kernel_path(opts, "kernel.elf32")), "-initrd", initrd]
        if opts.cmdline:
            cmd += ["-append", opts.cmdline]
    else:
        iso = tmp / "quire.iso"
        make_iso(opts, iso)
        cmd += ["-vga", "std", "-cdrom", str(iso), "-boot", "d"]
        if opts.mode == "uefi":
            firmware = next((f for f in OVMF_FILES if os.path.exists(f)), None)
            if not firmware:
                raise SetupError("no UEFI firmware (Debian package ovmf)")
            cmd += ["-bios", firmware]
    if opts.gdb:
        cmd += ["-s", "-S"]
    if opts.limit:
        cmd += ["-S", "-device", "ib700", "-action", "watchdog=pause"]
    return cmd + list(opts.qemu_args) + cover_arguments(opts)


def cover_arguments(opts):
    """With QUIRE_COVER=folder (make coverage) each run of the usual images leaves a file there."""
    folder = os.environ.get("QUIRE_COVER")
    if not folder or any(name.startswith("kernel") for name in opts.files) or any(
            "plugin" in str(a) for a in opts.qemu_args):
        return []
    handle, path = tempfile.mkstemp(dir=folder, suffix=".blocks")
    os.close(handle)
    plugin = pathlib.Path(folder).parent.parent / "bench/cover.so"
    return ["-plugin", f"file={plugin},out={path},blocks=on"]


class Monitor:
    """QEMU's control channel: tells why the machine stopped, and reads its state then.

    QEMU runs with -no-shutdown, so after a triple fault the machine is still there to look at.
    """

    def __init__(self):
        self.sock, self.peer = socket.socketpair()
        self.sock.settimeout(5)
        self.tail = b""
        self.stopped = None  # reason of the SHUTDOWN event, or "limit"
        self.answers = []

    def started(self, limit):
        self.peer.close()
        self.send("qmp_capabilities")
        if limit:  # port and value of the watchdog ib700: so long, counted on the guest's clock
            self.ask(f"o /b 0x443 {15 - limit // 2}")
            self.send("cont")

    def send(self, command, **arguments):
        self.sock.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())

    def receive(self):
        """Messages that are complete after one read; None at the end of the channel."""
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:  # QEMU ended with a message of ours unread
            data = b""
        *lines, self.tail = (self.tail + data).split(b"\n")
        messages = [json.loads(line) for line in lines if line.strip()]
        for m in messages:
            if m.get("event") == "SHUTDOWN":
                self.stopped = m["data"]["reason"]
            elif m.get("event") == "WATCHDOG":
                self.stopped = "limit"
        return messages if data else None

    def look(self, commands):
        """Stops the machine, keeps the answers to some commands, lets it go on."""
        self.send("stop")
        self.answers += [self.ask(c) for c in commands]
        self.send("cont")

    def ask(self, line):
        """Answer of QEMU's human monitor."""
        self.send("human-monitor-command", **{"command-line": line})
        while (messages := self.receive()) is not None:
            for m in messages:
                if isinstance(m.get("return"), str):
                    return m["return"]
        return ""


def pump(proc, opts, symbols, monitor, sink):
    """Copies the serial line to sink until the end; returns (text, timed out)."""
    deadline = None if opts.timeout is None else time.monotonic() + opts.timeout
    out, tail, timed_out = [], b"", False
    fd, control = proc.stdout.fileno(), monitor.sock.fileno()
    watched = [fd, control]

    questions = list(opts.ask)

    def line_done(raw):
        line = ESCAPES.sub("", raw.decode(errors="replace"))
        if questions and re.search(questions[0][0], line):
            monitor.look(questions.pop(0)[1])
        extra = symbols.annotate(line)
        out.extend([line] + extra)
        if sink:
            for text in ([] if opts.interactive else [line]) + extra:
                sink.write(text + "\n")
            sink.flush()

    while True:
        # Stopped: what is still in the pipe, then the end.
        left = 0.2 if monitor.stopped else deadline and max(0, deadline - time.monotonic())
        ready = select.select(watched, [], [], left)[0]
        if not ready and (monitor.stopped or (deadline and time.monotonic() >= deadline)):
            timed_out = not monitor.stopped
            break
        if control in ready and monitor.receive() is None:
            watched.remove(control)
        if fd not in ready:
            continue
        data = os.read(fd, 65536)
        if not data:
            break
        if not opts.interactive and not questions:
            time.sleep(0.005)  # to be woken for each character costs QEMU more than writing it
        if opts.interactive and sink:  # a prompt has no end of line
            sink.write(data.decode(errors="replace"))
            sink.flush()
        *lines, tail = (tail + data).split(b"\n")
        for raw in lines:
            line_done(raw)
    if tail:
        line_done(tail)
    return "\n".join(out) + ("\n" if out else ""), timed_out


def registers_report(text, symbols):
    """Readable lines from QEMU's register dump: where the processor was."""
    m = re.search(r"[RE]IP=([0-9a-f]{8,16})", text)
    if not m:
        return []
    rip = int(m.group(1), 16)
    lines = [f"processor at ip {rip:#x}"]
    m = re.search(r"[RE]SP=([0-9a-f]{8,16})", text)
    if m:
        lines[0] += f", sp {int(m.group(1), 16):#x}"
    m = re.search(r"CR2=([0-9a-f]{8,16}) CR3=([0-9a-f]{8,16})", text)
    if m:
        lines[0] += f", cr2 {int(m.group(1), 16):#x}, cr3 {int(m.group(2), 16):#x}"
    user = re.search(r"CPL=3", text)
    return lines + ([] if user else symbols.frames("kernel", [rip]))


def examine(monitor, symbols):
    """Where a machine that did not exit is: registers and the chain of frame pointers."""
    try:
        monitor.send("stop")
        regs = monitor.ask("info registers")
        lines = registers_report(regs, symbols)
        if re.search(r"HLT=1", regs):
            lines.insert(0, "the processor waits for an interrupt (hlt)")
        m = re.search(r"RBP=([0-9a-f]{16})", regs)
        frames, rbp = [], int(m.group(1), 16) if m else 0
        while rbp > 1 << 63 and len(frames) < 24:
            words = re.findall(r"0x([0-9a-f]{16})", monitor.ask(f"x /2gx {rbp:#x}"))
            if len(words) != 2 or not int(words[1], 16):
                break
            frames.append(int(words[1], 16))
            if int(words[0], 16) <= rbp:
                break
            rbp = int(words[0], 16)
        if frames:
            lines += ["called from"] + symbols.frames("kernel", [frames[0] - 1] + frames[1:])
        return lines
    except (OSError, ValueError) as e:
        return [f"(the machine did not answer: {e})"]


def verdict(code, log, stopped, cpu_log):
    """(kind, status, reason) from QEMU's exit code, or from why the machine stopped."""
    if stopped == "limit":
        return "limit", None, "no end within the limit on the guest's clock"
    if stopped:
        if "Triple fault" in cpu_log:
            return "reset", None, "the machine reset (triple fault)"
        return "reset", None, f"the machine ended without an exit status ({stopped})"
    if code < 0:
        return "qemu", None, f"QEMU was killed by signal {signal.Signals(-code).name}"
    if code == 255:
        m = re.search(r"panic: (.*)", log)
        return "panic", None, f"kernel panic: {m.group(1) if m else 'no reason was printed'}"
    if code & 1 and 0x10 <= code >> 1 <= 0x10 + 100:
        status = (code >> 1) - 0x10
        return "exit", status, f"exit status {status}"
    return "qemu", None, f"QEMU ended with code {code}, which means nothing to Quire"


def start(opts, mods, tmp, monitor):
    with open(f"{tmp}/stderr", "wb") as errors:
        proc = subprocess.Popen(
            qemu_command(opts, mods, tmp, monitor.peer.fileno()), stdout=subprocess.PIPE,
            stderr=errors, stdin=None if opts.interactive else subprocess.DEVNULL,
            pass_fds=[monitor.peer.fileno()])
    try:
        monitor.started(opts.limit)
    except OSError:  # QEMU refused its arguments and is gone; its exit code tells
        pass
    return proc


def end(proc, monitor):
    """QEMU is to end: by itself, so that plugins write what they know, or not."""
    try:
        monitor.send("quit")
        proc.wait(10)
    except (OSError, subprocess.TimeoutExpired):
        proc.kill()


def watch(proc, opts, symbols, monitor, sink):
    """(log, timed out, details) of a machine that runs; afterwards it is gone."""
    try:
        log, timed_out = pump(proc, opts, symbols, monitor, sink)
        details = examine(monitor, symbols) if timed_out or monitor.stopped else []
    except BaseException:
        proc.kill()
        proc.wait()
        raise
    if timed_out or monitor.stopped:
        end(proc, monitor)
    return log, timed_out, details


def boot(opts, sink=None):
    """Boots, waits for the end, returns a Result. Text goes to sink while the guest runs."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="quire-") as tmp:
        monitor = Monitor()
        try:
            mods = module_list(opts)
            proc = start(opts, mods, tmp, monitor)
        except (SetupError, OSError) as e:
            return Result("qemu", None, str(e), "", time.monotonic() - begin)
        log, timed_out, details = watch(proc, opts, Symbols(opts, mods), monitor, sink)
        code = proc.wait()
        cpu_log = pathlib.Path(opts.debug or f"{tmp}/cpu.log")
        cpu_text = cpu_log.read_text(errors="replace") if cpu_log.exists() else ""
        errors = pathlib.Path(f"{tmp}/stderr").read_text(errors="replace").strip()
    if timed_out:
        kind, status = "timeout", None
        said = f"last line: {log.splitlines()[-1]!r}" if log else "it printed nothing at all"
        reason = (f"no end within {opts.timeout:g} seconds of host time; {said} "
                  "(a hang, or a host too slow: this is no verdict of the guest)")
    else:
        kind, status, reason = verdict(code, log, monitor.stopped, cpu_text)
    if kind in ("qemu", "reset") and not log:
        reason += "; the guest printed nothing"
    if kind == "qemu" and errors:
        reason += f"; QEMU said: {errors}"
    return Result(kind, status, "\n".join([reason] + details), log, time.monotonic() - begin,
                  tuple(monitor.answers))
