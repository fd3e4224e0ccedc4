"""Every command in README and docs/ runs as it stands there and shows what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.demo import Demo
from tests.e2e.documented import Shell, blocks, documents
from tests.system import ROOT

README = ROOT / "README.md"
PAGES = [p for p in documents() if any(b.runs for b in blocks(p)) and p != README]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that was taken through the first five minutes, as the pages take it to have been."""
    made = Demo(tmp_path_factory.mktemp("documentation"))
    made.start()
    run(README, made)
    yield made
    if made.process is not None:
        assert made.interrupt() == 0


def run(page: Path, demo: Demo) -> None:
    shell: Shell | None = None
    for block in blocks(page):
        if not block.runs:
            continue
        if block.stopped and demo.process is not None:
            assert demo.interrupt() == 0
            shell = None
        elif not block.stopped and demo.process is None:
            demo.start()
            shell = None
        shell = shell or demo.shell()
        for line in block.lines:
            shell.check(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_command_of_a_page_does_what_it_says(page: Path, demo: Demo) -> None:
    run(page, demo)


@pytest.mark.parametrize("page", documents(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_block_of_commands_says_whether_it_is_run(page: Path) -> None:
    unmarked = [b.lines[0].command for b in blocks(page) if not b.mark]
    assert unmarked == []


def test_no_command_stands_outside_of_a_fenced_block() -> None:
    for page in [README, *(ROOT / "docs").rglob("*.md")]:
        indented = re.findall(
            r"^    (?:mailfold|curl|make|python|\$) .*$", page.read_text("utf-8"), re.MULTILINE
        )
        assert indented == [], page


def test_what_the_mission_s_page_says_to_be_there_is_there() -> None:
    page = (ROOT / "docs/decisions/0001-the-mission-line-by-line.md").read_text("utf-8")
    now = [row.split("|")[2] for row in page.splitlines() if row.startswith("| ")]
    named = [p for cell in now for p in re.findall(r"`([a-z_]+/[\w/.*]*)`", cell)]
    assert len(named) > 20
    assert [p for p in named if not list(ROOT.glob(p.rstrip("/")))] == []


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in [README, *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page}: {target}"
