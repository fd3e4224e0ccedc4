"""The runner that is a plain loop around one member of a consumer group."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from infra.ports import Checkpoint, EngineDown, Record
from streams.runners.partition_host import PartitionHost, next_position, unwatched
from streams.runners.ports import Member

BATCH = 500
"""Records taken at once at most; as many as are there, no artificial delay."""

IDLE = 1.0
"""Seconds that a poll waits when there is nothing."""


class ConsumerRunner:
    """Runs one stage on the partitions that its group gives it, until told to stop."""

    def __init__(
        self,
        host: PartitionHost,
        member: Member,
        checkpoint: Checkpoint = unwatched,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        """`committed` is called after each batch, for those who wait for outcomes."""
        self._host = host
        self._member = member
        self._checkpoint = checkpoint
        self._committed = committed
        self._batch: Sequence[Record] = ()

    def step(self, timeout: float = 0.0) -> int:
        """Process what is there, wait up to `timeout` seconds for it; return records processed.

        Raises EngineDown, and the next step tries the same records again; and Fenced, after which
        there must be no next step.
        """
        if not self._batch:
            self._batch = self._member.poll(BATCH, timeout)
        # All that was taken before is acked by now: what the group took away, it may have.
        held = self._member.held
        self._host.hold(held)
        retried = self._host.retry()
        batch = [r for r in self._batch if r.partition in held]
        self._host.process(batch)
        self._member.commit(next_position(batch))
        self._batch = ()
        if batch:
            self._checkpoint(f"{self._host.stage.name}.committed")
        if batch or retried:
            self._committed()
        return retried + len(batch)

    def run(self, stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Run until `stopping()`; `pause(seconds)` waits between tries when an engine is down.

        Raises Fenced.
        """
        delay = 0.05
        while not stopping():
            try:
                self.step(IDLE)
                delay = 0.05
            except EngineDown:
                pause(delay)
                delay = min(delay * 2, 5.0)

    def close(self) -> None:
        """Give the partitions back and leave the group."""
        self._host.release()
        self._member.close()
