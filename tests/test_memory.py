"""test_memory.py - the machine's RAM, as QEMU was told, reaches the users"""

import re

import pytest

from conftest import BUILD, assert_tap, boot

MIB = {"64M": 64, "512M": 512, "6G": 6144}
POOL = {"64M": 8, "512M": 64, "6G": 256}  # the kernel's own memory, see docs/kernel.md
ROOT = BUILD / "guest/all_memory/all_memory.elf"


# UEFI's firmware does not start in 64 MiB.
@pytest.mark.parametrize("mem, mode", [(mem, mode) for mem in MIB
                                       for mode in ("kernel", "iso", "uefi")
                                       if (mem, mode) != ("64M", "uefi")])
def test_all_ram_but_the_kernels_share_is_for_users(mem, mode):
    result = boot(root=ROOT, mem=mem, mode=mode, timeout=300)
    assert_tap(result)
    found = re.search(r"(\d+) MiB of RAM for users, (\d+) MiB", result.log)
    users, above = map(int, found.groups())
    firmware = 96 if mode == "uefi" else 3
    assert MIB[mem] - POOL[mem] - firmware <= users <= MIB[mem], result.log
    assert (above >= 2048) == (mem == "6G")


@pytest.mark.parametrize("kmem", ["16M", "128M"])
def test_the_option_kmem_sets_the_kernels_share(kmem):
    result = boot(root=ROOT, cmdline=f"kmem={kmem}")
    assert_tap(result)
    assert f"Quire: {kmem[:-1]} MiB of kernel memory" in result.log
