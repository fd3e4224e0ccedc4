"""No record outgrows its bound, whatever a sender, an importer or a user puts into it.

All goes the way that it goes in the house: through the door, both stages, and back out of TRASH.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.rest.shapes import BatchModify, MoveTo
from infra.ports import Output, Record
from ingress.arrival import MAX_FORWARD_PATHS, Envelope, arrival, imported
from ingress.importer.marks import MAX_LABELS
from ingress.smtp.paths import MAX_PATH
from mail.authentication.dns import Answer, Question
from mail.authentication.resolution import Judged, authenticate_from
from mail.message import digest
from mail.query.language import MAX_QUERY
from schemas import commands as c
from schemas import identity
from schemas.codec import encode
from schemas.labels import SYSTEM_LABELS, TRASH
from schemas.parts import FilterSecret, LabelSecret
from schemas.seal import new_key, seal
from schemas.topics import MAX_RECORD, TOPICS
from streams.inbound import authenticate
from streams.inbound.digest import MAX_FIELD, MAX_LIST, to_record
from streams.inbound.stage import InboundStage
from streams.mailbox.definitions import LONGEST_NAME
from streams.mailbox.labelling import LONGEST_FLAG, MOST_FLAGS, MOST_LABELS
from tests.fakes import FINGERPRINT, FakeClock
from tests.model.stage_rig import StageRig

BOX = identity.derived("the fullest mailbox")
HEADS = 2048
"""Octets that Kafka's key and headers take beside a record."""

LISTS, TEXTS = 7, 4
SIGNATURE = b"DKIM-Signature: v=1; a=%s; d=%s; s=%s; h=from; bh=eA==; b=eA=="
BEYOND = 0x10000
"""The first character that takes four octets."""


# -- what a sender may send


def noise(random: Random, length: int, kind: str) -> bytes:
    """Text that no compression makes small."""
    match kind:
        case "plain":
            return bytes(random.choices(b"abcdefghijklmnopqrstuvwxyz0123456789", k=length))
        case "wide":
            return "".join(chr(BEYOND + random.randrange(0x10000)) for _ in range(length)).encode()
        case _:
            return bytes(random.choices(range(0x80, 0x100), k=length))


@st.composite
def mails(draw: st.DrawFn) -> bytes:
    """Mails with header fields of any number and size, and attachments of any number and name."""
    random = Random(draw(st.integers(0, 1 << 32)))
    kinds = st.sampled_from(("plain", "wide", "octets"))
    sizes = st.sampled_from(((1, 10), (3, 3000), (40, 800), (90, 90), (250, 250), (6000, 20)))

    def items(shape: bytes, between: bytes) -> bytes:
        count, length = draw(sizes)
        kind = draw(kinds)
        return between.join(shape.replace(b"%", noise(random, length, kind)) for _ in range(count))

    fields = [
        *(name + b": " + items(b'"%" <%@%>', b",\r\n ") for name in (b"From", b"To", b"Cc")),
        b"Reply-To: " + items(b"% <%@a.test>", b",\r\n "),
        b"Subject: " + items(b"%", b"\r\n "),
        b"Message-ID: <" + items(b"%", b"") + b"@a.test>",
        b"In-Reply-To: " + items(b"<%@a.test>", b"\r\n "),
        b"References: " + items(b"<%@a.test>", b"\r\n "),
        b"List-Id: <" + items(b"%", b".") + b">",
        b"DKIM-Signature: v=1; a=%s; d=%s; s=%s; h=from; bh=eA==; b=eA=="
        % ((items(b"%", b""),) * 3),
        b'Content-Type: multipart/mixed; boundary="b"',
    ]
    random.shuffle(fields)
    count, length = draw(sizes)
    name = noise(random, length, draw(kinds))
    part = b'--b\r\nContent-Type: text/x; name="' + name + b'"\r\n\r\n%d\r\n'
    body = b"".join(part % n for n in range(count)) if b"%" not in name else b""
    return b"\r\n".join(fields) + b"\r\n\r\n" + body + b"--b--\r\n"


