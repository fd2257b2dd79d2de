"""coverage.py - how much of the kernel's machine code a run under tools/plugin/cover.c reached

    python3 tools/coverage.py build/kernel.elf addresses.txt     a table by source file
"""

import collections
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys

FUNCTION = re.compile(r"^([0-9a-f]+) <(.+)>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s")
PADDING = re.compile(r"\b(int3|nop\w?)\b")


@dataclasses.dataclass
class Function:
    """Instructions of one function: all there are, and those that were executed."""
    name: str
    file: str
    all: int = 0
    reached: int = 0


def tool(name):
    return shutil.which(name) or shutil.which(f"{name}-14") or name


def source_files(kernel, addresses):
    """Base name of the file that each function lies in."""
    run = subprocess.run([tool("llvm-symbolizer"), f"--obj={kernel}", "--no-inlines",
                          "--output-style=GNU"], input="".join(f"{a:#x}\n" for a in addresses),
                         text=True, capture_output=True, check=True)
    return [os.path.basename(line.rsplit(":", 1)[0]) for line in run.stdout.splitlines()[1::2]]


def functions(kernel, reached):
    """Every function of the kernel image, with what of it is in the set of addresses."""
    text = subprocess.run([tool("llvm-objdump"), "-d", "--no-show-raw-insn", kernel], text=True,
                          capture_output=True, check=True).stdout
    found, starts = [], []
    for line in text.splitlines():
        if m := FUNCTION.match(line):
            found.append(Function(m.group(2), ""))
            starts.append(int(m.group(1), 16))
        elif found and (m := INSTRUCTION.match(line)) and not PADDING.search(line):
            found[-1].all += 1
            found[-1].reached += int(m.group(1), 16) in reached
    for f, name in zip(found, source_files(kernel, starts)):
        f.file = name
    return [f for f in found if f.all]


def read_addresses(path):
    return {int(line, 16) for line in pathlib.Path(path).read_text().split()}


def by_file(found):
    """{file: (instructions reached, instructions, functions reached, functions)}"""
    table = collections.defaultdict(lambda: [0, 0, 0, 0])
    for f in found:
        row = table[f.file]
        row[0] += f.reached
        row[1] += f.all
        row[2] += f.reached > 0
        row[3] += 1
    return {name: tuple(row) for name, row in sorted(table.items())}


def main(argv):
    found = functions(argv[0], read_addresses(argv[1]))
    for name, (reached, count, entered, total) in by_file(found).items():
        print(f"{name:16} {reached:6} of {count:6} instructions {100 * reached / count:5.1f} %   "
              f"{entered:3} of {total:3} functions")
    print("never entered: " + " ".join(sorted(f.name for f in found if not f.reached)))


if __name__ == "__main__":
    main(sys.argv[1:])
