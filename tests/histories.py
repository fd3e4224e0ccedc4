"""Plausible histories of mailboxes: events as the mailbox stage makes them, with real seals."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.ports import Output, Record
from schemas import identity
from schemas import mailbox_events as e
from schemas.labels import ALL, FLAGGED, INBOX, SEEN, SENT, SPAM, TRASH
from schemas.partition import partition_of
from schemas.parts import Digest, FilterSecret, LabelSecret, Mailbox, PartSummary, Placement
from schemas.seal import seal

_START = 1_700_000_000_000_000
_WORDS = [
    "quarterly",
    "report",
    "lunch",
    "invoice",
    "garden",
    "notes",
    "über",
    "会議",
    "résumé",
    "meeting",
    "plan",
]
FLAGS: tuple[str, ...] = (SEEN, FLAGGED, "answered", "$Work", "draft")


@dataclass
class Shown:
    """A message as the generator knows it."""

    message_id: str
    mail_id: str
    thread: str
    labels: dict[str, int]
    flags: set[str]
    state: str
    delivered: dict[str, Any]
    digest: Digest
    before: set[str] = field(default_factory=set[str])


@dataclass
class Box:
    """A mailbox as the generator knows it."""

    mailbox_id: str
    seq: int = 0
    recorded_at: int = _START
    labels: list[str] = field(default_factory=list[str])
    filters: list[str] = field(default_factory=list[str])
    messages: list[Shown] = field(default_factory=list[Shown])
    merged: set[str] = field(default_factory=set[str])


class Histories:
    """Draws events of several mailboxes; the same seed gives the same history but for nonces.

    `keys` holds the keys of all that was sealed; `erase_keys` destroys that of an erased message
    with its Erased, as the house does.
    """

    def __init__(self, seed: int = 0, mailboxes: int = 2, *, erase_keys: bool = True) -> None:
        self.random = random.Random(seed)
        self.keys: dict[str, bytes] = {}
        self._count = 0
        self.message_id_header = ""
        """Given to all mail when it is set; else each has its own."""
        self.boxes = [Box(self._id("mailbox")) for _ in range(mailboxes)]
        self._erase_keys = erase_keys
        for box in self.boxes:
            self.keys[box.mailbox_id] = self.random.randbytes(32)

    def events(self, count: int) -> list[e.MailboxEvent]:
        """Return at least `count` further events, whole commands only."""
        made: list[e.MailboxEvent] = []
        while len(made) < count:
            made.extend(self.command(self.random.choice(self.boxes)))
        return made

    def command(self, box: Box) -> Iterator[e.MailboxEvent]:
        """Yield the events of one command, drawn at random."""
        if box.seq == 0:
            yield e.MailboxOpened(**self._head(box))
        live = [m for m in box.messages if m.state == "live"]
        gone = [m for m in box.messages if m.state == "expunged"]
        draw = self.random.random
        if not live or draw() < 0.3:
            yield from self.deliver(box)
        elif draw() < 0.15:
            yield from self._label(box)
        elif gone and draw() < 0.25:
            yield from self._back_or_away(box, self.random.choice(gone))
        else:
            yield from self._change(box, self.random.choice(live))

    def deliver(self, box: Box, *, date: int | None = None) -> Iterator[e.MailboxEvent]:
        """Yield the events of a delivery; one in twenty is a retry or an erased mail come again."""
        rng = self.random
        if box.messages and rng.random() < 0.05:
            yield e.Duplicate(
                **self._head(box),
                mail_id=self._id("mail"),
                original_message_id=rng.choice(box.messages).message_id,
            )
            return
        erased = [m for m in box.messages if m.state == "erased"]
        again = rng.choice(erased) if erased and rng.random() < 0.1 else None
        mail_id = again.mail_id if again else self._id("mail")
        message_id = identity.message_id(box.mailbox_id, mail_id)
        threads = [m.thread for m in box.messages if m.thread not in box.merged]
        thread = rng.choice(threads) if threads and rng.random() < 0.5 else self._id("thread")
        merged: list[str] = []
        others = sorted({t for t in threads if t != thread})
        if others and rng.random() < 0.1:
            merged = [rng.choice(others)]
            box.merged.update(merged)
        spam = rng.random() < 0.15
        names = [SPAM] if spam else [ALL, rng.choice((INBOX, INBOX, INBOX, SENT))]
        if not spam and box.labels and rng.random() < 0.3:
            names.append(rng.choice(box.labels))
        flags = sorted(rng.sample(FLAGS, rng.choice((0, 0, 1, 2))))
        if date is None:
            ago = rng.choice((0, 0, 3_600_000_000, -7_200_000_000)) + rng.randrange(3) * 1000
            date = box.recorded_at - ago
        ids: dict[str, Any] = {"message_id": message_id, "mail_id": mail_id}
        yield e.Threaded(
            **self._head(box),
            **ids,
            thread_id=thread,
            by="references",
            message_hash=rng.randbytes(16),
            participant_hashes=[rng.randbytes(16)],
            dated=date,
            merged=merged,
        )
        yield e.Labelled(
            **self._head(box),
            **ids,
            labels_added=names,
            flags_added=flags,
            unread_changed=0 if SEEN in flags else 1,
            by="verdict" if spam else "delivery",
        )
        labels = dict.fromkeys(names, box.seq)
        digest = self._digest(message_id)
        told: dict[str, Any] = {
            "authenticated_id": self._id("authenticated"),
            "scored_id": self._id("scored") if rng.random() < 0.9 else "",
            "verdict": "spam" if spam else "ham",
            "source": rng.choice(("smtp", "import")),
            "size": rng.randrange(500, 50_000),
            "received_at": box.recorded_at,
            "internal_date": date,
            "attachment_count": len(digest.parts),
            "raw_hmac": rng.randbytes(32),
            "reverse_path_hmac": rng.randbytes(16),
        }
        self.keys[message_id] = rng.randbytes(32)
        shown = Shown(message_id, mail_id, thread, labels, set(flags), "live", told, digest)
        if again:
            box.messages.remove(again)
        box.messages.append(shown)
        yield self._visible(box, e.Delivered, shown)

    def _visible(
        self, box: Box, kind: type[e.Delivered] | type[e.Restored], m: Shown
    ) -> e.MailboxEvent:
        head = self._head(box)
        return kind(
            **head,
            message_id=m.message_id,
            mail_id=m.mail_id,
            thread_id=m.thread,
            placements=self._placements(m),
            flags=sorted(m.flags),
            sealed=seal(m.digest, self.keys[m.message_id], head["event_id"], self.random.randbytes),
            **m.delivered,
        )

    def _change(self, box: Box, m: Shown) -> Iterator[e.MailboxEvent]:
        rng = self.random
        ids: dict[str, Any] = {"message_id": m.message_id, "mail_id": m.mail_id}
        drawn = rng.random()
        if drawn < 0.35:
            changed = set(rng.sample(FLAGS, rng.choice((1, 1, 2))))
            added, removed = sorted(changed - m.flags), sorted(changed & m.flags)
            m.flags ^= changed
            yield e.Labelled(
                **self._head(box),
                **ids,
                flags_added=added,
                flags_removed=removed,
                unread_changed=(SEEN in removed) - (SEEN in added),
                by="user",
            )
        elif drawn < 0.75:
            yield from self._relabel(box, m, ids)
        elif drawn < 0.82:
            target = rng.choice([x.thread for x in box.messages] + [self._id("thread")])
            yield e.MovedToThread(
                **self._head(box), **ids, thread_id=target, from_thread_id=m.thread
            )
            m.thread = target
        elif drawn < 0.87:
            yield e.Taught(**self._head(box), **ids, verdict="spam")
        elif drawn < 0.95:
            yield e.Expunged(
                **self._head(box),
                **ids,
                thread_id=m.thread,
                placements=self._placements(m),
                flags=sorted(m.flags),
                restorable_until=box.recorded_at + 1_000_000,
            )
            m.state = "expunged"
        else:
            yield self._erased(box, m)

    def _relabel(self, box: Box, m: Shown, ids: Mapping[str, Any]) -> Iterator[e.MailboxEvent]:
        rng = self.random
        now = set(m.labels)
        if now & {SPAM, TRASH}:
            then = m.before & ({INBOX, SENT, *box.labels} | now) or {INBOX}
            then = (then | {ALL}) - {SPAM, TRASH}
        else:
            target = rng.choice((TRASH, SPAM, INBOX, SENT, *box.labels, *box.labels))
            then = {target} if target in (TRASH, SPAM) else now ^ {target} | {ALL}
        m.before = now
        removed = [p for p in self._placements(m) if p.label not in then]
        added = sorted(then - now)
        yield e.Labelled(
            **self._head(box), **ids, labels_added=added, labels_removed=removed, by="user"
        )
        m.labels = {x: m.labels.get(x, box.seq) for x in sorted(then)}

    def _back_or_away(self, box: Box, m: Shown) -> Iterator[e.MailboxEvent]:
        if self.random.random() < 0.4:
            yield self._erased(box, m)
            return
        names = [x for x in m.labels if len(x) < 36 or x in box.labels] or [ALL]
        m.labels = dict.fromkeys(names, box.seq + 1)
        m.state = "live"
        yield self._visible(box, e.Restored, m)

    def _erased(self, box: Box, m: Shown) -> e.MailboxEvent:
        live = m.state == "live"
        m.state = "erased"
        if self._erase_keys:
            self.keys.pop(m.message_id, None)
        return e.Erased(
            **self._head(box),
            message_id=m.message_id,
            mail_id=m.mail_id,
            thread_id=m.thread,
            placements=self._placements(m) if live else [],
            flags=sorted(m.flags) if live else [],
            by="user",
        )

    def _label(self, box: Box) -> Iterator[e.MailboxEvent]:
        rng = self.random
        drawn = rng.random()
        if not box.labels or drawn < 0.4:
            label_id = self._id("label")
            yield self._named(box, e.LabelDefined, label_id)
            box.labels.append(label_id)
        elif drawn < 0.6:
            yield self._named(box, e.LabelRenamed, rng.choice(box.labels))
        elif drawn < 0.85:
            label_id = rng.choice(box.labels)
            box.labels.remove(label_id)
            for m in box.messages:
                m.labels.pop(label_id, None)
                m.before.discard(label_id)
            yield e.LabelDeleted(**self._head(box), label_id=label_id)
            if rng.random() < 0.3:
                # The same label made again is another: it holds none of the messages of the first.
                yield self._named(box, e.LabelDefined, label_id)
                box.labels.append(label_id)
        else:
            yield self._filter(box)

    def _filter(self, box: Box) -> e.MailboxEvent:
        head, filter_id = self._head(box), self._id("filter")
        # Of its own, so that a history does not depend on what its filters do.
        rng, nonce = random.Random(head["event_id"]), self.random.randbytes(12)
        if box.filters and rng.random() < 0.4:
            gone = box.filters.pop(rng.randrange(len(box.filters)))
            return e.FilterDefined(**head, filter_id=gone, deleted=True, sealed=b"")
        if box.filters and rng.random() < 0.3:
            filter_id = rng.choice(box.filters)
        else:
            box.filters.append(filter_id)
        secret = FilterSecret(query=f"from:{rng.choice(_WORDS)}")
        return e.FilterDefined(
            **head,
            filter_id=filter_id,
            labels=rng.sample([INBOX, *box.labels], (1 + len(box.labels)) // 2),
            star=True,
            read=rng.random() < 0.5,
            sealed=seal(secret, self.keys[box.mailbox_id], head["event_id"], lambda _: nonce),
        )

    def _named(
        self, box: Box, kind: type[e.LabelDefined] | type[e.LabelRenamed], label_id: str
    ) -> e.MailboxEvent:
        head = self._head(box)
        secret = LabelSecret(name=f"{self.random.choice(_WORDS)} {self._count}")
        sealed = seal(secret, self.keys[box.mailbox_id], head["event_id"], self.random.randbytes)
        return kind(**head, label_id=label_id, color="#00ff00", sealed=sealed)

    def _digest(self, message_id: str) -> Digest:
        rng = self.random
        name = rng.choice(_WORDS)
        return Digest(
            author=[Mailbox(name=f"{name} ann", address=f"{name}@example.test")],
            to=[Mailbox(name="", address="demo@example.test")],
            subject=" ".join(rng.choices(_WORDS, k=5)),
            date=_START,
            message_id_header=self.message_id_header or f"<{message_id}@example.test>",
            references=[f"<{rng.randrange(99)}@example.test>" for _ in range(rng.randrange(3))],
            snippet=" ".join(rng.choices(_WORDS, k=20)),
            parts=[
                PartSummary(
                    section=str(n), filename="a.pdf", content_type="application/pdf", size=9
                )
                for n in range(rng.choice((0, 0, 0, 1)))
            ],
            trace=b"Return-Path: <ann@example.test>\r\n" * 6,
        )

    def _placements(self, m: Shown) -> list[Placement]:
        return [Placement(label=x, uid=u) for x, u in m.labels.items()]

    def _head(self, box: Box) -> dict[str, Any]:
        box.seq += 1
        # Several events of one batch are recorded at the same time.
        box.recorded_at += self.random.choice((0, 0, 1000, 5_000_000))
        return {
            "event_id": self._id("event"),
            "mailbox_id": box.mailbox_id,
            "seq": box.seq,
            "occurred_at": box.recorded_at - 500,
            "recorded_at": box.recorded_at,
            "caused_by": self._id("command"),
            "actor": "user",
        }

    def _id(self, what: str) -> str:
        self._count += 1
        return identity.derived(what, str(self._count), self.random.randbytes(8))


def as_records(events: list[e.MailboxEvent], partitions: int = 1) -> list[Record]:
    """Return events as a log with that many partitions hands them out."""
    ends = [0] * partitions
    records: list[Record] = []
    for event in events:
        out = Output.of(event)
        p = partition_of(out.key, partitions)
        records.append(
            Record(
                out.topic,
                p,
                ends[p],
                out.key,
                out.type,
                out.event_id,
                event.recorded_at,
                out.value,
            )
        )
        ends[p] += 1
    return records
