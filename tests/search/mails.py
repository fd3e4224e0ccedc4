"""Mails with their content, and histories of mailboxes that such mails come into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.ports import Content, PartMissing, Record
from ingress.arrival import fingerprint_of, imported
from mail.message import digest
from schemas import mailbox_events as e
from schemas.identity import derived, message_id
from schemas.labels import SEEN
from schemas.parts import Digest, LabelSecret, Placement
from schemas.seal import seal
from schemas.topics import MAIL_RECEIVED
from streams.inbound.digest import to_record
from streams.mailbox.delivery import attachment_count
from tests.fakes import FINGERPRINT, FakeClock, FakeKeys, FakeRandom
from tests.histories import Box, Histories, as_records

START = 1_700_000_000_000_000
HOUR = 3_600_000_000


class Stores:
    """Content, keys and parts of mails."""

    def __init__(self) -> None:
        self.keys = FakeKeys()
        self.contents: dict[str, Content] = {}
        self.parts: dict[bytes, bytes] = {}
        self._clock, self._random = FakeClock(), FakeRandom(7)

    def put(self, mail_id: str, parts: Mapping[bytes, bytes]) -> None:
        self.parts.update(parts)

    def get(self, name: bytes) -> bytes:
        if name not in self.parts:
            raise PartMissing(name.hex())
        return self.parts[name]

    def keep(self, raw: bytes, name: str) -> str:
        """Store a mail as a door and the inbound stage do; return its mail_id."""
        hashed = fingerprint_of(raw, FINGERPRINT)
        arrived = imported(
            raw,
            derived("mailbox", name),
            raw_hmac=hashed,
            internal_date=START,
            labels=(),
            flags=(),
            key=(key := self._random(32)),
            random=self._random,
            clock=self._clock,
            fingerprint=FINGERPRINT,
        )
        out = arrived.received
        record = Record(MAIL_RECEIVED, 0, 0, out.key, out.type, out.event_id, 0, out.value)
        self.contents[arrived.mail_id] = Content(record, b"", b"", b"")
        self.keys.keys[arrived.mail_id] = key
        self.parts.update(arrived.parts)
        return arrived.mail_id


class ContentOf:
    """The content store of Stores."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def put(self, contents: Mapping[str, Content]) -> Mapping[str, Content]:
        return contents

    def get(self, mail_ids: Sequence[str]) -> Mapping[str, Content]:
        return {m: self._stores.contents[m] for m in mail_ids if m in self._stores.contents}


class MailHistories(Histories):
    """Histories whose messages have a content, drawn from `pool`."""

    def __init__(self, seed: int, pool: Sequence[bytes], mailboxes: int = 2, **more: Any) -> None:
        super().__init__(seed, mailboxes, **more)
        self.stores = Stores()
        self.stores.keys.keys = self.keys
        self.raws: dict[str, bytes] = {}
        """message_id to the mail as it came."""
        self._pool = pool

    def _id(self, what: str) -> str:
        if what != "mail":
            return super()._id(what)
        self._drawn = self.random.choice(self._pool)
        return self.stores.keep(self._drawn, super()._id(what))

    def _digest(self, message_id: str) -> Digest:
        raw = self.raws.setdefault(message_id, self._drawn)
        return to_record(digest(raw))

    def deliver(self, box: Box, *, date: int | None = None) -> Iterator[e.MailboxEvent]:
        events = list(super().deliver(box, date=date))
        # A mail that comes again after its erasure has a content and a key again.
        for event in events:
            if isinstance(event, e.Delivered):
                self.keys.setdefault(event.mail_id, b"\1" * 32)
        return iter(events)


class Letterbox:
    """One mailbox into which mails are put one by one."""

    def __init__(self, name: str = "box", stores: Stores | None = None) -> None:
        self.stores = Stores() if stores is None else stores
        self.mailbox_id = derived("mailbox", name)
        self.events: list[e.MailboxEvent] = []
        self.stores.keys.ensure([self.mailbox_id])
        self._random = FakeRandom(11)
        self.add(e.MailboxOpened)

    def add(self, kind: type[e.MailboxEvent], **fields: Any) -> e.MailboxEvent:
        """Have an event happen."""
        seq = len(self.events) + 1
        event = kind(
            event_id=derived("event", self.mailbox_id, str(seq)),
            mailbox_id=self.mailbox_id,
            seq=seq,
            occurred_at=START + seq,
            recorded_at=START + seq,
            caused_by=derived("cause", str(seq)),
            **fields,
        )
        self.events.append(event)
        return event

    def deliver(
        self,
        raw: bytes,
        *,
        date: int | None = None,
        labels: Sequence[str] = ("INBOX", "ALL"),
        flags: Sequence[str] = (),
        size: int | None = None,
    ) -> str:
        """Have a mail delivered; return its message_id."""
        mail_id = self.stores.keep(raw, f"{self.mailbox_id} {len(self.events)}")
        identity = message_id(self.mailbox_id, mail_id)
        read = to_record(digest(raw))
        key = self.stores.keys.ensure([identity])[identity]
        seq = len(self.events) + 1
        event_id = derived("event", self.mailbox_id, str(seq))
        self.add(
            e.Delivered,
            message_id=identity,
            mail_id=mail_id,
            thread_id=derived("thread", identity),
            placements=[Placement(label=x, uid=seq) for x in labels],
            flags=list(flags),
            size=len(raw) if size is None else size,
            received_at=START,
            internal_date=START + seq * HOUR if date is None else date,
            attachment_count=attachment_count(read),
            raw_hmac=b"",
            reverse_path_hmac=b"",
            sealed=seal(read, key, event_id, self._random),
        )
        return identity

    def change(
        self,
        message_id: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        flags: Sequence[str] = (),
        unflag: Sequence[str] = (),
    ) -> None:
        """Have labels and flags of a message changed."""
        self.add(
            e.Labelled,
            message_id=message_id,
            mail_id=self._mail(message_id),
            labels_added=list(add),
            labels_removed=[Placement(label=x, uid=1) for x in remove],
            flags_added=list(flags),
            flags_removed=list(unflag),
            unread_changed=(SEEN in unflag) - (SEEN in flags),
            by="user",
        )

    def erase(self, message_id: str) -> None:
        """Have a message erased, its keys included."""
        mail_id = self._mail(message_id)
        self.add(e.Erased, message_id=message_id, mail_id=mail_id, thread_id="", by="user")
        self.stores.keys.destroy([message_id, mail_id])

    def label(self, name: str) -> str:
        """Have a label made; return its identifier."""
        seq = len(self.events) + 1
        event_id = derived("event", self.mailbox_id, str(seq))
        key = self.stores.keys.keys[self.mailbox_id]
        label_id = derived("label", name, str(seq))
        sealed = seal(LabelSecret(name=name), key, event_id, self._random)
        self.add(e.LabelDefined, label_id=label_id, sealed=sealed)
        return label_id

    def records(self) -> list[Record]:
        """Return all events as a log hands them out."""
        return as_records(self.events)

    def _mail(self, message_id: str) -> str:
        return next(
            x.mail_id
            for x in self.events
            if isinstance(x, e.Delivered) and x.message_id == message_id
        )


def mail(
    text: str = "",
    *,
    subject: str = "",
    author: str = "Ann <ann@example.test>",
    to: str = "demo@example.test",
    **fields: str,
) -> bytes:
    """Return a mail of UTF-8 text."""
    header = {"From": author, "To": to, "Subject": subject, **fields}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in header.items()]
    lines += ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"]
    return ("\r\n".join(lines) + "\r\n\r\n" + text.replace("\n", "\r\n")).encode()
