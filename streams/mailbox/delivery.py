"""Decide about mail that comes in, and mail that comes back."""

from __future__ import annotations

from typing import cast

import msgspec

from schemas import commands as c
from schemas import identity
from schemas import mailbox_events as e
from schemas.labels import ALL, INBOX, SEEN, SPAM, SYSTEM_LABELS
from schemas.parts import Digest, LabelledBy, Placement, Source, Verdict
from streams.mailbox.clues import Clues
from streams.mailbox.draft import Pen
from streams.mailbox.filters import Outlook, filtered
from streams.mailbox.labelling import MOST_FLAGS, at_delivery, flags_are_wrong, ordered
from streams.mailbox.needs import ERASED, Mail, Prepared
from streams.mailbox.rows import Message, Origin, retry_key
from streams.mailbox.threading import Found, thread_of
from streams.mailbox.working_set import WorkingSet
from streams.stage import Poison

RETRY_WINDOW = 5 * 86_400_000_000
"""How long a sender's retry is recognised, microseconds (RFC 5321 section 4.5.4.1: 4-5 days)."""

_PLAIN = frozenset({INBOX, ALL})

_unpack_origin = msgspec.msgpack.Decoder(Origin).decode


def open_mailbox(ws: WorkingSet, pen: Pen) -> None:
    """Open the mailbox where it is not open yet."""
    if not ws.opened:
        pen.write(e.MailboxOpened(**pen.head(e.MailboxOpened)))


def deliver(ws: WorkingSet, command: c.Deliver, prepared: Prepared, pen: Pen) -> None:
    """Put a mail into the mailbox, once. Raises Poison when its content is not to be had."""
    message_id = prepared.message_id
    if ws.messages[message_id] is not None:
        return
    if prepared.missing == ERASED:
        # A command that comes again after its mail has gone everywhere.
        pen.refuse(ERASED)
        return
    original = _retried(ws, command)
    if original is not None:
        pen.write(
            e.Duplicate(
                **pen.head(e.Duplicate),
                mail_id=command.mail_id,
                original_message_id=original,
            )
        )
        return
    mail = prepared.mails.get(command.mail_id)
    if mail is None:
        raise Poison(prepared.missing or "content-missing")
    open_mailbox(ws, pen)
    # A defect in judging mail never stops mail.
    try:
        found, outlook = _judge(ws, command, prepared, mail, pen.recorded_at)
    except Exception:  # noqa: BLE001
        mail = Mail(msgspec.structs.replace(mail.digest, unreadable=True), Clues(mail.clues.own))
        found, outlook = _fallback(ws, mail), Outlook(_PLAIN, _flags(command))
    _write(command, message_id, mail, found, outlook, pen)


def _judge(
    ws: WorkingSet, command: c.Deliver, prepared: Prepared, mail: Mail, now: int
) -> tuple[Found, Outlook]:
    flags = _flags(command)
    if not mail.readable:
        return _fallback(ws, mail), Outlook(_PLAIN, flags)
    found = thread_of(ws, mail.clues, command.internal_date)
    asked = _asked(ws, command)
    labels = at_delivery(command.source, asked, command.verdict, command.disposition)
    outlook = Outlook(labels, flags)
    # What a person imports goes where the person says.
    if command.source != "import" and ws.filter_table():
        outlook = filtered(ws, command, prepared, mail, outlook, asked, now)
    return found, outlook


def _flags(command: c.Deliver) -> tuple[str, ...]:
    flags = dict.fromkeys(f for f in command.flags if not flags_are_wrong([f]))
    return tuple(flags)[:MOST_FLAGS]


def _fallback(ws: WorkingSet, mail: Mail) -> Found:
    """A thread of its own, which no other mail can have begun."""
    return Found(identity.thread_id(ws.mailbox_id, mail.clues.own), "fallback")


def _retried(ws: WorkingSet, command: c.Deliver) -> str | None:
    """Return the message that a sender's retry repeats; an import is never one."""
    row = ws.retries[retry_key(command.raw_hmac, command.reverse_path_hmac)]
    if row is None or command.source == "import":
        return None
    near = abs(command.received_at - row.received_at) <= RETRY_WINDOW
    return row.message_id if near else None


