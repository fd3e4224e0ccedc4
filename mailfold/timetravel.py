"""A mailbox as it was, and what came between two times. Erased mail is in neither."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from projections.mailbox.ports import MailboxReader, MessageRow

_PAGE = 500

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """What a message, as it stands at one of two times, gained and lost until the other."""

    kind: Kind
    message: MessageRow
    labels_added: Sequence[str] = field(default=())
    labels_removed: Sequence[str] = field(default=())
    flags_added: Sequence[str] = field(default=())
    flags_removed: Sequence[str] = field(default=())
    thread: str = ""
    """The conversation it was moved to, "" when it is in the same."""


def messages_at(
    reader: MailboxReader, mailbox_id: str, time: int, labels: Sequence[str] = ()
) -> Iterator[MessageRow]:
    """Yield the messages of a mailbox as of `time` (microseconds), newest first.

    SPAM and TRASH are among them unless `labels` say otherwise.
    """
    token: str | None = None
    while True:
        page, _ = reader.list(
            mailbox_id,
            labels=labels,
            include_spam=not labels,
            limit=_PAGE,
            page_token=token,
            at=time,
        )
        yield from page.messages
        token = page.next_token
        if token is None:
            return


def changes(reader: MailboxReader, mailbox_id: str, before: int, after: int) -> Iterator[Change]:
    """Yield what differs between a mailbox at two times: what is there after, then what is gone."""
    then = {m.message_id: m for m in messages_at(reader, mailbox_id, before)}
    for now in messages_at(reader, mailbox_id, after):
        was = then.pop(now.message_id, None)
        if was is None:
            yield Change("added", now, labels_added=now.labels, flags_added=now.flags)
            continue
        change = Change(
            "changed",
            now,
            labels_added=_less(now.labels, was.labels),
            labels_removed=_less(was.labels, now.labels),
            flags_added=_less(now.flags, was.flags),
            flags_removed=_less(was.flags, now.flags),
            thread=now.thread_id if now.thread_id != was.thread_id else "",
        )
        if change != Change("changed", now):
            yield change
    for gone in then.values():
        yield Change("removed", gone, labels_removed=gone.labels, flags_removed=gone.flags)


def _less(these: Sequence[str], those: Sequence[str]) -> tuple[str, ...]:
    kept = set(those)
    return tuple(x for x in these if x not in kept)
