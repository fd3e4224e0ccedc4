"""Mail to an alias of another domain, from the door to the host that takes it."""

from __future__ import annotations

import email
import email.policy
import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, cast

import dkim
import pytest

from mail.authentication.arc import check_arc
from mail.authentication.arc_seal import recorded_outcome, seal
from mail.authentication.dkim import DkimPolicy
from mail.authentication.dns import Question, texts
from mail.authentication.message import Message
from mail.authentication.taglist import parse_tag_list
from tests.authentication.kit import key_for, signed
from tests.outbound.installation import (
    ALIAS,
    SENDER,
    THERE,
    Installation,
    installation,
    mail_id_of,
)
from tests.sink import Delivered, Sink
from tests.system import mail, wait_until

GONE = "away@example.test"
PRIVATE = "private.address@elsewhere.test"
_serial = itertools.count()

REFUSED: dict[str, str] = {}
"""Replies of the other host at RCPT, by address."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    sink = Sink(at_rcpt=lambda address: REFUSED.get(address, ""))
    folder = tmp_path_factory.mktemp("forwarding")
    with installation(folder, accounts=["ann"], sink=sink, MAILFOLD_QUEUE_LIFETIME="600") as made:
        made.forward("ann@example.test", THERE)
        made.forward(THERE, alias=GONE)
        made.forward(PRIVATE, alias="private@example.test")
        made.publish_keys()
        made.system.start()
        yield made


Send = Callable[..., tuple[str, Delivered]]


@pytest.fixture
def send(house: Installation) -> Send:
    """Send a mail and wait until the other host has it; return its mail_id and what arrived."""

    def sent(raw: bytes, to: str = ALIAS, sender: str = SENDER) -> tuple[str, Delivered]:
        before = len(house.sink.delivered)
        mail_id = mail_id_of(house.system.send(raw, [to], sender))
        house.until_taken(before + 1)
        return mail_id, house.sink.delivered[before]

    return sent


def fresh(subject: str = "hello", **headers: str) -> bytes:
    return mail(f"{subject} {next(_serial)}", **headers)


def chain_of(house: Installation, raw: bytes) -> tuple[str, int]:
    """Return the status of a message's ARC chain and its highest instance."""
    found = check_arc(Message(raw), house.dns.zone, policy=DkimPolicy())
    return found.result, found.highest


def dkimpy_says(house: Installation, raw: bytes) -> bytes | None:
    def dns(name: bytes, timeout: int = 5) -> bytes:
        found = texts(house.dns.zone[Question(name.decode().rstrip("."), "TXT")])
        return found[0] if found else b""

    return cast("bytes | None", dkim.arc_verify(raw, dnsfunc=dns)[0])


def seal_tags(raw: bytes) -> dict[str, str]:
    """The tags of the newest seal."""
    field = Message(raw).named(b"arc-seal")
    newest = field[0] if b"arc-seal" in raw[:20].lower() else field[-1]
    return {name: tag.text for name, tag in parse_tag_list(newest.value).items()}


def test_an_alias_reaches_an_account_and_another_host(house: Installation, send: Send) -> None:
    raw = fresh()
    mail_id, arrived = send(raw)
    assert arrived.recipients == [THERE]
    assert arrived.content.endswith(raw)
    with house.system.api("ann@example.test") as api:
        told = wait_until(lambda: api.get("/mailboxes/me/messages").json()["messages"])
    assert told
    house.until_outcomes(mail_id, "delivered")
    steps = house.system.run("trace", mail_id).stdout
    for stage in ("Submitted", "Delivered", "Attempted", "delivered 250"):
        assert stage in steps


def test_the_chain_is_valid_to_us_and_to_another_library(house: Installation, send: Send) -> None:
    _, arrived = send(fresh(), GONE)
    assert chain_of(house, arrived.content) == ("pass", 1)
    assert dkimpy_says(house, arrived.content) == b"pass"
    tags = seal_tags(arrived.content)
    assert (tags["i"], tags["cv"], tags["d"]) == ("1", "none", "example.test")
    assert b"spf=pass smtp.mailfrom=sender.example" in arrived.content


