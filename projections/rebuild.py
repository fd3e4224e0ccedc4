"""Rebuild a projection from the log beside the live one, swap, and roll back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infra.ports import Clock, EventLog, Position
from projections.consumer import fold_until
from projections.ports import Projection
from projections.versions import NeedsRebuild, State, Version, Versions

NEAR = 2000
"""Records that take a moment to fold."""


class NothingKept(Exception):
    """There is no version to roll back to."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fold of the whole topic has come, in records."""

    version: int
    done: int
    total: int
    rate: float
    """Records a second since this run began."""
    eta: float | None
    """Seconds left at that rate; None before there is one."""


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Status:
    """A version of a projection and where it stands. `lag` is in records."""

    name: str
    version: int
    state: State
    format: int
    position: Position
    lag: int


def distance(start: Position, end: Position) -> int:
    """Return the number of offsets from `start` to `end`."""
    return sum(max(0, offset - start.get(p, 0)) for p, offset in end.items())


def status(log: EventLog, versions: Versions) -> Sequence[Status]:
    """Return all versions of a projection, the live one first; one of other code stands at {}."""
    end = log.end(versions.source)
    found: list[Status] = []
    versions.live()
    for version in versions.list():
        position: Position = {}
        try:
            projection = versions.open(version)
        except NeedsRebuild:
            pass
        else:
            position = projection.position()
            projection.close()
        lag = distance(position, end)
        found.append(
            Status(version.name, version.version, version.state, version.format, position, lag)
        )
    return found


class Meter:
    """Reports the progress of a fold from the beginning of a topic to its end."""

    def __init__(
        self, log: EventLog, topic: str, version: int, start: Position, clock: Clock, report: Report
    ) -> None:
        self._log = log
        self._topic = topic
        self._version = version
        self._begin = log.begin(topic)
        self._start = distance(self._begin, start)
        self._clock = clock
        self._since = clock()
        self._report = report

    def at(self, position: Position) -> None:
        """Report that the fold stands at `position`."""
        total = distance(self._begin, self._log.end(self._topic))
        done = distance(self._begin, position)
        seconds = (self._clock() - self._since) / 1e6
        rate = (done - self._start) / seconds if seconds > 0 else 0.0
        eta = (total - done) / rate if rate > 0 else None
        self._report(Progress(self._version, done, total, rate, eta))


def silent(_: Progress) -> None:
    """Report nothing."""


def fold_near_end(
    log: EventLog, topic: str, projection: Projection, meter: Meter, batch: int = 2000
) -> None:
    """Fold until what the log gained meanwhile is no more than a moment's work."""
    goal = log.end(topic)
    while True:
        fold_until(log, topic, projection, goal, meter.at, batch)
        end = log.end(topic)
        if distance(goal, end) <= NEAR:
            return
        goal = end


def rebuild(
    log: EventLog, versions: Versions, *, clock: Clock, report: Report = silent, batch: int = 2000
) -> Version:
    """Build a new version from the log, make it live, keep the old one; return the new one.

    A run that was cut off is taken up where it stood. Readers go on meanwhile and after.
    Raises Unreadable, OutOfOrder, EngineDown.
    """
    version = versions.begin()
    projection = versions.open(version)
    try:
        position = projection.position()
        meter = Meter(log, versions.source, version.version, position, clock, report)
        fold_near_end(log, versions.source, projection, meter, batch)
        # Its fold has passed by what was erased while it ran.
        _swap(log, versions, version, projection, versions.mark_unclean)
    finally:
        projection.close()
    return version


def roll_back(log: EventLog, versions: Versions) -> Version:
    """Make the kept version live again; return it. Raises NothingKept.

    The kept version has been folded on, so there is next to nothing to catch up with.
    """
    kept = [v for v in versions.list() if v.state == "previous"]
    if not kept:
        raise NothingKept(f"projection {versions.name} has no earlier version")
    projection = versions.open(kept[0])
    try:
        _swap(log, versions, kept[0], projection)
    finally:
        projection.close()
    return kept[0]


def _nothing() -> None:
    pass


def _swap(
    log: EventLog,
    versions: Versions,
    version: Version,
    projection: Projection,
    before: Callable[[], None] = _nothing,
) -> None:
    """Make `version` live, once it holds all that the live one holds; call `before` just before.

    Nobody folds into the live one between the last comparison and the swap, so the head that
    readers see never falls.
    """
    try:
        live = versions.open(versions.live())
    except NeedsRebuild:
        # Other code wrote it, and this code serves no reader before the swap.
        before()
        versions.swap(version)
        return
    try:
        fold_until(log, versions.source, projection, live.position())
        with live.hold():
            fold_until(log, versions.source, projection, live.position())
            before()
            versions.swap(version)
    finally:
        live.close()