def full_mail(random: Random) -> bytes:
    """A mail that fills its digest."""
    enough = range(MAX_LIST // MAX_FIELD * 3)

    def items(shape: bytes, between: bytes) -> bytes:
        return between.join(shape.replace(b"%", noise(random, 450, "wide")) for _ in enough)

    ids = b"\r\n ".join(b"<%s@a.test>" % noise(random, 900, "plain") for _ in enough)
    fields = [f + items(b'"%" <a@a.test>', b",\r\n ") for f in (b"From:", b"To:", b"Cc:")]
    fields += [b"Reply-To:" + items(b'"%" <a@a.test>', b",\r\n "), b"References: " + ids]
    fields += [b"Subject: " + noise(random, 600, "wide")]
    fields += [b'Content-Type: multipart/mixed; boundary="b"', b"", b""]
    parts = items(b'--b\r\nContent-Type: text/x; name="%"\r\n\r\nx\r\n', b"")
    return b"\r\n".join(fields) + parts + b"--b--\r\n"


class TalkativeDns(Mapping[Question, Answer]):
    """Answers every question, at length."""

    def __getitem__(self, asked: Question) -> Answer:
        text = Random(asked.name).randbytes(15_000)
        return Answer("noerror", (text,) if asked.rrtype in ("TXT", "SPF") else (), 60)

    def __iter__(self) -> Iterator[Question]:
        return iter(())

    def __len__(self) -> int:
        return 0


def judged(questions: Sequence[authenticate.Question]) -> Sequence[Judged]:
    return [authenticate_from(q.raw, q.envelope, TalkativeDns(), q.received_at) for q in questions]


# -- the way through the house


class House:
    """Door and stages; keeps the largest record of each type."""

    def __init__(self) -> None:
        self.rig = StageRig(Random(0), largest=500)
        self.largest: dict[str, int] = {}
        self._parts: dict[bytes, bytes] = {}
        self._seen = 0
        self._random = Random(0).randbytes
        self._inbound = InboundStage(
            self.rig.keys, self.rig.content, self, FINGERPRINT, judged, "mx.test"
        )

    def put(self, parts: Mapping[bytes, bytes]) -> None:
        self._parts.update(parts)

    def get(self, name: bytes) -> bytes:
        return self._parts[name]

    def receive(self, raw: bytes, envelope: Envelope, boxes: Sequence[str] = (BOX,)) -> None:
        """Take a mail in at the MX."""
        made = arrival(
            raw,
            envelope,
            boxes,
            key=new_key(),
            random=self._random,
            clock=FakeClock(),
            fingerprint=FINGERPRINT,
        )
        self._arrived(made.received, made.key, made.parts)

    def bring(self, raw: bytes, labels: Sequence[str]) -> str:
        """Import a mail and return its message_id."""
        made = imported(
            raw,
            BOX,
            raw_hmac=FINGERPRINT.raw(raw),
            internal_date=1,
            labels=labels,
            flags=("seen", "flagged", "answered", "draft"),
            key=new_key(),
            random=self._random,
            clock=FakeClock(),
            fingerprint=FINGERPRINT,
        )
        self._arrived(made.received, made.key, made.parts)
        return identity.message_id(BOX, made.mail_id)

    def _arrived(self, received: Output, key: bytes, parts: Mapping[bytes, bytes]) -> None:
        self.put(parts)
        self.rig.keys.put({received.key: key})
        record = Record(
            received.topic, 0, 0, received.key, received.type, received.event_id, 1, received.value
        )
        outputs = self._inbound.settle(self._inbound.plan([record]))
        self._weigh(received, *outputs)
        # What is delivered to the others is no larger.
        self.do(*[o for o in outputs if o.type == "Deliver"][:2])

    def command(self, kind: type[c.Command], **fields: Any) -> Output:
        """Return a command as the API makes it."""
        head = {"mailbox_id": BOX, "occurred_at": 1, "actor": "user"}
        command_id = identity.from_bytes(Random(repr((kind, fields))).randbytes(16))
        return Output.of(kind(**{**head, "command_id": command_id, **fields}))

    def do(self, *commands: Output) -> None:
        """Take commands through the mailbox stage."""
        self._weigh(*commands)
        self.rig.append(commands)
        self.rig.settle()
        new, self._seen = self.rig.recorded[self._seen :], len(self.rig.recorded)
        for r in new:
            self._weigh(Output(r.topic, r.key, r.type, r.event_id, r.value))

    def _weigh(self, *outputs: Output) -> None:
        for o in outputs:
            assert len(o.value) + HEADS <= MAX_RECORD, f"{o.type} of {len(o.value)} octets"
            self.largest[o.type] = max(self.largest.get(o.type, 0), len(o.value))


HOSTILE = settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))


@HOSTILE
@given(mails())
def test_the_digest_of_any_mail_is_bounded(raw: bytes) -> None:
    record = to_record(digest(raw))
    assert len(encode(record)) <= LISTS * (MAX_LIST + 2048) + TEXTS * MAX_FIELD + 100


@HOSTILE
@given(mails(), st.sampled_from((1, 2, MAX_FORWARD_PATHS)))
def test_records_of_any_mail_are_bounded(raw: bytes, recipients: int) -> None:
    random = Random(len(raw))
    path = noise(random, MAX_PATH - 8, "plain").decode() + "@a.test"
    envelope = Envelope(
        source="smtp",
        client_address="192.0.2.1",
        client_name="h" * 255,
        helo="h" * 2000,
        reverse_path=path,
        forward_paths=[f"{n:04}{path[4:]}" for n in range(recipients)],
        tls_version="TLSv1.3",
        tls_cipher="TLS_AES_256_GCM_SHA384",
    )
    house = House()
    boxes = [BOX, *(identity.derived("box", str(n)) for n in range(recipients - 1))]
    house.receive(raw, envelope, boxes)
    house.bring(raw, ["TRASH", *(identity.derived("label", str(n)) for n in range(MAX_LABELS))])