def _asked(ws: WorkingSet, command: c.Deliver) -> list[str]:
    return [
        label for label in command.labels if label in SYSTEM_LABELS or label in ws.label_table()
    ]


def _by(command: c.Deliver, labels: list[str], filters: list[str]) -> LabelledBy:
    if command.source == "import":
        return "import"
    if filters:
        return "filter"
    return "verdict" if SPAM in labels else "delivery"


def _write(
    command: c.Deliver, message_id: str, mail: Mail, found: Found, outlook: Outlook, pen: Pen
) -> None:
    clues, mail_id = mail.clues, command.mail_id
    labels, flags = ordered(outlook.labels), list(outlook.flags)
    pen.write(
        e.Threaded(
            **pen.head(e.Threaded),
            message_id=message_id,
            mail_id=mail_id,
            thread_id=found.thread_id,
            by=found.by,
            message_hash=clues.message,
            reference_hashes=list(clues.references),
            subject_hash=clues.subject,
            participant_hashes=list(clues.participants),
            dated=command.internal_date,
            merged=list(found.merged),
        )
    )
    head = pen.head(e.Labelled)
    pen.write(
        e.Labelled(
            **head,
            message_id=message_id,
            mail_id=mail_id,
            labels_added=labels,
            flags_added=flags,
            unread_changed=0 if SEEN in flags else 1,
            by=_by(command, labels, outlook.filters),
            filters=outlook.filters,
            filters_failed=outlook.failed,
        )
    )
    pen.write(
        e.Delivered(
            **pen.head(e.Delivered),
            message_id=message_id,
            mail_id=mail_id,
            thread_id=found.thread_id,
            authenticated_id=command.authenticated_id,
            scored_id=command.scored_id,
            verdict=command.verdict,
            source=command.source,
            placements=[Placement(label=label, uid=head["seq"]) for label in labels],
            flags=flags,
            size=command.size,
            received_at=command.received_at,
            internal_date=command.internal_date,
            attachment_count=attachment_count(mail.digest),
            raw_hmac=command.raw_hmac,
            reverse_path_hmac=command.reverse_path_hmac,
            sealed=b"",
        ),
        secret=mail.digest,
        key=message_id,
    )


def attachment_count(digest: Digest) -> int:
    """Return how many attachments a reader is told of; what is shown inline is none."""
    return sum(not p.inline for p in digest.parts)


def restore(
    ws: WorkingSet, command: c.Restore, ordinal: int, row: Message, prepared: Prepared, pen: Pen
) -> None:
    """Bring an expunged message back with the labels and flags it had, under new UIDs."""
    mail = prepared.mails.get(row.mail_id)
    if row.state != "expunged" or command.occurred_at > row.restorable_until or mail is None:
        pen.refuse("not-restorable", row.message_id)
        return
    origin = _unpack_origin(row.origin)
    head = pen.head(e.Restored, ordinal)
    # A label that was deleted meanwhile stays gone; ALL holds what has no other.
    labels = list(ws.valid(row.labels)) or [INBOX, ALL]
    pen.write(
        e.Restored(
            **head,
            message_id=row.message_id,
            mail_id=row.mail_id,
            thread_id=ws.root(row.thread).thread_id,
            authenticated_id=origin.authenticated_id,
            scored_id=origin.scored_id,
            verdict=cast("Verdict", origin.verdict),
            source=cast("Source", origin.source),
            placements=[Placement(label=label, uid=head["seq"]) for label in labels],
            flags=list(row.flags),
            size=origin.size,
            received_at=origin.received_at,
            internal_date=origin.internal_date,
            attachment_count=origin.attachment_count,
            raw_hmac=origin.raw_hmac,
            reverse_path_hmac=origin.reverse_path_hmac,
            sealed=b"",
        ),
        secret=mail.digest,
        key=row.message_id,
    )
