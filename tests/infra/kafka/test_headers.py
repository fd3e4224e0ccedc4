from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.kafka.headers import header, headers_of, microseconds, timestamp
from infra.ports import Output
from schemas import commands
from schemas.identity import derived
from schemas.topics import MAIL_SCORED
from tests.histories import Histories

MAILBOX = derived("mailbox")
COMMAND = derived("command")


def output() -> Output:
    return Output.of(
        commands.OpenMailbox(
            command_id=COMMAND, mailbox_id=MAILBOX, occurred_at=1_700_000_000_000_001, actor="a"
        )
    )


def test_a_record_carries_the_attributes_of_a_cloud_event() -> None:
    headers = headers_of(output(), 1_700_000_001_000_002)
    assert headers[:-1] == [
        ("ce_specversion", b"1.0"),
        ("ce_id", COMMAND.encode()),
        ("ce_type", b"mailfold.OpenMailbox"),
        ("ce_source", b"/mailfold/mailbox.commands"),
        ("ce_time", b"2023-11-14T22:13:20.000001Z"),
        ("ce_recordedtime", b"2023-11-14T22:13:21.000002Z"),
        ("content-type", b"application/avro"),
    ]


def test_the_trace_of_a_command_without_a_mail_is_its_own() -> None:
    octets = COMMAND.replace("-", "")
    assert header(headers_of(output(), 0), "traceparent") == f"00-{octets}-{octets[:16]}-01"


def test_the_trace_of_a_record_keyed_by_mail_is_the_mail() -> None:
    mail, event = derived("mail"), derived("event")
    scored = Output(MAIL_SCORED, mail, "Scored", event, b"not readable")
    trace = header(headers_of(scored, 0), "traceparent")
    assert trace == f"00-{mail.replace('-', '')}-{event.replace('-', '')[:16]}-01"


def test_a_record_with_other_identifiers_has_no_trace() -> None:
    assert (
        header(headers_of(Output(MAIL_SCORED, "k", "Scored", "e", b""), 0), "traceparent") is None
    )


def test_what_an_output_tells_is_what_its_value_says() -> None:
    for event in Histories(seed=1).events(200):
        made = Output.of(event)
        silent = dataclasses.replace(made, told=None)
        causes = {event.caused_by: "t/0/1"}
        assert headers_of(made, 5, causes) == headers_of(silent, 5, causes)


def test_what_an_output_tells_needs_no_value() -> None:
    made = dataclasses.replace(output(), value=b"not readable")
    assert headers_of(made, 5) == headers_of(output(), 5)


@given(st.integers(0, 4_000_000_000_000_000))
def test_a_time_is_undone(time: int) -> None:
    assert microseconds(timestamp(time)) == time


@pytest.mark.parametrize("text", ["", "yesterday", "2023-11-14T22:13:20", "9" * 100])
def test_other_text_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        microseconds(text)


def test_a_header_that_is_no_text_is_as_absent() -> None:
    assert header([("a", b"\xff")], "a") is None
    assert header([("a", None)], "a") is None
    assert header(None, "a") is None
