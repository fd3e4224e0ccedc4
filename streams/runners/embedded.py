"""The runner on the embedded log: outputs, state and position are one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from infra.ports import (
    Checkpoint,
    Clock,
    DeadLetter,
    DeadLetters,
    EngineDown,
    Fenced,
    Output,
    Reader,
    Record,
    TransactionalLog,
)
from streams.runners.turn import Parked, process, retry
from streams.stage import Stage

P = TypeVar("P")

BATCH = 200
"""Records in a transaction at most; as many as are there, no artificial delay."""


class EmbeddedHost:
    """Commits a decided batch in one transaction of the log's own file."""

    def __init__(
        self,
        group: str,
        log: TransactionalLog,
        dead: DeadLetters,
        clock: Clock,
        checkpoint: Checkpoint,
    ) -> None:
        self._group = group
        self._log = log
        self._dead = dead
        self._clock = clock
        self._checkpoint = checkpoint

    def commit(
        self,
        stage: Stage[P],
        plan: P | None,
        parked: Sequence[Parked],
        batch: Sequence[Record],
        retried: DeadLetter | None,
    ) -> Sequence[Output]:
        """Commit outputs, state, dead letters and position together.

        Raises Fenced, with nothing committed, when another process has processed the batch since
        it was read: what was decided then rests on a state that is no more.
        """
        at = self._checkpoint
        at(f"{stage.name}.planned")
        outputs: Sequence[Output] = ()
        with self._log.transaction() as tx:
            if retried is None:
                self._require_unprocessed(stage.source, batch[0])
            if plan is not None:
                outputs = stage.settle(plan)
                at(f"{stage.name}.settled")
                tx.append(outputs)
                at(f"{stage.name}.outputs")
                stage.remember(plan)
                at(f"{stage.name}.state")
            for p in parked:
                self._dead.park(stage.name, p.record, p.error, self._clock())
            if retried is None:
                last = batch[-1]
                tx.commit_position(self._group, stage.source, {last.partition: last.offset + 1})
            else:
                self._dead.done(retried.id)
            at(f"{stage.name}.position")
        at(f"{stage.name}.committed")
        return outputs

    def _require_unprocessed(self, source: str, first: Record) -> None:
        if self._log.committed(self._group, source).get(first.partition, 0) > first.offset:
            raise Fenced(f"another process has taken {self._group} over")


class EmbeddedRunner:
    """Runs one stage on the embedded log, step by step."""

    def __init__(
        self,
        stage: Stage[Any],
        log: TransactionalLog,
        dead: DeadLetters,
        clock: Clock,
        checkpoint: Checkpoint = lambda _: None,
        group: str | None = None,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        """`committed` is called after each batch, for those who wait for outcomes."""
        self._stage = stage
        self._committed = committed
        self._log = log
        self._dead = dead
        self._clock = clock
        self._group = group or stage.name
        self._host = EmbeddedHost(self._group, log, dead, clock, checkpoint)
        self._reader = self._from_committed()

    def _from_committed(self) -> Reader:
        source = self._stage.source
        return self._log.reader(source, self._log.committed(self._group, source))

    def step(self, timeout: float = 0.0) -> int:
        """Process what is there, wait up to `timeout` seconds for it; return records processed.

        Raises EngineDown; what was not committed is read again by the next step. Raises Fenced.
        """
        try:
            retried = retry(self._stage, self._dead, self._host, self._clock())
            batch = self._reader.poll(BATCH, timeout)
            process(self._stage, batch, self._dead, self._host)
            if batch or retried:
                self._committed()
        except EngineDown:
            self._reader.close()
            self._reader = self._from_committed()
            raise
        return retried + len(batch)

    def close(self) -> None:
        """Give the reader back."""
        self._reader.close()
