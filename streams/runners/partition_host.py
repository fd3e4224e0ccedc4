"""Commits decided batches where log and state are different engines: outputs, state, then ack.

Outputs of a stage with state are one transaction of the partition's writer, which fences whoever
had the partition before; then its state and how far it has come are one transaction of the state's
file, where the partition must be claimed; then the batch may be acked. Whatever stops it in between
is mended by taking the partition over (see `takeover`), which is also how every ownership begins.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

from infra.ports import (
    Checkpoint,
    Clock,
    DeadLetter,
    DeadLetters,
    EngineDown,
    Fenced,
    Output,
    Position,
    Progress,
    Record,
)
from streams.runners import turn
from streams.runners.ports import OutputWriter, PartitionedLog, StageFile
from streams.runners.takeover import Takeover
from streams.stage import Stage

P = TypeVar("P")

_OPENED_AT_ONCE = 8


def unwatched(_: str) -> None:
    """Pass a point at which nobody waits."""


def next_position(batch: Sequence[Record]) -> Position:
    """Return the position behind a batch that is in order within each partition."""
    return {r.partition: r.offset + 1 for r in batch}


@dataclass(slots=True)
class _Owned:
    """A partition that is this process's to decide."""

    writer: OutputWriter
    progress: Progress
    recovering: bool = False


class _Writers:
    """Writers in the making; those that nobody takes are closed."""

    def __init__(self, futures: dict[int, Future[OutputWriter]]) -> None:
        self._futures = futures

    def wait(self) -> None:
        """Wait for all. Raises what the making of one of them raised."""
        for future in self._futures.values():
            future.result()

    def take(self, partition: int) -> OutputWriter:
        """Return the writer of a partition, which is the caller's to close."""
        return self._futures.pop(partition).result()

    def close(self) -> None:
        """Close those that were made and not taken."""
        for future in self._futures.values():
            if future.exception() is None:
                future.result().close()


class _Appending:
    """The writer of a stage without state: what comes twice is told by its event_id."""

    def __init__(self, log: PartitionedLog) -> None:
        self._log = log

    def write(self, outputs: Sequence[Output], causes: Mapping[str, Record]) -> int | None:
        self._log.append(outputs)
        return None

    def close(self) -> None:
        """Keep the log; it is everybody's."""


