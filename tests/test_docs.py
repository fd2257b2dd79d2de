"""test_docs.py - the book is whole: links lead somewhere, and what it says of the tree is so"""

import re
import subprocess

import pytest

from conftest import REPO

PAGES = sorted([*REPO.glob("*.md"), *(REPO / "docs").glob("*.md")])


def words(text):
    return " ".join(text.split())


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_index_names_every_page():
    index = (REPO / "docs/README.md").read_text()
    pages = {p.name for p in PAGES if p.parent.name == "docs"} - {"README.md"}
    assert [name for name in sorted(pages) if f"({name})" not in index] == []


def test_the_story_of_the_page_fault_is_the_sources():
    found = subprocess.run("grep -rhoE 'PF-[0-9]+:.*' kernel libl4 pagers", shell=True, cwd=REPO,
                           text=True, capture_output=True, check=True).stdout
    sentences = [line.removesuffix("*/").strip() for line in found.splitlines()]
    page = words((REPO / "docs/pagefault.md").read_text())
    assert len(sentences) == 9
    assert [s for s in sentences if f"**{words(s)}**" not in page] == []


def test_the_files_that_the_pages_name_exist():
    missing = []
    for page in PAGES:
        for name in re.findall(r"`((?:kernel|sigma0|roottask|pagers|libl4|tests|tools|examples)/"
                               r"[\w./-]+)`", page.read_text()):
            if not (REPO / name).exists():
                missing.append(f"{page.name}: {name}")
    assert missing == []


def test_every_kernel_option_is_documented():
    source = "".join(p.read_text() for p in (REPO / "kernel").rglob("*.c"))
    options = re.findall(r'boot_(?:flag|option)\([^,]+, "(\w+)"', source)
    page = (REPO / "docs/kernel.md").read_text()
    assert options and [o for o in options if not re.search(rf"`{o}[=`]", page)] == []


def test_every_file_of_the_kernel_is_in_its_page():
    page = (REPO / "docs/kernel.md").read_text()
    files = [p.name for p in (REPO / "kernel").glob("*.c") if p.name != "nocheck.c"]
    assert [f for f in files if f"`{f}`" not in page] == []
