"""What the runners on a log in partitions ask of it, and of the place of the state beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from infra.ports import Caused, Output, Position, Progress, Record


class OutputWriter(Protocol):
    """The one writer of the outputs of a partition of a stage.

    Making it fences the writer before it. After EngineDown it is not known whether the outputs
    are in the log: close it, make another, and read the outputs to their end.
    """

    def write(self, outputs: Sequence[Output], causes: Mapping[str, Record]) -> int | None:
        """Append in order, all or none; return the offset behind the last, None for no output.

        `causes` are records of the stage's source by event_id, found by the outputs' `caused_by`.
        Raises Fenced, EngineDown.
        """
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class PartitionedLog(Protocol):
    """A log whose partitions are shared out among the members of a consumer group."""

    def append(self, outputs: Sequence[Output]) -> None:
        """Append in order, all or (after EngineDown) possibly none. Raises EngineDown."""
        ...

    def end(self, topic: str) -> Position:
        """Return the position behind the last committed record. Raises EngineDown."""
        ...

    def committed(self, group: str, topic: str) -> Position:
        """Return how far a consumer group has come. Raises EngineDown."""
        ...

    def writer(self, stage: str, partition: int) -> OutputWriter:
        """Take over the outputs of a partition of a stage. Raises EngineDown."""
        ...

    def outputs(
        self, topic: str, partition: int, start: int, end: int, source: str
    ) -> Iterator[Sequence[Caused]]:
        """Yield the outputs from `start` below `end` that records of `source` caused, in batches.

        Raises EngineDown.
        """
        ...

    def records(self, topic: str, partition: int, start: int, end: int) -> Iterator[Record]:
        """Yield the records of a partition from `start` below `end`. Raises EngineDown."""
        ...


class Member(Protocol):
    """One member of a consumer group, which reads the partitions that the group gives it."""

    @property
    def held(self) -> frozenset[int]:
        """The partitions that it was given; changed by `poll` alone."""
        ...

    def poll(self, limit: int, timeout: float) -> Sequence[Record]:
        """Return up to `limit` records; wait at most `timeout` seconds when there is none.

        Raises EngineDown, and Fenced when another has taken this member's place.
        """
        ...

    def commit(self, position: Position) -> None:
        """Set how far the group has come; nothing for a partition no longer held.

        Raises EngineDown, and Fenced when another has taken this member's place.
        """
        ...

    def close(self) -> None:
        """Leave the group."""
        ...


class StageFile(Protocol):
    """Where a stage keeps its state beside a log of another engine."""

    def transaction(self) -> AbstractContextManager[object]:
        """Begin a transaction; all that is kept in the same place joins it."""
        ...

    def claim(self, stage: str, partition: int, owner: str) -> Progress:
        """Make `owner` the one who may advance a partition; return how far it has come.

        Raises EngineDown.
        """
        ...

    def advance(self, stage: str, partition: int, owner: str, progress: Progress) -> None:
        """Set how far it has come. Raises Fenced when another has claimed it, EngineDown."""
        ...


class FaustLog(Protocol):
    """What Faust has to know of a log on Kafka, and what it can't do itself."""

    @property
    def servers(self) -> Sequence[str]:
        """Where the brokers are, `host:port`."""
        ...

    def physical(self, name: str) -> str:
        """Return Kafka's name of a topic or group."""
        ...

    def end(self, topic: str) -> Position:
        """Return the position behind the last record. Raises EngineDown."""
        ...

    def received(
        self,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, str | bytes | None]] | None,
        timestamp: int,
    ) -> Record:
        """Return what a client received as a record; `timestamp` in milliseconds."""
        ...