def test_a_chain_that_came_is_gone_on_with(house: Installation, send: Send) -> None:
    raw = fresh(Message_ID="<chain@sender.example>")
    first = recorded_outcome(raw, "none", "", ())
    now = datetime.now(UTC)
    raw = seal(raw, "sender.example; none", first, key_for("sender.example"), now) + raw
    _, arrived = send(raw, GONE)
    assert chain_of(house, arrived.content) == ("pass", 2)
    assert dkimpy_says(house, arrived.content) == b"pass"
    assert seal_tags(arrived.content)["cv"] == "pass"


def test_a_broken_chain_is_sealed_as_broken(house: Installation, send: Send) -> None:
    raw = fresh(Message_ID="<broken@sender.example>")
    first = recorded_outcome(raw, "none", "", ())
    now = datetime.now(UTC)
    whole = seal(raw, "sender.example; none", first, key_for("sender.example"), now) + raw
    _, arrived = send(whole.replace(b"It works.", b"It broke."), GONE)
    tags = seal_tags(arrived.content)
    assert (tags["i"], tags["cv"]) == ("2", "fail")
    assert chain_of(house, arrived.content)[0] == "fail"


def test_a_signature_of_the_author_survives(house: Installation, send: Send) -> None:
    _, arrived = send(signed(fresh(), "sender.example"), GONE)
    found = [line for line in arrived.content.split(b"\r\n") if line.startswith(b"DKIM-Signature")]
    assert len(found) == 1, "nothing is signed in the author's place"

    def dns(name: bytes, timeout: int = 5) -> bytes:
        return texts(house.dns.zone[Question(name.decode().rstrip("."), "TXT")])[0]

    assert dkim.verify(arrived.content, dnsfunc=dns)


def test_the_reverse_path_is_ours_and_leads_back(house: Installation, send: Send) -> None:
    _, arrived = send(fresh(), GONE)
    assert arrived.sender.startswith("SRS0=")
    assert arrived.sender.endswith("=sender.example=you@example.test")
    report = fresh("a report of the other host", From="postmaster@elsewhere.test")
    _, returned = send(report, arrived.sender, "")
    assert returned.recipients == [SENDER]
    assert returned.sender == ""
    assert returned.content.endswith(report)


def test_a_long_sender_is_named_by_the_mail(house: Installation, send: Send) -> None:
    sender = f"bounces+{'1234567890' * 5}=x@sender.example"
    _, arrived = send(fresh(), ALIAS, sender)
    local = arrived.sender.partition("@")[0]
    assert local.startswith("FWD0=")
    assert len(local) <= 64
    _, returned = send(fresh("a report"), arrived.sender.lower(), "")
    assert returned.recipients == [sender]


@pytest.mark.parametrize(
    ("sender", "changed", "code"),
    [(SENDER, lambda a: a, "550 5.7.1"), ("", lambda a: a.replace("=you", "=them"), "550 5.1.1")],
    ids=["not a bounce", "not made here"],
)
def test_a_reverse_path_of_ours_is_no_way_to_anybody(
    house: Installation, send: Send, sender: str, changed: Callable[[str], str], code: str
) -> None:
    _, arrived = send(fresh(), GONE)
    with pytest.raises(ConnectionError, match=code):
        house.system.send(fresh(), [changed(arrived.sender)], sender)


def test_the_null_reverse_path_stays_null(send: Send) -> None:
    _, arrived = send(fresh(), GONE, "")
    assert arrived.sender == ""


def test_a_mail_is_tried_again_until_it_is_taken(house: Installation, send: Send) -> None:
    house.sink.answers = ["451 4.3.0 later", "421 4.3.2 not now", "250 2.0.0 at last"]
    mail_id, _ = send(fresh(), GONE)
    house.until_outcomes(mail_id, "deferred", "deferred", "delivered")
    first, *_, last = house.told(mail_id)
    assert (first["value"]["code"], first["value"]["enhanced"]) == (451, "4.3.0")
    assert [first["value"]["attempt"], last["value"]["attempt"]] == [1, 3]


