"""The commands in the documentation, and a shell that runs them as they stand there.

A fenced block of commands (```sh) or of a program (```python) has a comment on the line before it:
`<!-- run -->`, `<!-- run: stopped -->` when mailfold does not serve meanwhile, or
`<!-- not run: WHY -->`. A line `# → TEXT` behind a command tells what that shows.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.system import ROOT

_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<kind>sh|python)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_SHOWS = "# → "
_NOT_RUN = "not run: "


@dataclass(frozen=True)
class Line:
    """One command as a person would type it, and what it promises to show."""

    command: str
    shows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """One fenced block; `mark` is the comment before it, "" without one."""

    mark: str
    lines: tuple[Line, ...]

    @property
    def runs(self) -> bool:
        return bool(self.mark) and not self.mark.startswith(_NOT_RUN)

    @property
    def stopped(self) -> bool:
        """Whether mailfold is not to serve while it runs."""
        return self.mark == "run: stopped"


def documents() -> list[Path]:
    """All pages that have commands, in the order in which they are read."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [p for p in pages if _FENCE.search(p.read_text(encoding="utf-8"))]


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of commands of a page."""
    for m in _FENCE.finditer(page.read_text(encoding="utf-8")):
        found = _lines(m["body"]) if m["kind"] == "sh" else iter((_program(m["body"]),))
        yield Block(m["mark"] or "", tuple(found))


def _program(body: str) -> Line:
    lines = body.splitlines()
    shows = tuple(x.removeprefix(_SHOWS) for x in lines if x.startswith(_SHOWS))
    return Line(f"python - <<'PROGRAM'\n{body}\nPROGRAM", shows)


def _lines(body: str) -> Iterator[Line]:
    found: list[tuple[str, list[str]]] = []
    for text in body.replace("\\\n", " ").splitlines():
        if text.startswith(_SHOWS):
            found[-1][1].append(text.removeprefix(_SHOWS))
        elif text.strip():
            found.append((text, []))
    return (Line(command, tuple(shows)) for command, shows in found)


class Shell:
    """Runs blocks one after the other in one folder, on the ports of one system."""

    def __init__(self, folder: Path, where: Mapping[str, str], environment: Mapping[str, str]):
        self._folder = folder
        self._where = where
        self._environment = {**environment, "PATH": f"{folder}/.venv/bin:{os.environ['PATH']}"}
        self._variables = folder / "variables"
        install(folder)

    def run(self, line: Line) -> tuple[int, str]:
        """Run one command, with the variables that those before it have set."""
        command = line.command
        for documented, real in self._where.items():
            command = command.replace(documented, real)
        if "| jq " in command and shutil.which("jq") is None:
            # Without jq what is handed to it can still be looked at.
            command = command.partition("| jq ")[0]
        # Variables outlive the command as they do in a terminal.
        keep = f"declare -p TOKEN API ID MAIL BOX 2>/dev/null > {self._variables}"
        script = (
            f"[ -f {self._variables} ] && . {self._variables}\n"
            f"set -o pipefail\n{command}\nstatus=$?\n{keep}\nexit $status\n"
        )
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout

    def check(self, line: Line) -> str:
        """Run one command, which must go well and show what it says; return what it showed."""
        status, shown = self.run(line)
        assert status == 0, f"{line.command}\n{shown}"
        if not ("| jq " in line.command and shutil.which("jq") is None):
            for text in line.shows:
                assert text in shown, f"{line.command}\n{_SHOWS}{text}\n{shown}"
        return shown


def install(folder: Path) -> None:
    """Put `mailfold`, as an installation has it, into `folder`, and curl where there is none."""
    commands = folder / ".venv" / "bin"
    commands.mkdir(parents=True, exist_ok=True)
    _script(commands / "mailfold", "-m mailfold")
    _script(commands / "python", "")
    if shutil.which("curl") is None:
        _script(commands / "curl", str(Path(__file__).with_name("curl.py")))


def _script(path: Path, what: str) -> None:
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {what} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
