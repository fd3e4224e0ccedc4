"""Taking over a partition whose owner may have gone at any point between outputs and position.

The log is the truth. A transaction of outputs that is in it was decided, whether or not the state
followed; so the state is folded up to the end of the outputs before anything is decided again. A
record of the source that is the cause of an output is done with that. One that is not had no
effect, or was parked, and of that nothing is in the log: it is taken through the stage again, with
its key in the state that it was first decided in, which is behind the outputs of the key's earlier
records and before those of later ones. So its outcome, or its letter, is what it would have been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from infra.ports import Caused, Progress, Record
from streams.runners.ports import PartitionedLog
from streams.stage import Stage

BATCH = 500
"""Records taken through the stage at once at most."""

Decide = Callable[[Sequence[Record]], object]
"""Takes records of one partition, in order, through the stage."""


class Takeover:
    """What has to be done for one partition of a stage with state."""

    def __init__(
        self,
        stage: Stage[Any],
        log: PartitionedLog,
        partition: int,
        progress: Progress,
        committed: int,
    ) -> None:
        """Read what is behind `progress`; `committed` is how far the group has come.

        Nobody else may be able to append outputs of this partition any more. Raises EngineDown.
        """
        assert stage.folds is not None
        self._stage = stage
        self._log = log
        self._partition = partition
        self._start = progress
        self._folds = stage.folds
        self._end = log.end(stage.folds).get(partition, 0)
        self._causes: set[int] = set()
        self._found = False
        for batch in self._outputs():
            self._found = True
            self._causes.update(each.cause for each in batch if each.cause is not None)
        until = max((progress.consumed, committed, *(cause + 1 for cause in self._causes)))
        self.progress = Progress(self._end, until)
        """How far the partition has come when `run` has returned."""

    @property
    def needed(self) -> bool:
        """Whether the state has to be changed."""
        return self._found or self.progress.consumed > self._start.consumed

    def run(self, decide: Decide) -> None:
        """Bring the state to the end of the outputs. Raises EngineDown, and what the stage raises.

        Done twice, or over a state that has seen some of it, it changes nothing more.
        """
        silent = self._silent()
        for batch in self._outputs():
            fold: list[Record] = []
            for output in batch:
                waiting = silent.get(output.record.key)
                if waiting and output.cause is not None and waiting[0].offset < output.cause:
                    self._fold(fold)
                    decide([r for r in waiting if r.offset < output.cause])
                    waiting[:] = [r for r in waiting if r.offset > output.cause]
                fold.append(output.record)
            self._fold(fold)
        rest = sorted((r for records in silent.values() for r in records), key=_offset)
        for i in range(0, len(rest), BATCH):
            decide(rest[i : i + BATCH])

    def _fold(self, outputs: list[Record]) -> None:
        if outputs:
            self._stage.recover(outputs)
            outputs.clear()

    def _outputs(self) -> Iterator[Sequence[Caused]]:
        return self._log.outputs(
            self._folds, self._partition, self._start.folded, self._end, self._stage.source
        )

    def _silent(self) -> dict[str, list[Record]]:
        """Return the records of each key that are the cause of no output, in order."""
        found: dict[str, list[Record]] = {}
        for record in self._log.records(
            self._stage.source, self._partition, self._start.consumed, self.progress.consumed
        ):
            if record.offset not in self._causes:
                found.setdefault(record.key, []).append(record)
        return found


def _offset(record: Record) -> int:
    return record.offset
