"""What a stage is: a chain of steps run by one consumer, whatever engine runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from infra.ports import Output, Record

P = TypeVar("P")


class Poison(Exception):
    """A record that can never be processed; `code` says why and holds no content."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Stage(Protocol[P]):
    """One consumer of one topic.

    A runner calls, for each batch: `plan` (reads only), `settle` (what must be durable before the
    outputs: keys, content; gives the outputs), then makes the outputs durable, then `remember`
    (state that follows from the outputs), then commits the position. Where log and state share a
    transaction these are one; elsewhere a crash between any two of them is repaired by running the
    batch again, and after a take-over by `recover`.
    """

    @property
    def name(self) -> str:
        """The consumer group."""
        ...

    @property
    def source(self) -> str:
        """The topic it consumes."""
        ...

    @property
    def folds(self) -> str | None:
        """The topic of its own outputs that its state is the fold of; None when it has no state."""
        ...

    def plan(self, batch: Sequence[Record]) -> P:
        """Decide a batch in order. Raises Poison, or EngineDown to be tried again."""
        ...

    def settle(self, plan: P) -> Sequence[Output]:
        """Write what must precede the outputs, and return the outputs."""
        ...

    def remember(self, plan: P) -> None:
        """Write the state that the outputs imply."""
        ...

    def recover(self, outputs: Sequence[Record]) -> None:
        """Fold own outputs that the state has not seen; what it has seen changes nothing."""
        ...
