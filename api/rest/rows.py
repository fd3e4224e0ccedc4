"""From the rows of the projection to the JSON of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.rest.shapes import (
    Address,
    Conversation,
    ConversationShape,
    Filter,
    Label,
    Listed,
    Mailbox,
    Minimal,
    Quota,
)
from api.rest.shapes import Counts as CountsShape
from api.rest.times import iso
from infra.ports import Account
from projections.mailbox.ports import FilterRow, LabelRow, MailboxRow, MessageRow
from projections.threads.ports import ThreadRow
from schemas import parts

NOBODY = Address("", "")


def minimal(row: MessageRow) -> Minimal:
    """Return a message without its header."""
    return Minimal(
        row.message_id,
        row.thread_id,
        list(row.labels),
        row.snippet,
        iso(row.received_at),
        row.is_read,
        row.is_starred,
        row.has_attachments,
        row.size,
        row.seq,
    )


def listed(row: MessageRow) -> Listed:
    """Return a message as a list shows it."""
    authors = addresses(row.author)
    return Listed(
        id=row.message_id,
        thread_id=row.thread_id,
        label_ids=list(row.labels),
        snippet=row.snippet,
        received_at=iso(row.received_at),
        is_read=row.is_read,
        is_starred=row.is_starred,
        has_attachments=row.has_attachments,
        size_bytes=row.size,
        seq=row.seq,
        from_=authors[0] if authors else NOBODY,
        to=addresses(row.to),
        subject=row.subject,
        date=None if row.date is None else iso(row.date),
    )


def thread(row: ThreadRow) -> Conversation:
    """Return a conversation as a list shows it."""
    return Conversation(**_thread(row))


def conversation(
    row: ThreadRow, messages: list[Listed], next_page_token: str | None
) -> ConversationShape:
    """Return a conversation with a page of its messages."""
    return ConversationShape(**_thread(row), messages=messages, next_page_token=next_page_token)


def _thread(row: ThreadRow) -> dict[str, Any]:
    return {
        "id": row.thread_id,
        "subject": row.subject,
        "snippet": row.snippet,
        "participants": addresses(row.participants),
        "label_ids": list(row.labels),
        "message_count": row.messages,
        "unread_count": row.unread,
        "is_starred": row.starred,
        "has_attachments": row.has_attachments,
        "first_message_at": iso(row.first_date),
        "last_message_at": iso(row.last_date),
        "seq": row.seq,
    }


def addresses(people: Sequence[parts.Mailbox]) -> list[Address]:
    """Return people as the API names them."""
    return [Address(p.address, p.name) for p in people]


def filter_(row: FilterRow) -> Filter:
    """Return a filter."""
    return Filter(
        row.filter_id,
        row.query,
        list(row.labels),
        row.archive,
        row.star,
        row.read,
        row.never_spam,
    )


def label(row: LabelRow) -> Label:
    """Return a label."""
    kind = "system" if row.system else "user"
    return Label(row.label_id, row.name, kind, row.color, row.total, row.unread)


def mailbox(account: Account, row: MailboxRow) -> Mailbox:
    """Return a mailbox."""
    return Mailbox(
        account.mailbox_id,
        account.address,
        CountsShape(row.messages, row.unread),
        Quota(row.size, account.quota_bytes),
        row.head,
    )
