"""The release stage: lets a mail go that was only kept to be sent on.

It shares the copies of mails with the lifecycle stage, so both are run by one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from infra.ports import Output, Record
from schemas.codec import CodecError, decode_as
from schemas.events import Attempted
from schemas.topics import MAIL_ATTEMPTED
from streams.lifecycle.copies import Copies, settle
from streams.lifecycle.ending import Ending
from streams.lifecycle.state import LifecycleState
from streams.stage import Poison

NAME = "release"


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """What a batch of attempts comes to."""

    ended: list[str]
    copies: dict[str, Copies | None]


class ReleaseStage:
    """Satisfies Stage[ReleasePlan]."""

    name = NAME
    source = MAIL_ATTEMPTED
    folds: str | None = None

    def __init__(self, state: LifecycleState, ending: Ending) -> None:
        self._state = state
        self._ending = ending

    def plan(self, batch: Sequence[Record]) -> ReleasePlan:
        """Decide a batch. Raises Poison, EngineDown."""
        events = [_event(record) for record in batch]
        copies = dict(self._state.copies(list(dict.fromkeys(e.mail_id for e in events))))
        final = dict.fromkeys(e.mail_id for e in events if settle(copies[e.mail_id], e))
        ended = self._ending.ended(copies, final)
        return ReleasePlan(ended, {m: None if m in ended else copies[m] for m in final})

    def settle(self, plan: ReleasePlan) -> Sequence[Output]:
        """Destroy what has ended. Raises EngineDown."""
        self._ending.destroy((), plan.ended)
        return ()

    def remember(self, plan: ReleasePlan) -> None:
        """Keep the copies. Raises EngineDown."""
        self._state.save(plan.copies)

    def recover(self, outputs: Sequence[Record]) -> None:
        """Nothing: it has no outputs."""


def _event(record: Record) -> Attempted:
    try:
        return decode_as(Attempted, record.value)
    except CodecError as error:
        raise Poison("codec") from error
