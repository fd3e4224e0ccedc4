"""The queue: a fold of mail.submitted and mail.attempted. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from schemas.events import Attempted, Submitted

State = Literal["waiting", "held", "done"]
"""waiting: to be tried at next_at; held: suppressed, and dropped at next_at; done: final."""

FINAL = frozenset(("delivered", "bounced", "dropped"))
"""Outcomes after which nothing is tried any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A submission as the queue has it. Times are microseconds."""

    submitted: Submitted
    state: State
    attempts: int
    next_at: int
    released: bool = False
    """An administrator lets it go although it was suppressed."""
    outcome: str = ""
    """Outcome of the last attempt; "" before the first."""
    code: int = 0
    enhanced: str = ""
    reason: str = ""

    @property
    def id(self) -> str:
        """The submission."""
        return self.submitted.event_id


def entered(submitted: Submitted) -> Item:
    """Return the item of a submission that nobody has attempted."""
    return Item(submitted=submitted, state="waiting", attempts=0, next_at=submitted.occurred_at)


def evolve(item: Item, event: Attempted) -> Item:
    """Return the item after an attempt. What is done stays done, whatever comes later."""
    if item.state == "done":
        return item
    if event.outcome in FINAL:
        state: State = "done"
    else:
        state = "held" if event.outcome == "suppressed" else "waiting"
    return replace(
        item,
        state=state,
        attempts=max(item.attempts, event.attempt),
        next_at=event.next_at,
        released=item.released or (item.state == "held" and state == "waiting"),
        outcome=event.outcome,
        code=event.code,
        enhanced=event.enhanced,
        reason=event.reason,
    )
