"""Folding the log into the queue, by whoever needs the queue as it is now."""

from __future__ import annotations

from infra.ports import EngineDown, EventLog, Position, Reader
from schemas.topics import MAIL_ATTEMPTED, MAIL_SUBMITTED
from streams.outbound.state import QueueStore

_BATCH = 500
_PATIENCE = 10.0


class Follower:
    """Keeps a queue at the end of the log; for one thread at a time."""

    def __init__(self, log: EventLog, queue: QueueStore) -> None:
        self._log = log
        self._queue = queue
        self._readers: dict[str, Reader] = {}

    def catch_up(self, wait: float = 0.0) -> int:
        """Fold both topics to their end, or wait up to `wait` seconds for a submission.

        Returns how many records there were. Raises EngineDown.
        """
        # An attempt follows its submission in time: with the end of the attempts taken first, the
        # submission of each of them is before the end of the submissions.
        attempted = self._log.end(MAIL_ATTEMPTED)
        submitted = self._log.end(MAIL_SUBMITTED)
        try:
            count = self._fold(MAIL_SUBMITTED, submitted)
            count += self._fold(MAIL_ATTEMPTED, attempted)
            if not count and wait > 0:
                count = self._take(MAIL_SUBMITTED, None, wait)
        except EngineDown:
            self.close()
            raise
        return count

    def close(self) -> None:
        """Give the readers back."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _fold(self, topic: str, goal: Position) -> int:
        count = 0
        while _behind(self._reader(topic).position, goal):
            taken = self._take(topic, goal, _PATIENCE)
            count += taken
            if not taken and _behind(self._reader(topic).position, goal):
                raise EngineDown(f"{topic} gives no records")
        return count

    def _take(self, topic: str, goal: Position | None, wait: float) -> int:
        reader = self._reader(topic)
        before = reader.position
        records = reader.poll(_BATCH, wait)
        after = reader.position
        if goal is not None and any(r.offset >= goal.get(r.partition, 0) for r in records):
            records = [r for r in records if r.offset < goal.get(r.partition, 0)]
            after = {**after, **{p: min(after.get(p, 0), end) for p, end in goal.items()}}
            self._forget(topic)
        if (records or after != before) and not self._queue.fold(topic, before, records, after):
            # Another process was here; what it has folded is not read again.
            self._forget(topic)
        return len(records)

    def _reader(self, topic: str) -> Reader:
        if topic not in self._readers:
            self._readers[topic] = self._log.reader(topic, self._queue.position(topic))
        return self._readers[topic]

    def _forget(self, topic: str) -> None:
        self._readers.pop(topic).close()


def _behind(position: Position, goal: Position) -> bool:
    return any(position.get(p, 0) < offset for p, offset in goal.items())
