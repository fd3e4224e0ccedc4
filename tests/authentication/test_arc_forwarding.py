"""The steps by which mail is sealed when it is forwarded, as docs/authentication.md has them."""

from __future__ import annotations

from mail.authentication.arc_seal import seal
from mail.authentication.evaluate import AuthSettings
from mail.authentication.signing import sign
from tests.authentication.kit import (
    CLIENT,
    NOW,
    PLAIN,
    judge,
    key_for,
    keys_of,
    signed,
    spf_for,
    zone,
)

ZONE = zone(
    {"_dmarc.example.com": "v=DMARC1; p=reject"},
    keys_of("example.com", "receiver.test", "second.test"),
    spf_for(["example.com"]),
)


def _forwarded(raw: bytes, domain: str, *, client: str = CLIENT) -> bytes:
    """What a forwarder of `domain` sends on of what came from `client`."""
    came = judge(raw, ZONE, mail_from="ann@example.com", client=client).verdict
    return seal(raw, came.results_header, came.arc, key_for(domain), NOW) + raw


def test_a_seal_carries_what_spf_proved_past_the_forwarder() -> None:
    # Unsigned: SPF alone makes DMARC pass here, and fails behind a forwarder.
    sent = _forwarded(PLAIN, "receiver.test")
    for trusted, disposition in (((), "reject"), (("receiver.test",), "none")):
        settings = AuthSettings(trusted_sealers=frozenset(trusted))
        found = judge(sent, ZONE, client="198.51.100.7", settings=settings).verdict
        assert found.arc.result == "pass"
        assert (found.dmarc.result, found.dmarc.disposition) == ("fail", disposition)


def test_each_forwarder_adds_a_set_to_the_chain() -> None:
    once = _forwarded(PLAIN, "receiver.test")
    twice = _forwarded(once, "second.test", client="198.51.100.7")
    found = judge(twice, ZONE, client="198.51.100.8").verdict
    assert (found.arc.result, found.arc.highest) == ("pass", 2)
    assert found.arc.sealers == ("receiver.test", "second.test")


def test_sealing_leaves_the_message_and_its_signature_as_they_were() -> None:
    raw = signed(PLAIN, "example.com")
    sent = _forwarded(raw, "receiver.test")
    assert sent.endswith(raw)
    assert judge(sent, ZONE, client="198.51.100.7").verdict.dmarc.result == "pass"


def test_a_signature_of_our_own_may_be_put_above_the_seal() -> None:
    sent = _forwarded(PLAIN, "receiver.test")
    sent = sign(sent, [key_for("receiver.test")], NOW) + sent
    found = judge(sent, ZONE, client="198.51.100.7").verdict
    assert found.arc.result == "pass"
    assert [(one.domain, one.result) for one in found.dkim] == [("receiver.test", "pass")]
