"""What a query says of one message, leaf by leaf."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mail.query.document import BREAK, Document
from mail.query.language import parse
from mail.query.match import Facts, in_labels, matches, reads_content, reads_lists

DAY = 86_400_000_000
NOW = 20_000 * DAY

FACTS = Facts(
    Document(
        (
            f"ann lee {BREAK} ann example test",
            "demo example test",
            "",
            "plan for 会議 議室 室",
            "see you at noon",
            "minutes pdf",
            "dev example org",
        ),
        "m1@example.test",
    ),
    in_labels(["INBOX", "ALL", "x1"], {"INBOX": "INBOX", "ALL": "ALL", "x1": "Zoë & Co"}),
    is_read=False,
    is_starred=True,
    has_attachment=True,
    size=1000,
    internal_date=NOW - 3 * DAY,
    now=NOW,
)


@pytest.mark.parametrize(
    "query",
    [
        "ann",
        "from:ann@example.test",
        'from:"ann lee"',
        "FROM:ANN",
        "subject:会議室",
        "subject:会",
        "pla* noo*",
        "body:noon filename:minutes.pdf list:dev",
        "plan OR nothing",
        "-nothing",
        "in:inbox label:x1 label:zoe-co in:anywhere",
        "is:unread is:starred has:attachment",
        "larger:999 smaller:1001",
        "older_than:2d newer_than:3d",
        "after:2024/10/01 before:2024/10/02",
        "rfc822msgid:<m1@example.test>",
    ],
)
def test_a_query_that_matches(query: str) -> None:
    assert matches(parse(query), FACTS)
    assert not matches(parse(f"-({query})"), FACTS)


@pytest.mark.parametrize(
    "query",
    [
        "an",
        "to:ann",
        'from:"lee ann"',
        "subject:議会",
        "example.com",
        '"noon minutes"',
        "in:spam",
        "label:other",
        "is:read",
        "larger:1000",
        "smaller:1000",
        "older_than:3d",
        "newer_than:2d",
        "rfc822msgid:m1",
    ],
)
def test_a_query_that_does_not_match(query: str) -> None:
    assert not matches(parse(query), FACTS)


def test_a_message_without_attachments_that_was_read_is_told_apart() -> None:
    other = replace(FACTS, is_read=True, is_starred=False, has_attachment=False)
    assert matches(parse("is:read -is:starred -has:attachment"), other)


@pytest.mark.parametrize(
    ("query", "content", "lists"),
    [
        ("from:ann subject:plan is:unread", False, False),
        ("to:ann", False, True),
        ("-filename:pdf", False, True),
        ("ann", True, True),
        ("from:ann OR -body:x", True, False),
    ],
)
def test_what_a_query_looks_into(query: str, content: bool, lists: bool) -> None:
    assert (reads_content(parse(query)), reads_lists(parse(query))) == (content, lists)
