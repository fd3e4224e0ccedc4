"""Trace fields of a message as it is shown."""

from __future__ import annotations

import msgspec
import pytest

from schemas.events import Received
from schemas.parts import ReceivedSecret
from streams.inbound.trace import compose

RECEIVED = Received(
    event_id="",
    mail_id="01890000-0000-7000-8000-000000000000",
    occurred_at=0,
    source="smtp",
    size=1,
    received_at=1_700_000_000_000_000,
    internal_date=0,
    mailboxes=[],
    raw_hmac=b"",
    reverse_path_hmac=b"",
    sealed=b"",
)
SECRET = ReceivedSecret(
    client_address="192.0.2.7",
    client_name="mx.a.test",
    helo="hello.a.test",
    reverse_path="ann@a.test",
    forward_paths=["me@example.test"],
    skeleton=b"",
)


def unfolded(received: Received = RECEIVED, secret: ReceivedSecret = SECRET) -> list[str]:
    text = compose("mx.example.test", received, secret, "").decode()
    return text.replace("\r\n\t", " ").split("\r\n")[:-1]


def test_who_sent_it_and_how_it_came() -> None:
    path, received = unfolded()
    assert path == "Return-Path: <ann@a.test>"
    assert received == (
        "Received: from hello.a.test (mx.a.test [192.0.2.7]) by mx.example.test with ESMTP"
        " id 01890000-0000-7000-8000-000000000000 for <me@example.test>;"
        " Tue, 14 Nov 2023 22:13:20 +0000"
    )


def test_the_null_reverse_path() -> None:
    assert unfolded(secret=msgspec.structs.replace(SECRET, reverse_path=""))[0] == "Return-Path: <>"


def test_recipients_do_not_learn_of_each_other() -> None:
    both = msgspec.structs.replace(SECRET, forward_paths=["me@example.test", "you@example.test"])
    assert "for <" not in unfolded(secret=both)[1]


@pytest.mark.parametrize(
    ("fields", "protocol"),
    [
        ({}, "ESMTP"),
        ({"tls_version": "TLSv1.3", "tls_cipher": "AES"}, "ESMTPS"),
        ({"source": "lmtp"}, "LMTP"),
        ({"source": "submission", "tls_version": "TLSv1.3"}, "ESMTPSA"),
        ({"smtputf8": True}, "UTF8SMTP"),
    ],
)
def test_the_protocol_is_named(fields: dict[str, object], protocol: str) -> None:
    received = unfolded(msgspec.structs.replace(RECEIVED, **fields))[1]
    assert f" with {protocol} " in received


def test_over_lmtp_the_server_in_front_tells_from_whom() -> None:
    received = unfolded(msgspec.structs.replace(RECEIVED, source="lmtp"))[1]
    assert received.startswith("Received: by mx.example.test with LMTP id ")


def test_results_stand_between_as_they_were_composed() -> None:
    text = compose("mx.example.test", RECEIVED, SECRET, "mx.example.test;\r\n spf=pass")
    assert b"\r\nAuthentication-Results: mx.example.test;\r\n spf=pass\r\nReceived: " in text


def test_a_client_can_not_write_a_field_of_its_own() -> None:
    bad = msgspec.structs.replace(SECRET, helo="x\r\nX-Evil: 1", client_name="y\r\nX-Evil: 2")
    assert not any(line.startswith("X-Evil") for line in unfolded(secret=bad))


def test_an_imported_mail_gets_no_trace_fields() -> None:
    kept = msgspec.structs.replace(RECEIVED, source="import")
    assert compose("mx.example.test", kept, SECRET, "mx.example.test; spf=pass") == b""
