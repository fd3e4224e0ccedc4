"""Reports of mail that could not be delivered."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.dsn import MAX_HEADER, Report, compose, permanent

ARRIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TRIED = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HEADER = b"From: Ann <ann@sender.test>\r\nSubject: hello\r\nMessage-ID: <1@sender.test>\r\n\r\n"


def report(**given: object) -> Report:
    fields: dict[str, object] = {
        "sender": "ann@sender.test",
        "recipient": "team@example.test",
        "status": "5.1.1",
        "code": 550,
        "arrived": ARRIVED,
        "attempted": TRIED,
        "header": HEADER,
        **given,
    }
    return Report(**fields)  # type: ignore[arg-type]


def composed(**given: object) -> tuple[bytes, EmailMessage, list[EmailMessage]]:
    raw = compose(report(**given), "mx.example.test", "example.test", "an-id", TRIED)
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return raw, parsed, [cast("EmailMessage", p) for p in parsed.iter_parts()]


def test_it_is_a_report_of_three_parts() -> None:
    _, parsed, parts = composed()
    assert parsed.get_content_type() == "multipart/report"
    assert parsed.get_param("report-type") == "delivery-status"
    assert [p.get_content_type() for p in parts] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    assert parsed["To"] == "ann@sender.test"
    assert parsed["Auto-Submitted"] == "auto-replied"
    assert not parsed.defects


def test_it_says_of_the_message_and_of_the_recipient_what_is_asked_for() -> None:
    _, _, (_, status, _) = composed()
    message, recipient = cast("list[EmailMessage]", status.get_payload())
    assert dict(message.items()) == {
        "Reporting-MTA": "dns; mx.example.test",
        "Arrival-Date": "Sun, 01 Mar 2026 12:00:00 +0000",
    }
    assert dict(recipient.items()) == {
        "Final-Recipient": "rfc822; team@example.test",
        "Action": "failed",
        "Status": "5.1.1",
        "Diagnostic-Code": "smtp; 550 5.1.1",
        "Last-Attempt-Date": "Mon, 02 Mar 2026 12:00:00 +0000",
    }


def test_where_no_host_spoke_none_is_quoted() -> None:
    raw, _, _ = composed(code=0, status="5.4.7")
    assert b"Diagnostic-Code" not in raw


def test_a_recipient_beyond_ascii_is_written_in_ascii() -> None:
    raw, _, _ = composed(recipient="jörg@example.test")
    assert rb"utf-8; j\x{F6}rg@example.test" in raw


def test_a_header_that_is_too_long_is_cut_at_a_line() -> None:
    field = b"X-Long: " + b"x" * 900 + b"\r\n"
    raw, _, parts = composed(header=HEADER[:-2] + field * 100)
    assert len(raw) < MAX_HEADER + 4_000
    assert "hello" in parts[2].get_payload()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("enhanced", "status"),
    [("5.1.1", "5.1.1"), ("4.2.2", "5.2.2"), ("", "5.0.0"), ("nonsense", "5.0.0")],
)
def test_a_report_is_of_class_5(enhanced: str, status: str) -> None:
    assert permanent(enhanced) == status


@given(
    st.binary(max_size=300) | st.just(HEADER),
    st.text(max_size=60),
    st.text(max_size=60),
    st.integers(0, 599),
)
def test_whatever_came_a_report_is_plain_ascii_of_whole_lines(
    header: bytes, sender: str, recipient: str, code: int
) -> None:
    raw, parsed, parts = composed(header=header, sender=sender, recipient=recipient, code=code)
    assert raw.isascii()
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert len(parts) == 3
    assert str(parsed["Subject"]) == "Undelivered mail returned to sender"
    assert "Bcc" not in parsed
