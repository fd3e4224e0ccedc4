"""What of a judged mail goes to other hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from infra.ports import Output
from ingress.arrival import Envelope, arrival
from schemas.codec import decode_as
from schemas.events import Authenticated, Received, Scored
from schemas.identity import submission_id
from schemas.parts import Arc, Dmarc, Forward, IpRev, ReceivedSecret, Spf, SubmittedSecret
from schemas.seal import new_key, unseal
from schemas.topics import MAIL_SUBMITTED
from streams.inbound import route
from tests.fakes import FINGERPRINT, FakeClock, FakeRandom

KEY = new_key(FakeRandom())
THERE = Forward(by="forward", alias="Team@Example.test", address="Bob@There.test")
BACK = Forward(by="return", alias="SRS0=x@example.test", address="ann@sender.test")


@dataclass(frozen=True)
class Judged:
    spf: Any = "pass"
    dmarc: Any = "pass"
    disposition: Any = "none"
    verdict: Any = "ham"


def received(sender: str, *forwards: Forward) -> tuple[Received, ReceivedSecret]:
    made = arrival(
        b"From: a@b.test\r\n\r\nx\r\n",
        Envelope(source="smtp", reverse_path=sender, forward_paths=["t@x.test"], forwards=forwards),
        [],
        key=KEY,
        random=FakeRandom(),
        clock=FakeClock(),
        fingerprint=FINGERPRINT,
    )
    event = decode_as(Received, made.received.value)
    return event, unseal(ReceivedSecret, event.sealed, KEY, event.event_id)


def submitted(judged: Judged, sender: str = "ann@sender.test", *forwards: Forward) -> list[Any]:
    event, secret = received(sender, *(forwards or (THERE,)))
    common: dict[str, Any] = {"mail_id": event.mail_id, "occurred_at": 1, "sealed": b""}
    authenticated = Authenticated(
        event_id="a",
        spf=Spf(result=judged.spf),
        arc=Arc(result="none"),
        dmarc=Dmarc(result=judged.dmarc, disposition=judged.disposition),
        iprev=IpRev(result="none"),
        **common,
    )
    scored = Scored(
        event_id="s", verdict=judged.verdict, probability=0.1, threshold=0.9, model_id="m", **common
    )
    return list(route.submissions(event, secret, KEY, authenticated, scored, FakeRandom()))


def test_each_address_elsewhere_is_one_submission() -> None:
    event, secret = received("ann@sender.test", THERE, BACK, THERE)
    assert event.forwards == 2
    assert secret.forwards == [THERE, BACK]
    one, two = submitted(Judged(), "ann@sender.test", THERE, BACK)
    assert one.event_id == submission_id(one.mail_id, 0)
    assert two.event_id == submission_id(one.mail_id, 1)
    assert (one.reason, one.via_domain, one.target_domain) == (
        "forward",
        "example.test",
        "there.test",
    )
    assert (two.reason, two.bounceable) == ("return", False)
    found = unseal(SubmittedSecret, one.sealed, KEY, one.event_id)
    assert (found.reverse_path, found.forward_path, found.alias) == (
        "ann@sender.test",
        "Bob@There.test",
        "Team@Example.test",
    )
    assert Output.of(one).topic == MAIL_SUBMITTED


@pytest.mark.parametrize(
    ("judged", "why"),
    [
        (Judged(), ""),
        (Judged(verdict="unknown"), ""),
        (Judged(verdict="spam"), "spam"),
        (Judged(verdict="phishing"), "phishing"),
        (Judged(dmarc="fail", disposition="none"), ""),
        (Judged(dmarc="fail", disposition="quarantine"), "dmarc"),
        (Judged(dmarc="fail", disposition="reject"), "dmarc"),
        (Judged(dmarc="temperror", disposition="none"), ""),
    ],
)
def test_what_would_harm_our_name_is_suppressed(judged: Judged, why: str) -> None:
    (found,) = submitted(judged)
    assert found.suppressed == why


@pytest.mark.parametrize(
    ("judged", "sender", "bounceable"),
    [
        (Judged(), "ann@sender.test", True),
        (Judged(), "", False),
        (Judged(spf="none", dmarc="none"), "ann@sender.test", True),
        (Judged(spf="neutral"), "ann@sender.test", True),
        (Judged(spf="softfail"), "ann@sender.test", False),
        (Judged(spf="fail"), "ann@sender.test", False),
        (Judged(dmarc="fail"), "ann@sender.test", False),
    ],
)
def test_a_failure_is_reported_to_whom_it_may_be(
    judged: Judged, sender: str, bounceable: bool
) -> None:
    (found,) = submitted(judged, sender)
    assert found.bounceable is bounceable
