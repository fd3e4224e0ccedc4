"""Every event of one mail over all stages."""

from __future__ import annotations

from dataclasses import dataclass

from mailfold.wiring import House
from schemas.codec import decode_as
from schemas.events import Attempted, Received
from schemas.identity import message_id, to_bytes
from schemas.topics import (
    MAIL_ATTEMPTED,
    MAIL_AUTHENTICATED,
    MAIL_RECEIVED,
    MAIL_SCORED,
    MAIL_SUBMITTED,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One event. `at` is when it was recorded, microseconds; mailbox and seq where it has one."""

    stage: str
    type: str
    at: int
    event_id: str
    mail_id: str
    mailbox: str = ""
    seq: int | None = None
    outcome: str = ""
    """What became of an attempt, with what the host said."""


_STAGES = (
    (MAIL_RECEIVED, "door"),
    (MAIL_AUTHENTICATED, "inbound"),
    (MAIL_SCORED, "inbound"),
    (MAIL_SUBMITTED, "inbound"),
)


def find_mail(house: House, name: str) -> list[str]:
    """Return the mail_ids that a mail_id or a Message-ID (with or without <>) stands for."""
    try:
        to_bytes(name)
    except ValueError:
        header = name if name.startswith("<") else f"<{name}>"
        return sorted({mail_id for _, _, mail_id in house.reader.find_message_id(header)})
    return [name.lower()]


def trace(house: House, mail_id: str) -> list[Step]:
    """Return the events of a mail in the order in which they happened; a repeat only once."""
    steps: dict[str, Step] = {}
    mailboxes: list[str] = []
    for topic, stage in _STAGES:
        for r in house.log.find(topic, mail_id):
            steps.setdefault(r.event_id, Step(stage, r.type, r.recorded_at, r.event_id, mail_id))
            if topic == MAIL_RECEIVED and not mailboxes:
                mailboxes = decode_as(Received, r.value).mailboxes
    for mailbox in mailboxes:
        for e in house.reader.message_history(mailbox, message_id(mailbox, mail_id)):
            steps.setdefault(
                e.event_id or f"{mailbox}/{e.seq}",
                Step(
                    "mailbox", e.type, e.recorded_at or 0, e.event_id or "", mail_id, mailbox, e.seq
                ),
            )
    for r in house.log.find(MAIL_ATTEMPTED, mail_id):
        told = decode_as(Attempted, r.value)
        words = (told.outcome, str(told.code or ""), told.enhanced, told.reason)
        steps.setdefault(
            r.event_id,
            Step(
                "outbound",
                r.type,
                r.recorded_at,
                r.event_id,
                mail_id,
                outcome=" ".join(word for word in words if word),
            ),
        )
    return list(steps.values())