def report_of(arrived: Delivered) -> tuple[EmailMessage, dict[str, Any]]:
    found = email.message_from_bytes(arrived.content, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    assert found.get_content_type() == "multipart/report"
    _, status, _ = found.iter_parts()
    fields: dict[str, Any] = {}
    for block in cast("list[EmailMessage]", status.get_payload()):
        fields |= dict(block.items())
    return found, fields


def test_a_refusal_is_reported_to_the_sender(house: Installation, send: Send) -> None:
    REFUSED[PRIVATE] = f"550 5.1.1 no {PRIVATE} here"
    mail_id, arrived = send(fresh(), "private@example.test")
    house.until_outcomes(mail_id, "bounced", "delivered")
    assert (arrived.sender, arrived.recipients) == ("", [SENDER])
    report, fields = report_of(arrived)
    assert fields["Final-Recipient"] == "rfc822; private@example.test"
    assert (fields["Action"], fields["Status"]) == ("failed", "5.1.1")
    assert PRIVATE.encode() not in arrived.content, "a forwarding address is confidential"
    assert str(report["From"]).endswith("<postmaster@example.test>")
    bounced, _ = house.told(mail_id)
    assert bounced["value"]["bounce_id"]


@pytest.mark.parametrize("sender", ["", "you@forged.example"], ids=["null reverse-path", "forged"])
def test_no_report_where_it_would_do_harm(house: Installation, sender: str) -> None:
    REFUSED[PRIVATE] = "550 5.1.1 nobody"
    raw = fresh(From=f"You <{sender or SENDER}>")
    mail_id = mail_id_of(house.system.send(raw, ["private@example.test"], sender))
    house.until_outcomes(mail_id, "bounced")
    assert house.told(mail_id)[0]["value"]["bounce_id"] == ""


def spam() -> bytes:
    return fresh("BUY NOW", From='"paypal.com" <you@sender.example>', X_Mailer="Microsoft Outlook")


def test_spam_is_held_and_not_passed_on(house: Installation, send: Send) -> None:
    before = len(house.sink.delivered)
    mail_id = mail_id_of(house.system.send(spam(), [GONE], SENDER))
    house.until_outcomes(mail_id, "suppressed")
    assert house.told(mail_id)[0]["value"]["reason"] == "spam"
    (row,) = [r for r in house.queue() if r["mail"] == mail_id]
    assert (row["state"], row["suppressed"]) == ("held", "spam")
    assert len(house.sink.delivered) == before
    house.system.run("queue", "retry", mail_id)
    house.until_taken(before + 1)
    house.until_outcomes(mail_id, "suppressed", "deferred", "delivered")
    assert mail_id not in {r["mail"] for r in house.queue()}


def test_what_dmarc_rejects_is_held(house: Installation) -> None:
    raw = fresh(From="Ann <ann@strict.example>")
    mail_id = mail_id_of(house.system.send(raw, [GONE], SENDER))
    house.until_outcomes(mail_id, "suppressed")
    assert house.told(mail_id)[0]["value"]["reason"] == "dmarc"
    house.system.run("queue", "drop", mail_id)
    house.until_outcomes(mail_id, "suppressed", "dropped")
    assert mail_id not in {r["mail"] for r in house.queue()}


def content_key(house: Installation, mail_id: str) -> bool:
    """Say whether the mail can still be opened."""
    lines = house.system.run("events", "read", "mail.received", "--key", mail_id, "--unseal").stdout
    return "octets sealed" not in lines


def test_a_mail_that_only_goes_on_is_gone_when_it_is_taken(house: Installation, send: Send) -> None:
    mail_id, _ = send(fresh(), GONE)
    wait_until(lambda: not content_key(house, mail_id), what="its key destroyed")


def test_an_erased_mail_leaves_no_more(house: Installation) -> None:
    before = len(house.sink.delivered)
    mail_id = mail_id_of(house.system.send(spam(), [ALIAS], SENDER))
    house.until_outcomes(mail_id, "suppressed")
    assert content_key(house, mail_id)
    # The message of the account, and what was held.
    assert "2 erased" in house.system.run("erase", mail_id).stdout
    assert not content_key(house, mail_id)
    assert house.outcomes(mail_id) == ["suppressed", "dropped"]
    assert len(house.sink.delivered) == before
