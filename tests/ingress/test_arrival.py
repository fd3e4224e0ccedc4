from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.ports import Arrival
from ingress.arrival import Envelope, arrival, fingerprint_of, imported
from ingress.client import network_of, plain_address
from mail.segments import join
from schemas.codec import decode
from schemas.content import open_received, original
from schemas.events import Received
from schemas.identity import event_id, imported_mail_id, time_of
from schemas.topics import MAX_RECORD
from tests.fakes import FINGERPRINT, FakeClock, FakeRandom

KEY = b"k" * 32
BOX = "00000000-0000-7000-8000-00000000000a"


def received_of(made: Arrival) -> Received:
    record = decode(made.received.type, made.received.value)
    assert isinstance(record, Received)
    return record


def arrive(
    raw: bytes, envelope: Envelope | None = None, boxes: tuple[str, ...] = (BOX,)
) -> Arrival:
    return arrival(
        raw,
        envelope or Envelope(source="smtp"),
        boxes,
        key=KEY,
        random=FakeRandom(),
        clock=FakeClock(),
        fingerprint=FINGERPRINT,
    )


def bring(raw: bytes) -> Arrival:
    return imported(
        raw,
        BOX,
        raw_hmac=fingerprint_of(raw, FINGERPRINT),
        internal_date=5,
        labels=("TRASH",),
        flags=("seen",),
        key=KEY,
        random=FakeRandom(),
        clock=FakeClock(),
        fingerprint=FINGERPRINT,
    )


def back(made: Arrival) -> bytes:
    secret = open_received(received_of(made), made.key)
    return original(secret, made.parts.__getitem__, FINGERPRINT, join)


def with_attachment(content: bytes) -> bytes:
    coded = base64.encodebytes(content).replace(b"\n", b"\r\n")
    return (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n'
        b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + coded
        + b"--b--\r\n"
    )


@given(st.binary(max_size=300))
def test_any_bytes_come_back(raw: bytes) -> None:
    assert back(arrive(raw)) == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"x" * 5_000_000,
        b"Subject: x\r\n" * 60_000,
        with_attachment(b"%PDF" * 40_000),
        b"Subject: x\r\n\r\n" + bytes(range(256)) * 900,
    ],
    ids=["empty", "one line", "all header", "attachment", "8-bit text"],
)
def test_large_messages_come_back_and_keep_the_record_small(raw: bytes) -> None:
    made = arrive(raw)
    assert back(made) == raw
    assert len(made.received.value) < MAX_RECORD
    refs = received_of(made).parts
    assert {r.name: r.size for r in refs} == {n: len(d) for n, d in made.parts.items()}


def test_an_attachment_is_stored_once_and_decoded_under_a_keyed_name() -> None:
    content = b"%PDF" * 40_000
    first, second = arrive(with_attachment(content)), arrive(b"X: y\r\n" + with_attachment(content))
    assert list(first.parts.values()) == [content]
    assert first.parts == second.parts


def test_a_large_skeleton_goes_to_the_parts_store_whole() -> None:
    small = b"--b\r\n\r\n" + b"many small parts make a large skeleton\r\n" * 20
    made = arrive(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + small * 300)
    secret = open_received(received_of(made), KEY)
    assert secret.skeleton == b""
    assert list(made.parts) == [secret.skeleton_part]


@settings(max_examples=5, deadline=None)
@given(st.integers(900, 1000), st.integers(120 * 1024, 128 * 1024))
def test_the_largest_envelope_keeps_the_record_below_its_bound(paths: int, size: int) -> None:
    noise = FakeRandom(7)(size)
    path = "é" * 100 + "@example.test".rjust(54, "x")
    envelope = Envelope(source="smtp", helo="h" * 255, forward_paths=[path] * paths)
    boxes = tuple(f"00000000-0000-7000-8000-{i:012d}" for i in range(paths))
    assert len(arrive(noise, envelope, boxes).received.value) < MAX_RECORD


def test_more_recipients_than_fit_are_an_error() -> None:
    with pytest.raises(ValueError, match="too many"):
        arrive(b"", Envelope(source="smtp", forward_paths=["a@b.test"] * 1001))


def test_the_event_says_what_is_known_and_seals_what_is_personal() -> None:
    envelope = Envelope(
        source="smtp",
        client_address="2001:db8:1:2::3",
        client_name="canary-name",
        helo="canary-helo",
        reverse_path="canary-local@Sender.TEST",
        forward_paths=["canary-rcpt@example.test"],
        smtputf8=True,
        tls_version="TLSv1.3",
        tls_cipher="TLS_AES_256_GCM_SHA384",
    )
    made = arrive(b"Subject: canary-subject\r\n\r\n", envelope, (BOX, BOX))
    received = received_of(made)
    assert b"canary" not in made.received.value
    assert received.mailboxes == [BOX]
    assert received.sender_domain == "sender.test"
    assert received.client_network == "2001:db8:1::/48"
    assert received.event_id == event_id(made.mail_id, "received")
    assert received.received_at == received.internal_date == received.occurred_at
    assert time_of(made.mail_id) == received.received_at // 1000 * 1000
    secret = open_received(received, KEY)
    assert secret.client_address == "2001:db8:1:2::3"
    assert secret.reverse_path == "canary-local@Sender.TEST"
    assert secret.forward_paths == ["canary-rcpt@example.test"]


def test_the_same_bytes_imported_twice_are_the_same_mail() -> None:
    raw = b"Subject: x\r\n\r\ntext\r\n"
    first, second = bring(raw), bring(raw)
    assert first.mail_id == second.mail_id
    assert first.mail_id == imported_mail_id(BOX, fingerprint_of(raw, FINGERPRINT))
    assert bring(raw + b"x").mail_id != first.mail_id
    received = received_of(first)
    assert (received.source, received.internal_date) == ("import", 5)
    assert (received.labels, received.flags) == (["TRASH"], ["seen"])


@pytest.mark.parametrize(
    ("address", "plain", "network"),
    [
        ("192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::1", "fe80::/48"),
        ("", "", ""),
        ("not an address", "", ""),
    ],
)
def test_client_addresses(address: str, plain: str, network: str) -> None:
    assert plain_address(address) == plain
    assert network_of(address) == network


def test_a_mail_of_very_many_large_parts_names_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingress.arrival.MAX_PARTS", 4)
    raw = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"".join(
        b"--b\r\n\r\n%d" % n + b"x" * size + b"\r\n"
        for n, size in enumerate((66_000, 70_000, 100_000, 140_000, 150_000, 160_000))
    )
    made = arrive(raw)
    assert len(received_of(made).parts) <= 4
    assert back(made) == raw
