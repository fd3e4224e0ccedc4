"""The part of a mailbox's state that a batch of commands or events needs.

A store loads what `Needs` names, found or absent; asking for anything else is a defect and raises
KeyError. What `evolve` touches is marked, and the store saves what is marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from infra.ports import Outcome
from schemas.labels import SYSTEM_LABELS
from streams.mailbox.rows import (
    SYSTEM,
    Candidate,
    Candidates,
    Filter,
    Label,
    Message,
    Reference,
    Retry,
    Thread,
)

K = TypeVar("K")
V = TypeVar("V")

_ORDER = {label: i for i, label in enumerate(SYSTEM_LABELS)}


@dataclass(slots=True)
class Needs:
    """What must be loaded: keys of rows, and whether the tables of labels and of filters.

    With filters come the labels that they name, so that table too, unless there are none.
    `moved` are messages whose subject's candidates are needed with them.
    """

    commands: set[str] = field(default_factory=set[str])
    messages: set[str] = field(default_factory=set[str])
    moved: set[str] = field(default_factory=set[str])
    references: set[int] = field(default_factory=set[int])
    subjects: set[int] = field(default_factory=set[int])
    retries: set[bytes] = field(default_factory=set[bytes])
    thread_ids: set[str] = field(default_factory=set[str])
    labels: bool = False
    filters: bool = False


class _Absent(dict[K, V | None]):
    """A table that is known in full: what it does not hold is absent."""

    def __missing__(self, key: K) -> None:
        return None


class _Empty(dict[int, dict[int, Candidate]]):
    def __missing__(self, key: int) -> dict[int, Candidate]:
        return {}


@dataclass(slots=True)
class Touched:
    """Keys of the rows that events changed."""

    messages: set[str] = field(default_factory=set[str])
    references: set[int] = field(default_factory=set[int])
    threads: set[int] = field(default_factory=set[int])
    candidates: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    retries: set[bytes] = field(default_factory=set[bytes])
    labels: set[str] = field(default_factory=set[str])
    filters: set[str] = field(default_factory=set[str])
    outcomes: set[str] = field(default_factory=set[str])


@dataclass(slots=True)
class WorkingSet:
    """Rows of one mailbox; `head` is the last seq, `recorded_at` its time, `key` the store's."""

    mailbox_id: str
    head: int = 0
    recorded_at: int = 0
    opened: bool = False
    key: int | None = None
    messages: dict[str, Message | None] = field(default_factory=dict[str, Message | None])
    references: dict[int, Reference | None] = field(default_factory=dict[int, Reference | None])
    threads: dict[int, Thread] = field(default_factory=dict[int, Thread])
    thread_ids: dict[str, int | None] = field(default_factory=dict[str, int | None])
    candidates: dict[int, dict[int, Candidate]] = field(
        default_factory=dict[int, dict[int, Candidate]]
    )
    retries: dict[bytes, Retry | None] = field(default_factory=dict[bytes, Retry | None])
    labels: dict[str, Label] | None = None
    filters: dict[str, Filter] | None = None
    outcomes: dict[str, Outcome | None] = field(default_factory=dict[str, Outcome | None])
    touched: Touched = field(default_factory=Touched)

    @staticmethod
    def whole(mailbox_id: str) -> WorkingSet:
        """Return the set of a mailbox of which everything is known, and nothing has happened."""
        return WorkingSet(
            mailbox_id,
            messages=_Absent(),
            references=_Absent(),
            candidates=_Empty(),
            retries=_Absent(),
            labels={},
            filters={},
            outcomes=_Absent(),
        )

    def root(self, thread: int) -> Thread:
        """Return the thread that `thread` has become after merges."""
        row = self.threads[thread]
        while row.merged_into:
            row = self.threads[row.merged_into]
        return row

    def thread_named(self, thread_id: str) -> Thread | None:
        """Return the thread called `thread_id`, itself merged or not; None when there is none."""
        n = self.thread_ids.get(thread_id)
        return None if n is None else self.threads[n]

    def label_table(self) -> dict[str, Label]:
        """Return the user's labels. Raises KeyError when they were not loaded."""
        if self.labels is None:
            raise KeyError("labels")
        return self.labels

    def filter_table(self) -> dict[str, Filter]:
        """Return the filters. Raises KeyError when they were not loaded."""
        if self.filters is None:
            raise KeyError("filters")
        return self.filters

    def valid(self, placements: Mapping[str, int]) -> dict[str, int]:
        """Return the placements whose label still is the one they were made in, in a fixed order.

        A deleted label takes all its placements with it; the rows of its messages are not visited.
        """
        kept = {
            label: uid
            for label, uid in placements.items()
            if label in SYSTEM or self._is_in(label, uid)
        }
        return {k: kept[k] for k in sorted(kept, key=label_order)}

    def _is_in(self, label: str, uid: int) -> bool:
        row = self.label_table().get(label)
        return row is not None and uid > row.made

    def visible(self, message_id: str) -> Message | None:
        """Return a message that a reader can see, else None."""
        row = self.messages[message_id]
        return row if row is not None and row.state == "live" else None

    def newest(self, subject: int) -> list[Candidate]:
        """Return the newest messages with that subject, newest first."""
        rows = self.candidates[subject]
        return [rows[n] for n in sorted(rows, reverse=True)[:Candidates]]


def label_order(label: str) -> tuple[int, str]:
    """Order labels: the system's in their own order, then the user's by identifier."""
    return _ORDER.get(label, len(_ORDER)), label
