"""Which events start a period, and which command ends it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from infra.ports import Due
from schemas import mailbox_events as e
from schemas.commands import Erase, Expunge
from schemas.identity import derived
from schemas.labels import SPAM, TRASH

ACTOR = "timer"
DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Periods:
    """How long messages stay, microseconds; 0 for ever."""

    trash: int = 30 * DAY
    spam: int = 7 * DAY
    undelete: int = 30 * DAY
    """The window that an Expunge by these timers opens."""


def dues_of(event: e.MailboxEvent, periods: Periods) -> list[Due]:
    """Return what is due after `event`.

    Nothing is ever called off: each command says what must still be so, and is refused if not.
    """
    match event:
        case e.Expunged():
            return [_erase(event)]
        case e.Labelled():
            return _expunges(
                event, dict.fromkeys(event.labels_added, event.seq), event.message_id, periods
            )
        case e.Restored():
            places = {p.label: p.uid for p in event.placements}
            return _expunges(event, places, event.message_id, periods)
        case _:
            return []


def _erase(event: e.Expunged) -> Due:
    at = event.restorable_until
    return Due(
        at,
        Erase(
            command_id=derived("timer", event.event_id),
            mailbox_id=event.mailbox_id,
            occurred_at=at,
            actor=ACTOR,
            caused_by=event.event_id,
            message_ids=[event.message_id],
            by="window",
        ),
    )


def _expunges(
    event: e.MailboxEvent, places: dict[str, int], message_id: str, periods: Periods
) -> list[Due]:
    dues: list[Due] = []
    for label, period in ((TRASH, periods.trash), (SPAM, periods.spam)):
        uid = places.get(label)
        if uid is None or not period:
            continue
        at = event.recorded_at + period
        command = Expunge(
            command_id=derived("timer", event.event_id, label),
            mailbox_id=event.mailbox_id,
            occurred_at=at,
            actor=ACTOR,
            caused_by=event.event_id,
            message_ids=[message_id],
            window=periods.undelete // 1_000_000,
            # The same placement: whoever took it out and put it back began a new period.
            label=label,
            uid=uid,
        )
        dues.append(Due(at, command))
    return dues
