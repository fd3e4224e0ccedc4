"""What a message's labels are after a wish."""

from __future__ import annotations

import pytest

from streams.mailbox.labelling import at_delivery, conflict, relabelled

W, H = "work", "home"


def s(text: str) -> frozenset[str]:
    return frozenset(text.split())


@pytest.mark.parametrize(
    ("now", "remembered", "add", "remove", "then"),
    [
        ("INBOX ALL", "", "work", "", "INBOX ALL work"),
        ("INBOX ALL work", "", "", "work", "INBOX ALL"),
        ("INBOX ALL", "", "", "INBOX", "ALL"),
        ("ALL", "", "", "work", "ALL"),
        ("INBOX ALL", "", "TRASH", "", "TRASH"),
        ("INBOX ALL", "", "SPAM", "INBOX", "SPAM"),
        ("TRASH", "INBOX ALL work", "", "TRASH", "INBOX ALL work"),
        ("TRASH", "ALL", "", "TRASH", "ALL"),
        ("SPAM", "", "", "SPAM", "INBOX ALL"),
        ("SPAM", "INBOX ALL work", "", "SPAM INBOX", "ALL work"),
        ("TRASH", "INBOX ALL", "work", "TRASH", "work ALL"),
        ("TRASH", "INBOX ALL", "work", "", "work ALL"),
        ("TRASH", "INBOX ALL", "", "work", "TRASH"),
        ("SPAM", "INBOX ALL", "TRASH", "", "TRASH"),
        ("TRASH", "SPAM INBOX ALL", "", "TRASH", "SPAM"),
        ("TRASH", "INBOX ALL", "TRASH", "", "TRASH"),
    ],
)
def test_labels_after_a_wish(now: str, remembered: str, add: str, remove: str, then: str) -> None:
    assert relabelled(s(now), s(remembered), s(add), s(remove)) == s(then)


@pytest.mark.parametrize(
    ("add", "remove", "contradicts"),
    [
        ("work", "work", True),
        ("TRASH SPAM", "", True),
        ("TRASH work", "", True),
        ("work home", "INBOX", False),
        ("TRASH", "INBOX", False),
    ],
)
def test_a_wish_that_contradicts_itself_is_seen(add: str, remove: str, contradicts: bool) -> None:
    assert conflict(s(add), s(remove)) is contradicts


@pytest.mark.parametrize(
    ("source", "asked", "verdict", "disposition", "then"),
    [
        ("smtp", "", "ham", "none", "INBOX ALL"),
        ("smtp", "", "unknown", "unknown", "INBOX ALL"),
        ("smtp", "", "spam", "none", "SPAM"),
        ("smtp", "", "phishing", "none", "SPAM"),
        ("smtp", "", "ham", "quarantine", "SPAM"),
        ("smtp", "", "ham", "reject", "SPAM"),
        ("submission", "SENT", "unknown", "none", "SENT ALL"),
        ("import", "", "spam", "reject", "INBOX ALL"),
        ("import", "work", "unknown", "none", "work ALL"),
        ("import", "ALL", "unknown", "none", "ALL"),
        ("import", "SPAM work", "unknown", "none", "SPAM"),
        ("import", "TRASH SPAM", "unknown", "none", "TRASH"),
    ],
)
def test_labels_at_delivery(
    source: str, asked: str, verdict: str, disposition: str, then: str
) -> None:
    got = at_delivery(source, asked.split(), verdict, disposition)  # type: ignore[arg-type]
    assert got == s(then)