class PartitionHost:
    """Hosts one stage on the partitions that its runner holds; satisfies turn.Host.

    One thread at a time.
    """

    def __init__(
        self,
        stage: Stage[Any],
        log: PartitionedLog,
        file: StageFile,
        dead: DeadLetters,
        clock: Clock,
        checkpoint: Checkpoint = unwatched,
        group: str | None = None,
    ) -> None:
        """`dead` and what the stage keeps are written in transactions of `file`."""
        self.stage = stage
        self.group = group or stage.name
        self._log = log
        self._file = file
        self._dead = dead
        self._clock = clock
        self._checkpoint = checkpoint
        self._owner = uuid4().hex
        self._owned: dict[int, _Owned] = {}

    # -- ownership

    def hold(self, partitions: frozenset[int]) -> None:
        """Own these partitions and no others: take over what is new or was dropped.

        Raises EngineDown; what could be taken over by then is owned.
        """
        self.release(self._owned.keys() - partitions)
        new = sorted(partitions - self._owned.keys())
        if self.stage.folds is None:
            self._owned.update((p, _Owned(_Appending(self._log), Progress())) for p in new)
        elif new:
            self._take_over(new)

    def release(self, partitions: Collection[int] | None = None) -> None:
        """Own these partitions no more (None: none at all)."""
        for p in list(self._owned if partitions is None else partitions):
            self._owned.pop(p).writer.close()

    def _take_over(self, partitions: Sequence[int]) -> None:
        committed = self._log.committed(self.group, self.stage.source)
        name = self.stage.name
        # What takes long is waiting for the broker, once for each partition.
        with ThreadPoolExecutor(min(_OPENED_AT_ONCE, len(partitions))) as pool:
            writers = _Writers({p: pool.submit(self._log.writer, name, p) for p in partitions})
            try:
                writers.wait()
                # Nobody else can write outputs from here on, and from here on nor state: only
                # now it is certain where both end.
                with self._file.transaction():
                    progress = {p: self._file.claim(name, p, self._owner) for p in partitions}
                takeovers = {
                    p: pool.submit(
                        Takeover, self.stage, self._log, p, progress[p], committed.get(p, 0)
                    )
                    for p in partitions
                }
                for p, takeover in takeovers.items():
                    self._follow(p, takeover.result(), writers)
            finally:
                writers.close()

    def _follow(self, partition: int, takeover: Takeover, writers: _Writers) -> None:
        """Bring the state of a partition to the end of its outputs, and own it."""
        owned = _Owned(writers.take(partition), takeover.progress, recovering=True)
        self._owned[partition] = owned
        try:
            if takeover.needed:
                with self._file.transaction():
                    takeover.run(lambda batch: turn.process(self.stage, batch, self._dead, self))
                    self._file.advance(self.stage.name, partition, self._owner, takeover.progress)
        except BaseException:
            self._drop(partition)
            raise
        owned.recovering = False

    def _drop(self, partition: int) -> None:
        """Forget a partition of which it is not known what is in the log; it is taken over anew."""
        if partition in self._owned:
            self.release((partition,))

    # -- batches

    def process(self, batch: Sequence[Record]) -> None:
        """Take records of owned partitions through the stage; then they may be acked.

        What was processed before is passed over. Raises EngineDown (`hold`, and try the same
        batch again) and Fenced (another owns a partition: stop).
        """
        if self.stage.folds is None:
            turn.process(self.stage, batch, self._dead, self)
            return
        by_partition: dict[int, list[Record]] = {}
        for r in batch:
            if r.offset >= self._owned[r.partition].progress.consumed:
                by_partition.setdefault(r.partition, []).append(r)
        for records in by_partition.values():
            turn.process(self.stage, records, self._dead, self)

    def retry(self) -> int:
        """Try the dead letters of owned partitions that somebody asked for; return how many.

        Raises EngineDown and Fenced.
        """
        return turn.retry(
            self.stage,
            self._dead,
            self,
            self._clock(),
            lambda letter: letter.record.partition in self._owned,
        )

    def commit(
        self,
        stage: Stage[P],
        plan: P | None,
        parked: Sequence[turn.Parked],
        batch: Sequence[Record],
        retried: DeadLetter | None,
    ) -> Sequence[Output]:
        """Make outputs durable, then state, dead letters and progress."""
        at = self._checkpoint
        partition = batch[0].partition
        at(f"{stage.name}.planned")
        outputs: Sequence[Output] = ()
        if plan is not None:
            outputs = stage.settle(plan)
            at(f"{stage.name}.settled")
        try:
            # Of a command that is there twice the first has the effect.
            causes = {r.event_id: r for r in reversed(batch)}
            behind = self._owned[partition].writer.write(outputs, causes)
            at(f"{stage.name}.outputs")
            self._keep(stage, plan, parked, batch, retried, behind)
        except (EngineDown, Fenced):
            self._drop(partition)
            raise
        at(f"{stage.name}.position")
        return outputs

    def _keep(
        self,
        stage: Stage[P],
        plan: P | None,
        parked: Sequence[turn.Parked],
        batch: Sequence[Record],
        retried: DeadLetter | None,
        behind: int | None,
    ) -> None:
        try:
            with self._file.transaction():
                if plan is not None:
                    stage.remember(plan)
                    self._checkpoint(f"{stage.name}.state")
                for p in parked:
                    self._dead.park(stage.name, p.record, p.error, self._clock())
                if retried is not None:
                    self._dead.done(retried.id)
                progress = self._advance(stage, batch, retried, behind)
        except (EngineDown, Fenced):
            raise
        except Exception as e:
            # The outputs are in the log, so no record can be blamed: fold them from there.
            turn.tell(stage.name, e)
            raise EngineDown(f"state of {stage.name}: {type(e).__name__}") from e
        if progress is not None:
            self._owned[batch[0].partition].progress = progress

    def _advance(
        self,
        stage: Stage[Any],
        batch: Sequence[Record],
        retried: DeadLetter | None,
        behind: int | None,
    ) -> Progress | None:
        owned = self._owned[batch[0].partition]
        if stage.folds is None or owned.recovering:
            # While a partition is taken over, records come out of order; its end is known.
            return None
        consumed = batch[-1].offset + 1 if retried is None else owned.progress.consumed
        progress = Progress(owned.progress.folded if behind is None else behind, consumed)
        self._file.advance(stage.name, batch[0].partition, self._owner, progress)
        return progress
