"""A trusted forwarder's word against a DMARC failure."""

from __future__ import annotations

import pytest

from mail.authentication.arc import check_arc
from mail.authentication.arc_seal import seal
from mail.authentication.dkim import DkimPolicy
from mail.authentication.dmarc import DmarcOutcome
from mail.authentication.evaluate import AuthSettings
from mail.authentication.message import Message
from mail.authentication.reasons import Reason
from mailfold.policy import auth_settings
from mailfold.settings import load
from tests.authentication.kit import NOW, PLAIN, judge, key_for, keys_of, signed, zone

ZONE = zone(
    {"_dmarc.example.com": "v=DMARC1; p=reject"},
    keys_of("example.com", "lists.test", "relay.test", "evil.test"),
)
PASSED = "dmarc=pass header.from=example.com"


def _sealed(raw: bytes, domain: str, results: str) -> bytes:
    chain = check_arc(Message(raw), ZONE, policy=DkimPolicy())
    return seal(raw, f"mx.{domain}; {results}", chain, key_for(domain), NOW) + raw


def _forwarded(*hops: tuple[str, str]) -> bytes:
    """A message that a list has changed, so that its author's signature is broken."""
    raw = signed(PLAIN, "example.com").replace(b"One line.", b"One line.\r\n-- the list")
    for domain, results in hops:
        raw = _sealed(raw, domain, results)
    return raw


def _dmarc(raw: bytes, *trusted: str) -> DmarcOutcome:
    settings = AuthSettings(trusted_sealers=frozenset(trusted))
    return judge(raw, ZONE, settings=settings).verdict.dmarc


def test_a_trusted_sealer_takes_the_consequence_off_a_failure() -> None:
    outcome = _dmarc(_forwarded(("lists.test", PASSED)), "lists.test")
    assert (outcome.result, outcome.disposition) == ("fail", "none")
    assert outcome.reason is Reason.DMARC_ARC_OVERRIDE
    assert outcome.overridden_by == "lists.test"
    assert outcome.requested == "reject"


@pytest.mark.parametrize(
    ("hops", "trusted"),
    [
        ([("lists.test", PASSED)], []),
        ([("lists.test", PASSED)], ["other.test"]),
        ([("lists.test", "dmarc=fail header.from=example.com")], ["lists.test"]),
        ([("lists.test", "dmarc=pass header.from=other.test")], ["lists.test"]),
        ([("lists.test", "spf=pass")], ["lists.test"]),
        ([("lists.test", PASSED), ("evil.test", "arc=pass")], ["lists.test"]),
        ([("evil.test", PASSED), ("lists.test", "arc=pass; dmarc=fail")], ["lists.test"]),
        ([("lists.test", 'dmarc=fail (dmarc=pass) reason="dmarc=pass"')], ["lists.test"]),
    ],
)
def test_otherwise_the_failure_stands(hops: list[tuple[str, str]], trusted: list[str]) -> None:
    outcome = _dmarc(_forwarded(*hops), *trusted)
    assert (outcome.result, outcome.disposition) == ("fail", "reject")
    assert outcome.overridden_by == ""


def test_every_sealer_after_the_one_that_saw_the_pass_must_be_trusted() -> None:
    raw = _forwarded(("lists.test", PASSED), ("relay.test", "arc=pass; dmarc=fail"))
    assert _dmarc(raw, "lists.test", "relay.test").disposition == "none"
    assert _dmarc(raw, "lists.test").disposition == "reject"


def test_a_sealer_within_a_trusted_domain_is_trusted() -> None:
    raw = _forwarded(("lists.test", PASSED))
    assert _dmarc(raw, "test").disposition == "none"


def test_a_broken_chain_overrides_nothing() -> None:
    raw = _forwarded(("lists.test", PASSED)).replace(b"the list", b"another")
    assert _dmarc(raw, "lists.test").disposition == "reject"


def test_the_field_says_that_the_policy_was_overridden() -> None:
    settings = AuthSettings(trusted_sealers=frozenset(("lists.test",)))
    verdict = judge(_forwarded(("lists.test", PASSED)), ZONE, settings=settings).verdict
    assert "dmarc=fail" in verdict.results_header
    assert "arc override by lists.test" in verdict.results_header
    assert "policy.dmarc=none" in verdict.results_header


def test_the_administrator_names_trusted_sealers_in_a_setting() -> None:
    found = auth_settings(load(trusted_sealers=" Lists.test, relay.test,, "))
    assert found.trusted_sealers == {"lists.test", "relay.test"}
    assert auth_settings(load()).trusted_sealers == frozenset()