@pytest.mark.slow
def test_a_mail_of_very_many_large_parts_is_bounded() -> None:
    raw = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"".join(
        b"--b\r\n\r\n%06d" % n + b"x" * 66_000 + b"\r\n" for n in range(3000)
    )
    path = "p" * (MAX_PATH - 7) + "@a.test"
    House().receive(raw, Envelope(source="smtp", forward_paths=[path] * MAX_FORWARD_PATHS))


def test_records_of_the_fullest_mailbox_are_bounded() -> None:
    house = House()
    random = Random(7)
    key = house.rig.keys.ensure([BOX])[BOX]
    raw = full_mail(random)

    def sealed(kind: type[c.Command], secret: LabelSecret | FilterSecret, **fields: Any) -> Output:
        bare = house.command(kind, **fields, sealed=b"")
        box = seal(secret, key, bare.event_id)
        return house.command(kind, **fields, sealed=box, command_id=bare.event_id)

    house.do(house.command(c.OpenMailbox))
    message = house.bring(raw, ["INBOX"])
    labels = [identity.derived("label", str(n)) for n in range(MOST_LABELS)]
    names = [f"{n:04}" + "\U0001f4ec" * (LONGEST_NAME - 4) for n in range(MOST_LABELS)]
    defined = [
        sealed(c.DefineLabel, LabelSecret(name=name), label_id=label, color="#00ff00")
        for label, name in zip(labels, names, strict=True)
    ]
    house.do(*defined)
    flags = [f"{n:02}" + "\U0001f4ec" * (LONGEST_FLAG - 2) for n in range(MOST_FLAGS)]
    for n in range(0, MOST_LABELS, 100):
        some = labels[n : n + 100]
        house.do(house.command(c.ChangeLabels, message_ids=[message], add_labels=some))
    change = [house.command(c.ChangeLabels, message_ids=[message], add_flags=flags[:-4])]
    change += [
        house.command(c.ChangeLabels, message_ids=[message], **{way: [TRASH]})
        for way in ("add_labels", "remove_labels")
    ]
    house.do(*change)
    house.do(
        house.command(c.MoveToThread, message_ids=[message], thread_id=""),
        house.command(c.Teach, message_ids=[message], verdict="spam"),
        sealed(
            c.DefineFilter,
            FilterSecret(query="字" * MAX_QUERY),
            filter_id=identity.derived("filter"),
            labels=labels[:100],
            deleted=False,
        ),
        sealed(c.RenameLabel, LabelSecret(name="other"), label_id=labels[0], color=""),
    )
    house.do(house.command(c.Expunge, message_ids=[message], window=60))
    house.do(house.command(c.Restore, message_ids=[message]))
    house.do(house.command(c.DeleteLabel, label_id=labels[0]))
    for path in ("one@a.test", "one@a.test"):
        house.receive(b"Subject: again\r\n\r\nx\r\n", Envelope(source="smtp", reverse_path=path))
    house.do(house.command(c.Erase, message_ids=[message], by="user"))
    known = {kind.__name__ for topic in TOPICS.values() for kind in topic.records}
    assert house.largest.keys() == known
    # It is as full as it can be: nothing of this fell off on the way.
    assert house.largest["Restored"] > 0.6 * MAX_RECORD


def test_the_largest_request_is_a_bounded_command() -> None:
    many = ["\U0001f4ec" * 64] * 1000
    asked = msgspec.json.decode(
        msgspec.json.encode({"ids": many, "addLabelIds": many[:100], "removeLabelIds": many[:100]}),
        type=BatchModify,
    )
    house = House()
    house.do(
        house.command(
            c.ChangeLabels,
            message_ids=asked.ids,
            add_labels=asked.add_label_ids,
            remove_labels=asked.remove_label_ids,
        )
    )


@pytest.mark.parametrize(
    ("shape", "asked"),
    [
        (BatchModify, {"ids": ["x" * 65]}),
        (BatchModify, {"ids": ["x"], "addLabelIds": ["x" * 65]}),
        (BatchModify, {"ids": ["x"] * 1001}),
        (MoveTo, {"threadId": "x" * 65}),
    ],
)
def test_a_larger_request_is_refused(shape: type[msgspec.Struct], asked: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(asked), type=shape)


def test_every_system_label_is_short() -> None:
    assert all(len(label) < 36 for label in SYSTEM_LABELS)
