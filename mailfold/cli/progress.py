"""Long work on a terminal: how far, how fast, how long still. In a pipe nothing is said."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Report(Protocol):
    """Hears how far the work has come, of how much; `note` stands beside it."""

    def __call__(self, done: int, total: int | None, note: str = "") -> None:
        """Take it in."""
        ...


def progress(what: str, work: Callable[[Report], T], *, octets: bool = False) -> T:
    """Run `work(report)`; on a terminal show what it reports, with rate and ETA."""
    if not sys.stderr.isatty():
        return work(_quiet)
    # Loaded for a person who waits only.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:,.0f}/s")

    shown = (DownloadColumn(), TransferSpeedColumn()) if octets else (MofNCompleteColumn(), Rate())
    bar = Progress(
        TextColumn(what),
        BarColumn(),
        *shown,
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=None, note="")

        def report(done: int, total: int | None, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        return work(report)


def _quiet(done: int, total: int | None, note: str = "") -> None:
    del done, total, note
