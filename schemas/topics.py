"""The topics: what each holds, how it is keyed, how long it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from schemas import commands, events, mailbox_events

MAIL_RECEIVED = "mail.received"
MAIL_AUTHENTICATED = "mail.authenticated"
MAIL_SCORED = "mail.scored"
MAIL_SUBMITTED = "mail.submitted"
MAIL_ATTEMPTED = "mail.attempted"
MAILBOX_COMMANDS = "mailbox.commands"
MAILBOX_EVENTS = "mailbox.events"

MAX_RECORD = 512 * 1024
"""Octets of a record at most; whoever makes one bounds what goes into it."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of the log."""

    name: str
    key: Literal["mail_id", "mailbox_id"]
    records: tuple[type[msgspec.Struct], ...]
    kept: Literal["forever", "until-consumed"]
    doc: str


COMMANDS: tuple[type[commands.Command], ...] = (
    commands.OpenMailbox,
    commands.Deliver,
    commands.ChangeLabels,
    commands.DefineLabel,
    commands.RenameLabel,
    commands.DeleteLabel,
    commands.MoveToThread,
    commands.DefineFilter,
    commands.Teach,
    commands.Expunge,
    commands.Restore,
    commands.Erase,
)
BOX_EVENTS: tuple[type[mailbox_events.MailboxEvent], ...] = (
    mailbox_events.MailboxOpened,
    mailbox_events.Threaded,
    mailbox_events.Labelled,
    mailbox_events.Delivered,
    mailbox_events.Duplicate,
    mailbox_events.LabelDefined,
    mailbox_events.LabelRenamed,
    mailbox_events.LabelDeleted,
    mailbox_events.MovedToThread,
    mailbox_events.FilterDefined,
    mailbox_events.Taught,
    mailbox_events.Restored,
    mailbox_events.Expunged,
    mailbox_events.Erased,
)

TOPICS: dict[str, Topic] = {
    t.name: t
    for t in (
        Topic(MAIL_RECEIVED, "mail_id", (events.Received,), "forever", "Mail accepted at a door."),
        Topic(
            MAIL_AUTHENTICATED,
            "mail_id",
            (events.Authenticated,),
            "forever",
            "Verdicts of SPF, DKIM, ARC and DMARC with their evidence.",
        ),
        Topic(MAIL_SCORED, "mail_id", (events.Scored,), "forever", "Spam verdicts."),
        Topic(
            MAIL_SUBMITTED,
            "mail_id",
            (events.Submitted,),
            "forever",
            "Mail that is to be sent to another host, one record a target.",
        ),
        Topic(
            MAIL_ATTEMPTED,
            "mail_id",
            (events.Attempted,),
            "forever",
            "What became of each attempt to send it.",
        ),
        Topic(
            MAILBOX_COMMANDS,
            "mailbox_id",
            COMMANDS,
            "until-consumed",
            "What somebody wants of a mailbox; trimmed 7 days behind the mailbox stage.",
        ),
        Topic(
            MAILBOX_EVENTS,
            "mailbox_id",
            BOX_EVENTS,
            "forever",
            "What happened in a mailbox, in order, numbered by seq.",
        ),
    )
}

DEAD_SUFFIX = ".dead"


def dead_topic(topic: str) -> str:
    """Return the name of the topic that takes `topic`'s dead letters."""
    return topic + DEAD_SUFFIX


def subject(topic: str, record_name: str) -> str:
    """Return the schema registry's subject of a record in a topic."""
    return f"{topic}-mailfold.{record_name}"


def topic_of(record: msgspec.Struct) -> str:
    """Return the topic that a record belongs to. Raises KeyError for a record of no topic."""
    return _TOPIC_OF[type(record)]


_TOPIC_OF: dict[type[msgspec.Struct], str] = {r: t.name for t in TOPICS.values() for r in t.records}


def key_of(record: msgspec.Struct) -> str:
    """Return the key of a record: its mail_id or its mailbox_id, as its topic says."""
    key: str = getattr(record, TOPICS[topic_of(record)].key)
    return key


def identity_of(record: msgspec.Struct) -> str:
    """Return the event_id of an event or the command_id of a command."""
    if isinstance(record, commands.Command):
        return record.command_id
    identity: str = getattr(record, "event_id")  # noqa: B009 (two classes share the name, not a base)
    return identity
