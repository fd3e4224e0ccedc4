"""What the outbound stage keeps: the queue, which can be made again from the log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from infra.ports import Backlog, Position, Record
from streams.outbound.queue import Item


class QueueStore(Protocol):
    """Items and the positions that they are folded to. All methods raise EngineDown."""

    def position(self, topic: str) -> Position:
        """Return how far a topic is folded."""
        ...

    def fold(
        self, topic: str, before: Position, records: Sequence[Record], after: Position
    ) -> bool:
        """Fold records that follow `before` and move the position to `after`, as one.

        Returns False, with nothing done, when the position is no longer `before`: another process
        has folded them.
        """
        ...

    def due(
        self, now: int, ids: Collection[str], domains: Collection[str], limit: int
    ) -> Sequence[Item]:
        """Return up to `limit` items whose time has come, the earliest first.

        Leaves out these `ids`, and all to these target `domains`.
        """
        ...

    def next(self, now: int) -> int | None:
        """Return the earliest time after `now` that an item waits for, None when none does."""
        ...

    def item(self, submission_id: str) -> Item | None:
        """Return an item, done or not."""
        ...

    def items(self) -> Sequence[Item]:
        """Return all items that are not done, the earliest first."""
        ...

    def backlog(self) -> Backlog:
        """Return the backlog."""
        ...
