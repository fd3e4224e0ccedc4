"""The consumer of a projection: reads its topic and folds it, rows and position together.

It reads committed records only, which a log makes durable before it shows them, so a projection
never holds what a power cut takes back from the log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from infra.ports import Checkpoint, EngineDown, EventLog, Position, Reader, Record, Wake
from projections.ports import Projection
from projections.versions import Version, Versions

CHANNEL = "views"
"""Whoever waits for a projection to move listens here."""

_ERASED = "Erased"
_PATIENCE = 10.0


class AheadOfLog(Exception):
    """The projection has folded records that the log has not: it belongs to another log."""


def behind(position: Position, goal: Position) -> bool:
    """Say whether `position` has records before `goal` still to come."""
    return any(position.get(p, 0) < offset for p, offset in goal.items())


def always() -> bool:
    """Say that the version may be written to."""
    return True


def unheard(_: Position) -> None:
    """Tell nobody."""


def fold_until(
    log: EventLog,
    topic: str,
    projection: Projection,
    goal: Position,
    tell: Callable[[Position], None] = unheard,
    batch: int = 2000,
) -> None:
    """Fold up to `goal` exactly, telling the position after each batch.

    Raises AheadOfLog when the log ends before it, EngineDown when nothing can be read.
    """
    reader = log.reader(topic, projection.position())
    try:
        # The reader's own position: a log may have offsets at its end that are no records.
        while behind(reader.position, goal):
            records = reader.poll(batch, _PATIENCE)
            wanted = [r for r in records if r.offset < goal.get(r.partition, 0)]
            if wanted:
                projection.apply(wanted, always)
                tell(projection.position())
            if records or not behind(reader.position, goal):
                continue
            if behind(log.end(topic), goal):
                raise AheadOfLog(f"{topic} ends before {dict(goal)}")
            raise EngineDown(f"{topic} gives no records")
        if behind(projection.position(), goal):
            projection.pass_by(goal)
    finally:
        reader.close()


class Consumer:
    """Follows the topic of one projection; for one thread."""

    def __init__(
        self,
        log: EventLog,
        versions: Versions,
        wake: Wake,
        *,
        batch: int = 500,
        checkpoint: Checkpoint = lambda _: None,
        between_scrubs: float = 0.0,
    ) -> None:
        """`between_scrubs` is the least time, in seconds, from one scrub to the next: for a
        projection whose scrub costs as much as all of its rows."""
        self._log = log
        self._versions = versions
        self._wake = wake
        self._batch = batch
        self._checkpoint = checkpoint
        self._opened: dict[int, Projection] = {}
        self._reader: Reader | None = None
        self._position: Position | None = None
        """Where the reader stands, as the live version tells it; None when it has read what was
        not folded."""
        self._between_scrubs = between_scrubs
        self._scrubbed = float("-inf")

    def step(self, timeout: float = 0.0) -> int:
        """Fold one batch, waiting at most `timeout` seconds for one; return its records.

        Raises Unreadable and OutOfOrder (the projection stands until code or log is mended),
        AheadOfLog, NeedsRebuild, EngineDown.
        """
        try:
            return self._step(timeout)
        except EngineDown:
            self.close()
            raise

    def _step(self, timeout: float) -> int:
        if not self._opened:
            self._versions.expire()
        live, *kept = self._follow()
        projection = self._opened[live.version]
        position = projection.position()
        reader = self._reader_at(position)
        records = reader.poll(self._batch, timeout)
        before, self._position = position, None
        if not records:
            self._pass_by(live, kept, before, reader.position)
            self._scrub()
            return 0
        at = self._checkpoint
        at(f"{self._versions.name}-view.read")

        def still() -> bool:
            at(f"{self._versions.name}-view.begun")
            return self._versions.live().version == live.version

        erased = any(r.type == _ERASED for r in records)
        if erased:
            # Before anything is folded: a process that dies has told the next one.
            self._versions.mark_unclean()
        if not projection.apply(records, still):
            # Swapped while this batch was read: the version that is live now takes it.
            return 0
        at(f"{self._versions.name}-view.committed")
        self._position = projection.position()
        # Only behind the live version: whoever reads the kept one after a roll-back, or has begun
        # a read before a swap, must not see a head that falls later.
        for version in kept:
            self._follow_up(self._opened[version.version], before, self._position, records)
        self._wake.notify(CHANNEL)
        at(f"{self._versions.name}-view.told")
        if erased:
            self._scrub()
        return len(records)

    def _scrub(self) -> None:
        """Leave nothing of what was erased in any file, as soon as no reader is in the way."""
        if monotonic() < self._scrubbed + self._between_scrubs or not self._versions.unclean():
            return
        at = self._checkpoint
        try:
            with self._versions.cleaning():
                at(f"{self._versions.name}-view.unclean")
                for projection in self._opened.values():
                    projection.scrub()
                at(f"{self._versions.name}-view.scrubbed")
        except EngineDown:
            # Readers hold the write-ahead log; the next step tries again.
            return
        self._scrubbed = monotonic()

    def close(self) -> None:
        """Give resources back; a later step opens them again."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        for projection in self._opened.values():
            projection.close()
        self._opened.clear()

    def _follow(self) -> Sequence[Version]:
        versions = self._versions.followed()
        numbers = {v.version for v in versions}
        for number in self._opened.keys() - numbers:
            self._opened.pop(number).close()
        for version in versions:
            if version.version not in self._opened:
                self._opened[version.version] = self._versions.open(version)
        return versions

    def _pass_by(
        self, live: Version, kept: Sequence[Version], before: Position, now: Position
    ) -> None:
        """Leave offsets behind that are no records, so that a lag of nothing is 0."""
        if behind(before, now):
            for version in (live, *kept):
                projection = self._opened[version.version]
                if not behind(projection.position(), before):
                    projection.pass_by(now)
        self._position = self._opened[live.version].position()

    def _reader_at(self, position: Position) -> Reader:
        if self._reader is not None and position == self._position:
            return self._reader
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if behind(self._log.end(self._versions.source), position):
            raise AheadOfLog(f"{self._versions.name} stands at {dict(position)}")
        self._reader = self._log.reader(self._versions.source, position)
        self._position = position
        return self._reader

    def _follow_up(
        self, kept: Projection, before: Position, now: Position, records: Sequence[Record]
    ) -> None:
        if behind(kept.position(), before):
            fold_until(self._log, self._versions.source, kept, now)
        else:
            kept.apply(records, always)
