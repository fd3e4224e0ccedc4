"""The fold of mailbox.events into rows: pure, whatever the store and however batches are cut.

A store loads the state of the mailbox and of the messages that a batch speaks of, folds, and
writes what changed together with the head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from projections.mailbox.feed import detail_of
from projections.mailbox.state import (
    NOT_STORED,
    Changes,
    FeedRow,
    Filter,
    Gone,
    Label,
    MailboxState,
    Merge,
    Message,
    PastPlacement,
    PastState,
    Placed,
)
from projections.ports import OutOfOrder
from schemas import mailbox_events as e
from schemas.identity import message_id as message_id_of
from schemas.labels import SYSTEM_LABELS

Opened = Mapping[str, bytes | str]
"""event_id to what its seal held: a packed Digest, the name of a label, the query of a filter.

One whose key is gone is absent."""


def concerns(event: e.MailboxEvent) -> str | None:
    """Return the message that an event speaks of.

    A Duplicate speaks of the message that its mail would have become.
    """
    if type(event) is e.Duplicate:
        return message_id_of(event.mailbox_id, event.mail_id)
    return cast("str | None", getattr(event, "message_id", None))


class Fold:
    """One batch of one mailbox: the working state, and the changes so far."""

    def __init__(self, mailbox: MailboxState, messages: dict[str, Message], opened: Opened) -> None:
        self.mailbox = mailbox
        self.messages = messages
        self.opened = opened
        self.changes = Changes()

    def apply(self, events: Iterable[e.MailboxEvent]) -> Changes:
        """Fold events in order; those up to the head change nothing. Raises OutOfOrder."""
        mailbox = self.mailbox
        feed = self.changes.feed
        for event in events:
            if event.seq <= mailbox.head:
                continue
            if event.seq != mailbox.head + 1:
                raise OutOfOrder(mailbox.mailbox_id, mailbox.head, event.seq)
            kind = type(event)
            message_id = concerns(event)
            message = None if message_id is None else self._message(message_id, event)
            step = _STEPS.get(kind)
            if step is not None:
                step(self, event, message)
            detail = detail_of(event)
            if kind is e.Erased:
                message = None
                detail["message_id"] = message_id
                detail["mail_id"] = cast("e.Erased", event).mail_id
            feed.append(
                FeedRow(
                    event.seq,
                    kind.__name__,
                    event.recorded_at,
                    event.occurred_at,
                    event.event_id,
                    message,
                    detail,
                )
            )
            mailbox.head = event.seq
        self._count()
        return self.changes

    def _message(self, message_id: str, event: e.MailboxEvent) -> Message:
        message = self.messages.get(message_id)
        if message is None or message.erased:
            message = Message(message_id, cast("str", getattr(event, "mail_id", "")))
            self.messages[message_id] = message
        return message

    def label(self, label_id: str, seq: int) -> Label:
        """Return a label; one that no event has made is made by its first use."""
        number = self.mailbox.numbers.get(label_id)
        if number is None:
            label = Label(
                len(self.mailbox.labels) + 1,
                label_id,
                seq,
                name=label_id if label_id in SYSTEM_LABELS else "",
            )
            self.mailbox.add(label)
            return label
        return self.mailbox.labels[number]

    def place(self, message: Message, label_id: str, uid: int, seq: int) -> None:
        """Put a message into a label."""
        label = self.label(label_id, seq)
        message.placements[label.number] = Placed(uid, seq)
        if uid > label.last_uid:
            label.last_uid = uid
            label.changed = True

    def unplace(self, message: Message, number: int, seq: int) -> None:
        """Take a message out of a label; the past and the UID that left are kept."""
        placed = message.placements.pop(number, None)
        if placed is None:
            return
        deleted = self.mailbox.labels[number].deleted
        until = seq if deleted is None else deleted
        self.changes.past_placements.append(
            PastPlacement(message, number, placed.uid, placed.since, until)
        )
        if deleted is None:
            self.changes.gone.append(Gone(number, seq, placed.uid))

    def turn(self, message: Message, seq: int) -> None:
        """Keep flags and thread as they were, before one of them changes with event `seq`."""
        if message.since < seq:
            self.changes.past_states.append(
                PastState(message, message.since, seq, message.flags, message.thread_id)
            )
            message.since = seq

    def hide(self, message: Message, seq: int) -> None:
        """Take a message out of sight."""
        if not message.visible:
            return
        self.turn(message, seq)
        for number in sorted(message.placements):
            self.unplace(message, number, seq)
        message.visible = False

    def _count(self) -> None:
        """Bring the counters from what the store holds to what the messages are now.

        They follow from the difference of two states, so a batch counts the same however it is
        cut, and an event that changed nothing counts nothing.
        """
        mailbox = self.mailbox
        labels = mailbox.labels
        for message in (*self.messages.values(), *self.changes.erased):
            if not message.changed:
                continue
            stored = message.stored or NOT_STORED
            unread = message.unread
            mailbox.messages += message.visible - stored.visible
            mailbox.unread += unread - stored.unread
            mailbox.size += message.visible * message.size - stored.visible * stored.size
            if unread == stored.unread and message.placements == stored.placements:
                continue
            for number in stored.placements:
                label = labels[number]
                label.total -= 1
                label.unread -= stored.unread
                label.changed = True
            for number in message.placements:
                label = labels[number]
                label.total += 1
                label.unread += unread
                label.changed = True


def _opened(fold: Fold, event: e.MailboxOpened, _: None) -> None:
    for label_id in SYSTEM_LABELS:
        fold.label(label_id, event.seq)


def _threaded(fold: Fold, event: e.Threaded, message: Message) -> None:
    for thread_id in event.merged:
        if thread_id != event.thread_id:
            fold.changes.merges.append(Merge(thread_id, event.seq, event.thread_id))


def _shown(fold: Fold, event: e.Delivered | e.Restored, message: Message) -> None:
    fold.hide(message, event.seq)
    message.facts = event
    text = fold.opened.get(event.event_id, b"")
    message.text = text if isinstance(text, bytes) else b""
    message.visible = message.changed = True
    message.mail_id = event.mail_id
    message.thread_id = event.thread_id
    if message.internal_date == 0:
        # RFC 3501 section 2.3.3: the internal date never changes, and the order rests on it.
        message.internal_date = event.internal_date
    message.size = event.size
    mailbox = fold.mailbox
    mailbox.ahead = max(mailbox.ahead, message.internal_date - event.recorded_at)
    message.flags = tuple(sorted(set(event.flags)))
    message.since = message.seq = event.seq
    for placement in event.placements:
        fold.place(message, placement.label, placement.uid, event.seq)


def _labelled(fold: Fold, event: e.Labelled, message: Message) -> None:
    # Before its Delivered a message is not visible; what it was labelled comes with that event.
    if not message.visible:
        return
    message.changed = True
    message.seq = event.seq
    for placement in event.labels_removed:
        number = fold.mailbox.numbers.get(placement.label)
        if number is not None:
            fold.unplace(message, number, event.seq)
    for label_id in event.labels_added:
        number = fold.mailbox.numbers.get(label_id)
        if number is not None:
            fold.unplace(message, number, event.seq)
        fold.place(message, label_id, event.seq, event.seq)
    if event.flags_added or event.flags_removed:
        flags = (set(message.flags) | set(event.flags_added)) - set(event.flags_removed)
        now = tuple(sorted(flags))
        if now != message.flags:
            fold.turn(message, event.seq)
            message.flags = now


def _moved(fold: Fold, event: e.MovedToThread, message: Message) -> None:
    message.changed = True
    message.seq = event.seq
    if message.visible:
        fold.turn(message, event.seq)
    message.thread_id = event.thread_id


def _taught(fold: Fold, event: e.Taught, message: Message) -> None:
    message.changed = True
    message.seq = event.seq


def _expunged(fold: Fold, event: e.Expunged, message: Message) -> None:
    fold.hide(message, event.seq)
    message.changed = True
    message.seq = event.seq


def _erased(fold: Fold, event: e.Erased, message: Message) -> None:
    fold.hide(message, event.seq)
    message.erased = message.changed = True
    fold.changes.erased.append(message)
    del fold.messages[message.message_id]


def _label_defined(fold: Fold, event: e.LabelDefined | e.LabelRenamed, _: None) -> None:
    label = fold.label(event.label_id, event.seq)
    name = fold.opened.get(event.event_id, "")
    label.name = name if isinstance(name, str) else ""
    label.color = event.color
    label.changed = True


def _label_deleted(fold: Fold, event: e.LabelDeleted, _: None) -> None:
    # Nothing is done to its messages: whoever reads takes a placement in a deleted label as
    # ended with it. So it costs the same for one message and for a million.
    number = fold.mailbox.numbers.pop(event.label_id, None)
    if number is not None:
        label = fold.mailbox.labels[number]
        label.deleted = event.seq
        # The past is listed by its identifier; the name is of no use to anybody any more.
        label.name = ""
        label.changed = True


def _filter_defined(fold: Fold, event: e.FilterDefined, _: None) -> None:
    query = fold.opened.get(event.event_id, "")
    fold.changes.filters[event.filter_id] = (
        None
        if event.deleted
        else Filter(
            event.seq,
            query if isinstance(query, str) else "",
            tuple(sorted(event.labels)),
            event.archive,
            event.star,
            event.read,
            event.never_spam,
        )
    )


_STEPS: dict[type[e.MailboxEvent], Callable[[Fold, Any, Any], None]] = {
    e.MailboxOpened: _opened,
    e.Threaded: _threaded,
    e.Labelled: _labelled,
    e.Delivered: _shown,
    e.Restored: _shown,
    e.MovedToThread: _moved,
    e.Taught: _taught,
    e.Expunged: _expunged,
    e.Erased: _erased,
    e.LabelDefined: _label_defined,
    e.LabelRenamed: _label_defined,
    e.LabelDeleted: _label_deleted,
    e.FilterDefined: _filter_defined,
}
"""What each event does to the rows; one that is not here only makes its feed entry."""
