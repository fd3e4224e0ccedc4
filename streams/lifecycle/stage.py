"""The lifecycle stage: sets timers, counts copies, and destroys what was erased.

It consumes mailbox.events like any projection, so it is the events that erase, whoever asked for
them. All that it does can be done again: a destroyed key stays destroyed, a timer is known by its
command, a released part is marked once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.ports import (
    Clock,
    ContentStore,
    Due,
    KeyStore,
    Output,
    PartGarbage,
    Record,
    Timers,
)
from schemas import mailbox_events as e
from schemas.codec import CodecError
from schemas.commands import Erase
from schemas.identity import derived
from schemas.topics import MAILBOX_EVENTS
from streams.lifecycle.copies import Copies, count
from streams.lifecycle.ending import Ending
from streams.lifecycle.periods import ACTOR, Periods, dues_of
from streams.lifecycle.state import LifecycleState
from streams.stage import Poison

NAME = "lifecycle"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch of events comes to."""

    dues: list[Due] = field(default_factory=list[Due])
    erased: list[str] = field(default_factory=list[str])
    """Messages whose digest keys go."""
    ended: list[str] = field(default_factory=list[str])
    """Mails that nobody has any more."""
    copies: dict[str, Copies | None] = field(default_factory=dict[str, Copies | None])
    outputs: list[Output] = field(default_factory=list[Output])


class LifecycleStage:
    """Satisfies Stage[Plan]."""

    name = NAME
    source = MAILBOX_EVENTS
    folds: str | None = None

    def __init__(
        self,
        state: LifecycleState,
        timers: Timers,
        keys: KeyStore,
        content: ContentStore,
        garbage: PartGarbage,
        clock: Clock,
        periods: Periods,
    ) -> None:
        self._state = state
        self._timers = timers
        self._keys = keys
        self._ending = Ending(keys, content, garbage, clock)
        self._periods = periods

    def plan(self, batch: Sequence[Record]) -> Plan:
        """Decide a batch. Raises Poison, EngineDown."""
        events = [_event(record) for record in batch]
        plan = Plan(outputs=self._into_closed(events))
        copies = self._state.copies(list(dict.fromkeys(m for m in map(_mail_of, events) if m)))
        gone: dict[str, None] = {}
        for event in events:
            plan.dues.extend(dues_of(event, self._periods))
            mail_id = _mail_of(event)
            if mail_id and count(copies[mail_id], event):
                gone[mail_id] = None
            if isinstance(event, e.Erased):
                plan.erased.append(event.message_id)
        plan.copies.update(copies)
        plan.ended.extend(self._ending.ended(copies, gone))
        plan.copies.update(dict.fromkeys(plan.ended))
        return plan

    def settle(self, plan: Plan) -> Sequence[Output]:
        """Destroy keys first: from then on nothing can be read, whatever is still to go."""
        self._ending.destroy(plan.erased, plan.ended)
        return plan.outputs

    def remember(self, plan: Plan) -> None:
        """Keep timers and copies. Raises EngineDown."""
        self._timers.set(plan.dues)
        self._state.save(plan.copies)

    def recover(self, outputs: Sequence[Record]) -> None:
        """Nothing: the state does not follow from the outputs."""

    def _into_closed(self, events: Sequence[e.MailboxEvent]) -> list[Output]:
        """Return commands that erase what was still delivered to an account that is removed."""
        shown = [x for x in events if isinstance(x, e.Delivered | e.Restored)]
        if not shown:
            return []
        closed = self._keys.destroyed(list({x.mailbox_id for x in shown}))
        return [
            Output.of(
                Erase(
                    command_id=derived("closed", x.event_id),
                    mailbox_id=x.mailbox_id,
                    occurred_at=x.recorded_at,
                    actor=ACTOR,
                    caused_by=x.event_id,
                    message_ids=[x.message_id],
                    by="account",
                )
            )
            for x in shown
            if x.mailbox_id in closed
        ]


def _event(record: Record) -> e.MailboxEvent:
    try:
        event = record.decode()
    except CodecError as error:
        raise Poison("codec") from error
    if not isinstance(event, e.MailboxEvent):
        raise Poison("not-an-event")
    return event


def _mail_of(event: e.MailboxEvent) -> str:
    return event.mail_id if isinstance(event, e.Delivered | e.Erased | e.Duplicate) else ""
