"""The fold of mailbox.events into what is searched: pure, whatever the engine.

A document is there while its message is visible: an Expunged takes it out, a Restored puts it in
again from the content, and an Erased finds it gone or takes it out for good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from projections.ports import OutOfOrder
from projections.search.state import (
    ATTACHMENT_BIT,
    LABEL_BITS,
    SEEN_BIT,
    STARRED_BIT,
    SYSTEM_NUMBERS,
    Doc,
    Facts,
    Label,
    Mailbox,
)
from schemas import mailbox_events as e
from schemas.labels import FLAGGED, SEEN
from schemas.parts import Digest

_FLAG_BITS = {SEEN: SEEN_BIT, FLAGGED: STARRED_BIT}
_ID_BY_BIT_LABEL = {SYSTEM_NUMBERS[label]: bit for label, bit in LABEL_BITS.items()}


class Fold:
    """One batch of one mailbox: the working state, and what becomes of its documents."""

    def __init__(
        self,
        mailbox: Mailbox,
        docs: dict[str, Doc],
        digests: Mapping[str, Digest],
        names: Mapping[str, str],
    ) -> None:
        """`docs` holds the documents, by message_id, that the events speak of and that exist;
        `digests` and `names` of labels are what seals held, by event_id."""
        self.mailbox = mailbox
        self.docs = docs
        self.digests = digests
        self.names = names
        self.removed: list[Doc] = []
        """Documents that the store has and that go."""

    def apply(self, events: Iterable[e.MailboxEvent]) -> None:
        """Fold events in order; those up to the head change nothing. Raises OutOfOrder."""
        mailbox = self.mailbox
        for event in events:
            if event.seq <= mailbox.head:
                continue
            if event.seq != mailbox.head + 1:
                raise OutOfOrder(mailbox.mailbox_id, mailbox.head, event.seq)
            step = _STEPS.get(type(event))
            if step is not None:
                step(self, event)
            mailbox.head = event.seq
        self._count()

    def number(self, label_id: str) -> int:
        """Return the number of a label; one that no event has made is made by its first use."""
        mailbox = self.mailbox
        number = mailbox.numbers.get(label_id)
        if number is None:
            number = SYSTEM_NUMBERS.get(label_id, mailbox.last_label + 1)
            name = label_id if label_id in SYSTEM_NUMBERS else ""
            mailbox.add(Label(number, label_id, name))
        return number

    def hide(self, message_id: str) -> None:
        """Take a document out."""
        doc = self.docs.pop(message_id, None)
        if doc is not None and doc.stored is not None:
            self.removed.append(doc)

    def _count(self) -> None:
        """Bring the counters from what the store holds to what the documents are now."""
        for doc in self.removed:
            self._counted(doc.stored, None)
        for doc in self.docs.values():
            self._counted(doc.stored, doc.facts)

    def _counted(self, before: Facts | None, after: Facts | None) -> None:
        if before == after:
            return
        mailbox = self.mailbox
        mailbox.messages += (after is not None) - (before is not None)
        old = set[int]() if before is None else before.sets()
        new = set[int]() if after is None else after.sets()
        for numbers, change in ((old - new, -1), (new - old, 1)):
            for number in numbers:
                label = mailbox.labels.get(number)
                if label is None:
                    label = Label(number, "")
                    mailbox.labels[number] = label
                label.total += change
                label.changed = True


def _opened(fold: Fold, event: e.MailboxOpened) -> None:
    for label_id in SYSTEM_NUMBERS:
        fold.number(label_id)


def _bits(labels: Iterable[int]) -> int:
    return sum(_ID_BY_BIT_LABEL.get(number, 0) for number in labels)


def _shown(fold: Fold, event: e.Delivered | e.Restored) -> None:
    fold.hide(event.message_id)
    labels = tuple(sorted({fold.number(p.label) for p in event.placements}))
    bits = _bits(labels) | (ATTACHMENT_BIT if event.attachment_count > 0 else 0)
    for flag, bit in _FLAG_BITS.items():
        if flag in event.flags:
            bits |= bit
    fold.docs[event.message_id] = Doc(
        event.message_id,
        event.mail_id,
        event.internal_date,
        event.size,
        Facts(bits, labels),
        shown=event.event_id,
        digest=fold.digests.get(event.event_id),
    )


def _labelled(fold: Fold, event: e.Labelled) -> None:
    # Before its Delivered a message is not visible; what it was labelled comes with that event.
    doc = fold.docs.get(event.message_id)
    if doc is None:
        return
    numbers = fold.mailbox.numbers
    removed = {numbers.get(p.label) for p in event.labels_removed}
    added = {fold.number(label_id) for label_id in event.labels_added}
    labels = tuple(sorted((set(doc.facts.labels) - removed) | added))
    bits = doc.facts.bits & (SEEN_BIT | STARRED_BIT | ATTACHMENT_BIT) | _bits(labels)
    for flag, bit in _FLAG_BITS.items():
        if flag in event.flags_removed:
            bits &= ~bit
        elif flag in event.flags_added:
            bits |= bit
    doc.facts = Facts(bits, labels)


def _hidden(fold: Fold, event: e.Expunged | e.Erased) -> None:
    fold.hide(event.message_id)


def _named(fold: Fold, event: e.LabelDefined | e.LabelRenamed) -> None:
    label = fold.mailbox.labels[fold.number(event.label_id)]
    label.name = fold.names.get(event.event_id, "")
    label.changed = True


def _deleted(fold: Fold, event: e.LabelDeleted) -> None:
    number = fold.mailbox.numbers.pop(event.label_id, None)
    if number is not None:
        label = fold.mailbox.labels[number]
        label.deleted = label.changed = True


_STEPS: dict[type[e.MailboxEvent], Callable[[Fold, Any], None]] = {
    e.MailboxOpened: _opened,
    e.Delivered: _shown,
    e.Restored: _shown,
    e.Labelled: _labelled,
    e.Expunged: _hidden,
    e.Erased: _hidden,
    e.LabelDefined: _named,
    e.LabelRenamed: _named,
    e.LabelDeleted: _deleted,
}
"""What each event does; one that is not here moves the head and no more."""
