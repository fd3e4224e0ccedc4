"""The immutable log, read from a position; embedded, also in one transaction with state."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec

from infra.ports.engine import Position
from schemas.codec import decode, encode
from schemas.identity import to_bytes
from schemas.topics import identity_of, key_of, topic_of


class Told(NamedTuple):
    """What a record says of its place among others."""

    occurred_at: int | None
    """Microseconds; None when it does not say."""
    caused_by: str
    """Identifier of the record that it follows from, "" when it does not say."""
    mail_id: str
    """The mail that it is about, "" for none."""

    @staticmethod
    def of(record: msgspec.Struct) -> Told:
        """Return what `record` says."""
        return Told(
            getattr(record, "occurred_at", None),
            getattr(record, "caused_by", ""),
            getattr(record, "mail_id", ""),
        )


@dataclass(frozen=True, slots=True)
class Output:
    """A record to be appended; `told` is what stands beside it in a log that has room for it.

    Without it, such a log looks into the value.
    """

    topic: str
    key: str
    type: str
    event_id: str
    value: bytes
    told: Told | None = field(default=None, compare=False)

    @staticmethod
    def of(record: msgspec.Struct, value: bytes | None = None) -> Output:
        """Return `record` encoded for its topic; `value` is what it encodes to, where known.

        Raises CodecError.
        """
        return Output(
            topic_of(record),
            key_of(record),
            type(record).__name__,
            identity_of(record),
            encode(record) if value is None else value,
            Told.of(record),
        )


class Record(msgspec.Struct, frozen=True):
    """A record as the log holds it. `recorded_at` (microseconds) was given by the log."""

    topic: str
    partition: int
    offset: int
    key: str
    type: str
    event_id: str
    recorded_at: int
    value: bytes

    def decode(self) -> msgspec.Struct:
        """Return the event or command in it. Raises CodecError."""
        return decode(self.type, self.value)


def traceparent(trace: str, span: str) -> str:
    """Return the W3C traceparent of a record: trace = mail (or command), span = event.

    Both follow from identifiers, so a trace is the same in every engine and after every rebuild.
    """
    return f"00-{to_bytes(trace).hex()}-{to_bytes(span).hex()[:16]}-01"


class Reader(Protocol):
    """Reads one topic in order from a position, committed records only."""

    @property
    def position(self) -> Position:
        """Where the next record is read."""
        ...

    def poll(self, limit: int, timeout: float) -> Sequence[Record]:
        """Return up to `limit` records; wait at most `timeout` seconds when there is none."""
        ...

    def close(self) -> None:
        """Give the reader's resources back."""
        ...


class EventLog(Protocol):
    """The immutable log. Appends are durable when they return."""

    def append(self, outputs: Sequence[Output]) -> None:
        """Append in order, all or (after EngineDown) possibly none. Raises EngineDown."""
        ...

    def reader(self, topic: str, position: Position) -> Reader:
        """Return a reader of `topic` that begins at `position`."""
        ...

    def end(self, topic: str) -> Position:
        """Return the position behind the last committed record."""
        ...

    def begin(self, topic: str) -> Position:
        """Return the position of the first record still kept."""
        ...

    def position_at(self, topic: str, time: int) -> Position:
        """Return the position of the first record recorded at or after `time` (microseconds)."""
        ...

    def find(self, topic: str, key: str) -> Sequence[Record]:
        """Return all records of a mail (topics keyed by mail_id), in order."""
        ...

    def committed(self, group: str, topic: str) -> Position:
        """Return how far a consumer group has come."""
        ...

    def trim(self, topic: str, position: Position) -> None:
        """Delete the records before `position`; a partition that is not in it stays whole."""
        ...


class LogTransaction(Protocol):
    """Outputs, state and position as one: durable together or not at all."""

    def append(self, outputs: Sequence[Output]) -> None:
        """Append in order."""
        ...

    def commit_position(self, group: str, topic: str, position: Position) -> None:
        """Set how far `group` has come."""
        ...


class TransactionalLog(EventLog, Protocol):
    """A log that lives in the same store as the state of its stages (the embedded one)."""

    def transaction(self) -> AbstractContextManager[LogTransaction]:
        """Begin a transaction; state stores of the same file write inside it."""
        ...

    def having(self, topic: str, keys: Collection[str]) -> frozenset[str]:
        """Return those of `keys` (mail_ids) that have a record in `topic`."""
        ...


@dataclass(frozen=True, slots=True)
class Caused:
    """An output of a stage as the log holds it.

    `cause` is the offset of the record of the stage's source that it follows from, in the
    partition of the same number; None when the log does not tell.
    """

    record: Record
    cause: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a partition of a stage has come.

    Its state is the fold of the outputs below `folded`, and of later ones perhaps; every record
    of its source below `consumed` is processed.
    """

    folded: int = 0
    consumed: int = 0
