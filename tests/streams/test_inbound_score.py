"""What authentication finds in From counts in the score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from infra.parts.files import FileParts
from infra.ports import Record
from infra.sqlite.connection import LOG
from infra.sqlite.content import InRow, SqliteContent
from infra.sqlite.file import SqliteFile
from infra.sqlite.references import SqliteReferences
from ingress.arrival import Envelope, arrival
from mail.authentication.evaluate import AuthSettings
from mail.authentication.homographs import Suspicion
from mail.authentication.reasons import Reason
from mail.authentication.resolution import authenticate_from
from mail.authentication.zone import Zone
from mail.message import digest
from schemas.codec import decode_as
from schemas.events import Scored
from schemas.parts import ScoredSecret
from schemas.seal import new_key, unseal
from streams.inbound import stage
from streams.inbound.digest import facts_of
from streams.inbound.rules import RULES
from streams.inbound.score import score
from tests.fakes import FINGERPRINT, FakeClock, FakeKeys, FakeRandom

PLAIN = b"From: Ann <ann@example.com>\r\nDate: Sun, 1 Mar 2026 11:59:00 +0000\r\n\r\nHello\r\n"
FACTS = facts_of(PLAIN, digest(PLAIN))


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.FROM_LOOKALIKE, "FROM_LOOKALIKE"),
        (Reason.FROM_MIXED_SCRIPTS, "FROM_MIXED_SCRIPTS"),
        (Reason.FROM_BAD_PUNYCODE, "FROM_BAD_PUNYCODE"),
        (Reason.FROM_INVISIBLE, "FROM_INVISIBLE"),
        (Reason.FROM_NAME_SHOWS_ADDRESS, "FROM_SHOWS_ADDRESS"),
    ],
)
def test_each_suspicion_is_a_rule(reason: Reason, code: str) -> None:
    found = score(replace(FACTS, suspicions=frozenset([reason])))
    rule = next(r for r in RULES if r.name == code)
    assert [(hit.code, hit.weight) for hit in found.rules] == [(code, rule.weight)]
    assert found.reasons == (rule.reason,)
    assert found.verdict == "ham", "no suspicion is proof by itself"


def test_every_reason_about_from_is_a_rule() -> None:
    about = {reason for reason in Reason if reason.value.startswith("from_")}
    for reason in about:
        assert score(replace(FACTS, suspicions=frozenset([reason]))).rules, reason


def test_several_suspicions_add_up_to_spam() -> None:
    both = frozenset([Reason.FROM_LOOKALIKE, Reason.FROM_INVISIBLE])
    assert score(replace(FACTS, suspicions=both)).verdict == "spam"


def test_a_mail_without_suspicions_has_none_in_its_score() -> None:
    assert score(FACTS).rules == ()
    assert facts_of(PLAIN, digest(PLAIN), [Suspicion(Reason.FROM_INVISIBLE, "")]) != FACTS


def test_the_stage_scores_what_its_verdict_suspects(tmp_path: Path) -> None:
    raw = PLAIN.replace(b"example.com", b"examp1e.com")
    settings = AuthSettings(protected_domains=frozenset(["example.com"]))
    keys, random, clock = FakeKeys(), FakeRandom(), FakeClock()
    file = SqliteFile(tmp_path / "state.db", LOG)
    came = arrival(
        raw,
        Envelope(source="smtp", client_address="192.0.2.1", reverse_path="ann@examp1e.com"),
        ["00000000-0000-7000-8000-00000000000a"],
        key=new_key(random),
        random=random,
        clock=clock,
        fingerprint=FINGERPRINT,
    )
    keys.put({came.mail_id: came.key})
    out = came.received
    record = Record(out.topic, 0, 0, out.key, out.type, out.event_id, clock(), out.value)
    inbound = stage.InboundStage(
        keys,
        SqliteContent(InRow(file)),
        FileParts(tmp_path / "parts", SqliteReferences(file)),
        FINGERPRINT,
        lambda mails: [
            authenticate_from(m.raw, m.envelope, Zone({}), m.received_at, settings) for m in mails
        ],
        "mx.example.test",
        random,
    )
    outputs = inbound.settle(inbound.plan([record]))
    file.close()
    scored = decode_as(Scored, next(o.value for o in outputs if o.type == "Scored"))
    assert [hit.code for hit in scored.rules] == ["FROM_LOOKALIKE"]
    secret = unseal(ScoredSecret, scored.sealed, came.key, scored.event_id)
    assert secret.reasons == ["The sender's domain can be mistaken for another one."]
