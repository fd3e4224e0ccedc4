"""Which rows a command or an event needs. Pure: the store loads exactly these."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from mail.query.document import Document
from mail.query.tree import Node
from schemas import commands as c
from schemas import mailbox_events as e
from schemas.labels import SYSTEM_LABELS
from schemas.parts import Digest
from streams.mailbox.clues import Clues
from streams.mailbox.rows import retry_key, short
from streams.mailbox.working_set import Needs

_IDENTIFIER = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

MessagesCommand = c.ChangeLabels | c.MoveToThread | c.Teach | c.Expunge | c.Restore | c.Erase
"""Commands on messages; each message is judged by itself."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail made ready for decide: what is listed of it, and what threading knows of it.

    It is not `readable` when reading it failed; then it is delivered as it stands.
    """

    digest: Digest
    clues: Clues
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a command needs from outside.

    `mails` by mail_id (Deliver, Restore). `secret` is the opened field of a label's or filter's
    command, `name` the fingerprint of a label's folded name. `missing` says why a mail is not here.
    `message_id` is the message that a Deliver makes.

    DefineFilter: `query` is the tree of its query, None when it has a mistake, and `sealed` the
    secret as its event holds it. Deliver, where there are filters: `queries` has their trees by
    the event_id that made them, and `document` what they look at, None when it can't be read.
    """

    mails: Mapping[str, Mail] = field(default_factory=dict[str, Mail])
    secret: msgspec.Struct | None = None
    name: bytes = b""
    missing: str = ""
    message_id: str = ""
    query: Node | None = None
    sealed: bytes = b""
    queries: Mapping[str, Node] = field(default_factory=dict[str, Node])
    document: Document | None = None


NOTHING = Prepared()

ERASED = "erased"
"""Why a mail is not here whose key was destroyed."""


def is_identifier(text: str) -> bool:
    """Whether `text` is an identifier in the one form that is used for keys."""
    return _IDENTIFIER.fullmatch(text) is not None


def needs(batch: Iterable[tuple[c.Command, Prepared]]) -> Needs:
    """Return what a batch of commands for one mailbox needs."""
    found = Needs()
    for command, prepared in batch:
        found.commands.add(command.command_id)
        match command:
            case c.Deliver():
                _deliver(found, command, prepared)
            case (
                c.ChangeLabels()
                | c.MoveToThread()
                | c.Teach()
                | c.Expunge()
                | c.Restore()
                | c.Erase()
            ):
                known = [m for m in command.message_ids if is_identifier(m)]
                found.messages.update(known)
                found.labels = True
                if isinstance(command, c.MoveToThread):
                    found.moved.update(known)
                    found.thread_ids.add(command.thread_id)
            case c.DefineLabel() | c.RenameLabel() | c.DeleteLabel():
                found.labels = True
            case c.DefineFilter():
                found.labels = found.filters = True
            case _:
                pass
    found.thread_ids = {t for t in found.thread_ids if is_identifier(t)}
    return found


def _deliver(found: Needs, command: c.Deliver, prepared: Prepared) -> None:
    found.messages.add(prepared.message_id)
    found.retries.add(retry_key(command.raw_hmac, command.reverse_path_hmac))
    found.labels = found.labels or any(label not in SYSTEM_LABELS for label in command.labels)
    found.filters = found.filters or command.source != "import"
    mail = prepared.mails.get(command.mail_id)
    if mail is None:
        return
    clues = mail.clues
    found.references.update(short(h) for h in clues.references)
    if clues.message:
        found.references.add(short(clues.message))
    if clues.subject:
        found.subjects.add(short(clues.subject))


def needs_of_events(events: Iterable[e.MailboxEvent]) -> Needs:
    """Return what folding events of one mailbox needs."""
    found = Needs()
    for event in events:
        match event:
            case e.Threaded():
                found.messages.add(event.message_id)
                if event.message_hash:
                    found.references.add(short(event.message_hash))
                found.references.update(short(h) for h in event.reference_hashes)
                found.thread_ids.add(event.thread_id)
                found.thread_ids.update(event.merged)
            case e.Delivered():
                found.messages.add(event.message_id)
                found.retries.add(retry_key(event.raw_hmac, event.reverse_path_hmac))
            case e.MovedToThread():
                found.messages.add(event.message_id)
                found.moved.add(event.message_id)
                found.thread_ids.add(event.thread_id)
            case e.Labelled() | e.Restored() | e.Expunged() | e.Erased() | e.Taught():
                found.messages.add(event.message_id)
            case e.LabelDefined() | e.LabelRenamed() | e.LabelDeleted():
                found.labels = True
            case e.FilterDefined():
                found.filters = True
            case _:
                pass
    return found
