#!/usr/bin/python3
"""run.py - boots Quire in QEMU, shows the serial line, ends with the guest's exit status

Exit status: 0..100 the guest's own; 112 kernel panic; 113 the machine reset (triple fault);
124 the host's time limit; 125 QEMU, the build or a file is missing. Everything prints a reason.
"""

import argparse
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import machine  # noqa: E402

VARIABLES = ("APPS", "SCRIPT", "ROOT", "MODULES", "CMDLINE", "MEM", "CPU", "TIMEOUT", "HEADLESS",
             "MODE", "CC", "V", "O")


def parse(argv):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("variables", nargs="*", metavar="VARIABLE=value",
                   help="variables of make run: " + " ".join(VARIABLES))
    p.add_argument("--quire", action="store_true", help="build first (./quire run)")
    p.add_argument("--build", default="build", help="folder with the images (build)")
    p.add_argument("--script", help="boot script (the demonstration's)")
    p.add_argument("--root", help="program that replaces the root task")
    p.add_argument("--app", action="append", default=[], help="a further program image")
    p.add_argument("--module", action="append", default=[], help="a further file for the guest")
    p.add_argument("--cmdline", default="", help="kernel options")
    p.add_argument("--mem", default=machine.DEFAULT_MEM)
    p.add_argument("--cpu", default=machine.DEFAULT_CPU)
    p.add_argument("--timeout", type=float, help="seconds on the host (300)")
    p.add_argument("--headless", action="store_true", help="no input from the terminal (default)")
    p.add_argument("--interactive", action="store_true", help="stay up, with the terminal")
    p.add_argument("--iso", action="store_true", help="through GRUB, BIOS")
    p.add_argument("--uefi", action="store_true", help="through GRUB, UEFI")
    p.add_argument("--make-iso", metavar="FILE", help="write the CD image and stop")
    p.add_argument("--gdb", action="store_true", help="wait for gdb at localhost:1234")
    p.add_argument("--debug", metavar="FILE", help="QEMU's log of all interrupts and exceptions")
    p.add_argument("--qemu", action="append", default=[], help="a further argument for QEMU")
    args = p.parse_args(argv)
    for v in args.variables:
        if v.partition("=")[0] not in VARIABLES or "=" not in v:
            p.error(f"{v}: not one of the variables " + " ".join(VARIABLES))
    return args


def apply_variables(args):
    """Gives the variables of `make run` the meaning that build.mk gives them."""
    var = dict(v.split("=", 1) for v in args.variables)
    args.build = var.get("O", args.build)
    images = pathlib.Path(args.build) / "apps"

    def image(folder):
        return str(images / f"{pathlib.Path(folder).resolve().name}.elf")

    args.app += [image(f) for f in var.get("APPS", "").split()]
    if var.get("ROOT"):
        args.root = image(var["ROOT"])
    args.script = var.get("SCRIPT") or args.script
    args.module += var.get("MODULES", "").split()
    args.cmdline = var.get("CMDLINE", args.cmdline)
    args.mem = var.get("MEM") or args.mem
    args.cpu = var.get("CPU") or args.cpu
    if var.get("TIMEOUT"):
        args.timeout = float(var["TIMEOUT"])


def build(args):
    """Builds what the variables ask for; make speaks for itself when it fails."""
    command = ["make", f"-j{os.cpu_count()}", "--no-print-directory", *args.variables, "apps"]
    return subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0


def options(a):
    words = a.cmdline.split()
    words += ["interactive"] if a.interactive and "interactive" not in words else []
    timeout = a.timeout
    if timeout is None and not (a.interactive or a.gdb):
        timeout = 300.0
    return machine.Options(
        build=a.build, script=a.script, root=a.root, apps=tuple(a.app), modules=tuple(a.module),
        cmdline=" ".join(words), mem=a.mem, cpu=a.cpu, timeout=timeout, interactive=a.interactive,
        gdb=a.gdb, debug=a.debug, qemu_args=tuple(a.qemu),
        mode="uefi" if a.uefi else "iso" if a.iso else "kernel")


def main(argv):
    args = parse(argv)
    apply_variables(args)
    if args.quire and not build(args):
        print("quire: the build failed", file=sys.stderr)
        return machine.EXIT_STATUS["qemu"]
    opts = options(args)
    if args.make_iso:
        try:
            machine.make_iso(opts, args.make_iso)
        except machine.SetupError as e:
            print(f"quire: {e}", file=sys.stderr)
            return machine.EXIT_STATUS["qemu"]
        return 0
    if args.gdb:
        print(f"quire: gdb {args.build}/kernel.elf -ex 'target remote :1234'", file=sys.stderr)
    if args.interactive:
        print("quire: interactive; Ctrl-C ends it", file=sys.stderr)
    try:
        result = machine.boot(opts, sink=sys.stdout)
    except KeyboardInterrupt:
        print("\nquire: interrupted", file=sys.stderr)
        return 130
    print(f"quire: {result.reason}", file=sys.stderr)
    return result.exit_status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
