"""Events as decide drafts them: whole but for the field that is sealed when keys are durable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

import msgspec

from infra.ports import Refusal
from schemas import identity
from schemas.commands import Command
from schemas.mailbox_events import MailboxEvent
from streams.mailbox.working_set import WorkingSet


@dataclass(frozen=True, slots=True)
class Draft:
    """An event; `secret` is what its field `sealed` is to hold, under the key named `key`.

    `name` is the fingerprint of the label's folded name, for those that hold one.
    """

    event: MailboxEvent
    secret: msgspec.Struct | None = None
    key: str = ""
    name: bytes = b""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command comes to."""

    drafts: list[Draft] = field(default_factory=list[Draft])
    refusals: list[Refusal] = field(default_factory=list[Refusal])


class Head(TypedDict):
    """The fields that every event of a mailbox has."""

    event_id: str
    mailbox_id: str
    seq: int
    occurred_at: int
    recorded_at: int
    caused_by: str
    actor: str


def event_identity(command: Command, kind: type[MailboxEvent], ordinal: int = 0) -> str:
    """Return the event_id of an event that `command` comes to; `ordinal` as in Pen.head."""
    return identity.event_id(command.command_id + command.mailbox_id, kind.__name__, ordinal)


class Pen:
    """Numbers and dates the events of one command."""

    def __init__(self, ws: WorkingSet, command: Command, now: int) -> None:
        self._command = command
        self.recorded_at = max(ws.recorded_at, now)
        """Never backwards within a mailbox, whatever the clock does."""
        self.seq = ws.head
        self.decision = Decision()

    def head(self, kind: type[MailboxEvent], ordinal: int = 0) -> Head:
        """Return the head of the next event; `ordinal` tells events of a kind apart."""
        self.seq += 1
        command = self._command
        return {
            "event_id": event_identity(command, kind, ordinal),
            "mailbox_id": command.mailbox_id,
            "seq": self.seq,
            "occurred_at": command.occurred_at,
            "recorded_at": self.recorded_at,
            "caused_by": command.command_id,
            "actor": command.actor,
        }

    def write(
        self,
        event: MailboxEvent,
        secret: msgspec.Struct | None = None,
        key: str = "",
        name: bytes = b"",
    ) -> None:
        """Add an event to the decision."""
        self.decision.drafts.append(Draft(event, secret, key, name))

    def refuse(self, code: str, message_id: str = "") -> None:
        """Add a refusal to the decision."""
        self.decision.refusals.append(Refusal(message_id, code))
