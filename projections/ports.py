"""What a projection is to whoever feeds it, rebuilds it and checks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from infra.ports import Position, Record

BUCKETS = 256
"""Rows are compared in this many buckets, by mailbox."""


@dataclass(frozen=True, slots=True)
class RowSum:
    """Rows of a bucket summed up without regard to their order (hashes added modulo 2^128)."""

    rows: int
    sum: int


@dataclass(frozen=True, slots=True)
class Row:
    """A row in a form that two stores share: free of keys that a store gives out itself.

    `table` and `key` name it; `text` is what was under a seal, empty without its key.
    """

    mailbox_id: str
    table: str
    key: tuple[str | int, ...]
    values: tuple[object, ...]
    text: str = ""


class Unreadable(Exception):
    """A record that no fold can take; the projection stands before it until the code is mended."""

    def __init__(self, topic: str, partition: int, offset: int, code: str) -> None:
        super().__init__(f"{topic}[{partition}]@{offset}: {code}")
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.code = code


class OutOfOrder(Exception):
    """The log skips a seq of a mailbox: the fold would hold what never was."""

    def __init__(self, mailbox_id: str, head: int, seq: int) -> None:
        super().__init__(f"mailbox {mailbox_id}: seq {seq} follows {head}")
        self.mailbox_id = mailbox_id
        self.head = head
        self.seq = seq


class Projection(Protocol):
    """One version of a fold: rows and the position they stand for, always written together."""

    def position(self) -> Position:
        """Return where the next record is to be read."""
        ...

    def apply(self, records: Sequence[Record], still: Callable[[], bool]) -> bool:
        """Fold records, in order, and the position behind them, in one transaction.

        What was folded before changes nothing. When `still()` is false inside the transaction,
        nothing is written and False comes back. Raises Unreadable, OutOfOrder.
        """
        ...

    def pass_by(self, position: Position) -> None:
        """Move the position over offsets that hold no records (a log may have such)."""
        ...

    def hold(self) -> AbstractContextManager[None]:
        """While held, nobody folds into this version, whatever process it is in."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Inside, all reads through this object see the same state."""
        ...

    def digest(self) -> Mapping[int, RowSum]:
        """Return the sum of each bucket that has rows."""
        ...

    def rows(self, bucket: int) -> Iterator[Row]:
        """Yield the rows of a bucket, ordered by table, mailbox and key."""
        ...

    def scrub(self) -> None:
        """Leave nothing that was deleted in any of the files."""
        ...

    def close(self) -> None:
        """Give resources back."""
        ...
