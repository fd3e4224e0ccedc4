"""Hold the live version against a fresh fold of the log, and name the first row that differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from infra.ports import Clock, EventLog
from projections.consumer import fold_until
from projections.ports import Projection, Row
from projections.rebuild import NEAR, Meter, Report, distance, silent
from projections.versions import Versions


@dataclass(frozen=True, slots=True)
class Difference:
    """The first row that differs. Its text names it and tells nothing of its content."""

    mailbox_id: str
    table: str
    key: tuple[str | int, ...]
    kind: Literal["missing", "extra", "differs"]

    def __str__(self) -> str:
        key = " ".join(map(str, self.key))
        return f"{self.kind}: {self.table} {key} of mailbox {self.mailbox_id}"


def verify(
    log: EventLog, versions: Versions, *, clock: Clock, report: Report = silent
) -> Difference | None:
    """Fold the log anew and compare with the live version; return the first difference.

    The live version goes on being read and folded into. Raises Unreadable, OutOfOrder, EngineDown.
    """
    version = versions.live()
    live = versions.open(version)
    try:
        with versions.scratch() as fresh:
            meter = Meter(log, versions.source, version.version, {}, clock, report)
            # A snapshot holds back the checkpoint, so it is taken when little is left to fold.
            while distance(fresh.position(), live.position()) > NEAR:
                fold_until(log, versions.source, fresh, live.position(), meter.at)
            with live.snapshot():
                fold_until(log, versions.source, fresh, live.position())
                return compare(live, fresh)
    finally:
        live.close()


def compare(live: Projection, fresh: Projection) -> Difference | None:
    """Return the first row in which two versions at the same position differ."""
    with fresh.snapshot():
        ours, theirs = live.digest(), fresh.digest()
        for bucket in sorted(ours.keys() | theirs.keys()):
            if ours.get(bucket) == theirs.get(bucket):
                continue
            found = _first(live, fresh, bucket)
            if found is not None:
                return found
    return None


def _first(live: Projection, fresh: Projection, bucket: int) -> Difference | None:
    for ours, theirs in _pairs(live.rows(bucket), fresh.rows(bucket)):
        if theirs is None:
            if ours is not None:
                return Difference(ours.mailbox_id, ours.table, ours.key, "extra")
        elif ours is None:
            return Difference(theirs.mailbox_id, theirs.table, theirs.key, "missing")
        elif ours.values != theirs.values or (
            # A key may have been destroyed since the live version opened the seal; the Erased
            # that says so comes behind the position that is compared.
            theirs.text and ours.text != theirs.text
        ):
            return Difference(ours.mailbox_id, ours.table, ours.key, "differs")
    return None


def _order(row: Row) -> tuple[object, ...]:
    return row.table, row.mailbox_id, row.key


def _pairs(ours: Iterator[Row], theirs: Iterator[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """Yield rows of two ordered streams side by side, None where one has none."""
    left, right = next(ours, None), next(theirs, None)
    while left is not None or right is not None:
        if right is None or (left is not None and _order(left) < _order(right)):
            yield left, None
            left = next(ours, None)
        elif left is None or _order(right) < _order(left):
            yield None, right
            right = next(theirs, None)
        else:
            yield left, right
            left, right = next(ours, None), next(theirs, None)
