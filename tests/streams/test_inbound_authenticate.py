"""Whatever a message says of itself, its verdict can be written down."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.parts.files import FileParts
from infra.sqlite.connection import LOG
from infra.sqlite.content import InLog, SqliteContent
from infra.sqlite.file import SqliteFile
from infra.sqlite.keys import SqliteKeys
from infra.sqlite.log import SqliteLog
from infra.sqlite.references import SqliteReferences
from infra.sqlite.wake import SocketWake
from ingress.arrival import Envelope as Door
from ingress.arrival import arrival
from mail.authentication.evaluate import Envelope
from mail.authentication.resolution import Judged, authenticate_from
from schemas.codec import decode_as, encode
from schemas.events import Authenticated, Received
from schemas.fingerprint import Fingerprint
from schemas.identity import derived
from schemas.seal import new_key
from schemas.topics import MAIL_RECEIVED, MAX_RECORD
from streams.inbound import authenticate
from streams.inbound.stage import InboundStage

KEY = bytes(range(32))
SIGNATURE = b"DKIM-Signature: v=1; a=%s; d=%s; s=%s; h=from; bh=eA==; b=eA==; i=%s\r\n"
SEAL = (
    b"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=%s; s=s; b=eA==\r\n"
    b"ARC-Message-Signature: i=1; a=rsa-sha256; d=%s; s=s; h=from; bh=eA==; b=eA==\r\n"
    b"ARC-Authentication-Results: i=1; %s\r\n"
)
HOSTILE = {
    "octets that are no UTF-8": b"\xaa\xff.example",
    "half of a character": b"\xc3.example",
    "a surrogate": b"\xed\xa0\x80.example",
    "far too long": b"x" * 700_000,
}


def received() -> Received:
    mail_id = derived("mail", "hostile")
    return Received(
        event_id=derived("event", mail_id),
        mail_id=mail_id,
        occurred_at=1,
        source="smtp",
        size=1,
        received_at=1,
        internal_date=1,
        mailboxes=[],
        raw_hmac=b"",
        reverse_path_hmac=b"",
        sealed=b"",
    )


def written(raw: bytes, envelope: Envelope) -> Authenticated:
    judged = authenticate_from(raw, envelope, {}, datetime(2026, 1, 1, tzinfo=UTC))
    value = encode(authenticate.event(received(), judged, KEY, os.urandom))
    assert len(value) < MAX_RECORD
    return decode_as(Authenticated, value)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_in_signatures_and_seals_are_written(hostile: bytes) -> None:
    tags = [[hostile if i == n else b"b.example" for i in range(4)] for n in range(4)]
    signatures = [SIGNATURE % tuple(each) for each in tags]
    raw = b"".join(signatures) + SEAL % ((hostile,) * 3) + b"From: a@" + hostile + b"\r\n\r\nx\r\n"
    event = written(raw, Envelope("192.0.2.1", "h.example", "a@b.example", "mx.test"))
    assert len(event.dkim) == 4
    assert event.dmarc.disposition == "none"


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_in_the_envelope_are_written(hostile: bytes) -> None:
    name = hostile.decode("utf-8", "surrogateescape")
    envelope = Envelope("192.0.2.1", name, f"{name}@{name}", "mx.test")
    assert written(b"From: a@b.example\r\n\r\nx\r\n", envelope).spf.result != "pass"


@dataclass
class Bench:
    stage: InboundStage
    log: SqliteLog
    keys: SqliteKeys


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    file = SqliteFile(tmp_path / "log.db", LOG)
    log = SqliteLog(file, lambda: 5, SocketWake(tmp_path / "run"))
    keys = SqliteKeys(tmp_path / "keys.db")
    stage = InboundStage(
        keys,
        SqliteContent(InLog(log)),
        FileParts(tmp_path / "parts", SqliteReferences(file)),
        Fingerprint(keys.secret()),
        fails_on_poison,
        "mx.test",
    )
    yield Bench(stage, log, keys)
    keys.close()
    file.close()


def fails_on_poison(questions: Sequence[authenticate.Question]) -> Sequence[Judged]:
    if any(b"poison" in q.raw for q in questions):
        raise RuntimeError("a defect")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return [authenticate_from(q.raw, q.envelope, {}, now) for q in questions]


def test_a_mail_that_can_not_be_judged_is_delivered_and_says_so(bench: Bench) -> None:
    for n, word in enumerate(("one", "poison", "three")):
        key = new_key(os.urandom)
        new = arrival(
            f"From: a@b.example\r\nSubject: {word}\r\n\r\nx\r\n".encode(),
            Door(source="smtp", client_address="192.0.2.1", reverse_path="a@b.example"),
            [derived("mailbox", "ann")],
            key=key,
            random=os.urandom,
            clock=lambda n=n: 1_700_000_000_000_000 + n,
            fingerprint=Fingerprint(bench.keys.secret()),
        )
        bench.keys.put({new.mail_id: key})
        bench.log.append([new.received])
    records = bench.log.reader(MAIL_RECEIVED, {}).poll(10, 0)
    outputs = bench.stage.settle(bench.stage.plan(records))
    found = [decode_as(Authenticated, o.value) for o in outputs if o.type == "Authenticated"]
    assert [a.spf.reason == "internal:RuntimeError" for a in found] == [False, True, False]
    assert [a.dmarc.disposition for a in found] == ["none"] * 3
    assert [o.type for o in outputs].count("Deliver") == 3
