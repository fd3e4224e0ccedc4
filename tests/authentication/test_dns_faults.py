"""DNS that is slow, lies or is down: temperror with its reason, in bounded time and space."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from infra.dns.resolver import DnsResolver
from mail.authentication.dns import Answer, Question, to_plain
from mail.authentication.evaluate import Envelope, authenticate
from mail.authentication.reasons import Reason
from mail.authentication.resolution import (
    Judged,
    ResolutionLimits,
    authenticate_from,
    resolve_and_authenticate,
)
from tests.authentication.kit import NOW, OURS, PLAIN, keys_of, signed, zone
from tests.dns_server import Fault, dns_server

RAW = signed(PLAIN, "example.com")
ENVELOPE = Envelope("192.0.2.1", "mail.example.com", "ann@example.com", OURS)
GOOD = {
    "example.com": "v=spf1 include:_spf.example.com mx -all",
    "_spf.example.com": "v=spf1 ip4:192.0.2.1 -all",
    "_dmarc.example.com": "v=DMARC1; p=reject",
    "1.2.0.192.in-addr.arpa": [{"PTR": "mail.example.com"}],
    "mail.example.com": [{"A": "192.0.2.1"}],
}
KEY = "k1._domainkey.example.com"
LIMITS = ResolutionLimits(seconds=20)


def _judge(faults: Mapping[str, Fault], timeout: float = 1.0) -> Judged:
    async def run() -> Judged:
        async with dns_server(zone(GOOD, keys_of("example.com")), faults) as server:
            resolver = DnsResolver(server.address, timeout=timeout)
            return await resolve_and_authenticate(
                RAW, ENVELOPE, resolver.resolve, NOW, limits=LIMITS
            )

    return asyncio.run(run())


def test_without_faults_everything_passes() -> None:
    verdict = _judge({}).verdict
    results = (verdict.spf.result, verdict.dkim[0].result, verdict.dmarc.result)
    assert results == ("pass", "pass", "pass")
    assert verdict.iprev.result == "pass"


@pytest.mark.parametrize("fault", [Fault(drop=True), Fault(servfail=True), Fault(garbage=True)])
@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("example.com", "spf"),
        ("_spf.example.com", "spf"),
        (KEY, "dkim"),
        ("_dmarc.example.com", "dmarc"),
        ("1.2.0.192.in-addr.arpa", "iprev"),
        ("mail.example.com", "iprev"),
    ],
)
def test_a_name_that_fails_gives_temperror_with_its_reason(
    name: str, check: str, fault: Fault
) -> None:
    verdict = _judge({name: fault}).verdict
    outcome = verdict.dkim[0] if check == "dkim" else getattr(verdict, check)
    assert outcome.result == "temperror"
    assert outcome.reason in (Reason.DNS_TIMEOUT, Reason.DNS_SERVFAIL)
    assert name in outcome.words


def test_one_failing_check_leaves_the_others_alone() -> None:
    verdict = _judge({"example.com": Fault(servfail=True)}).verdict
    assert (verdict.spf.result, verdict.dkim[0].result) == ("temperror", "pass")
    assert verdict.dmarc.result == "pass"


@pytest.mark.parametrize("fault", [Fault(wrong_type=True), Fault(wrong_question=True)])
def test_a_lie_never_makes_a_pass(fault: Fault) -> None:
    verdict = _judge({KEY: fault, "example.com": fault, "_dmarc.example.com": fault}).verdict
    assert verdict.dkim[0].result != "pass"
    assert verdict.spf.result != "pass"
    assert verdict.dmarc.result != "pass"


def test_dns_that_is_down_gives_a_verdict_all_the_same() -> None:
    async def run() -> Judged:
        resolver = DnsResolver("127.0.0.1:1", timeout=0.2)
        return await resolve_and_authenticate(RAW, ENVELOPE, resolver.resolve, NOW, limits=LIMITS)

    verdict = asyncio.run(run()).verdict
    assert verdict.spf.result == verdict.dkim[0].result == verdict.dmarc.result == "temperror"
    assert verdict.dmarc.disposition == "none"
    assert verdict.results_header.startswith(OURS)


def test_a_resolver_that_never_answers_is_left_after_its_time() -> None:
    async def never(questions: Sequence[Question]) -> Mapping[Question, Answer]:
        await asyncio.sleep(3600)
        return {}

    async def run() -> Judged:
        limits = ResolutionLimits(seconds=0.05)
        return await resolve_and_authenticate(RAW, ENVELOPE, never, NOW, limits=limits)

    verdict = asyncio.run(run()).verdict
    assert verdict.spf.reason is Reason.DNS_TIMEOUT
    assert verdict.dmarc.result == "temperror"


def test_a_resolver_that_breaks_is_a_failed_lookup() -> None:
    async def broken(questions: Sequence[Question]) -> Mapping[Question, Answer]:
        raise OSError("no route")

    verdict = asyncio.run(resolve_and_authenticate(RAW, ENVELOPE, broken, NOW)).verdict
    assert verdict.spf.reason is Reason.DNS_SERVFAIL


def test_a_cancelled_evaluation_stops() -> None:
    async def never(questions: Sequence[Question]) -> Mapping[Question, Answer]:
        await asyncio.sleep(3600)
        return {}

    async def run() -> None:
        task = asyncio.create_task(resolve_and_authenticate(RAW, ENVELOPE, never, NOW))
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())


def test_the_questions_of_one_message_are_bounded() -> None:
    data = {f"d{n}.test": f"v=spf1 include:d{n + 1}.test -all" for n in range(40)}
    raw = b"".join(
        b"DKIM-Signature: v=1; a=rsa-sha256; b=AAAA; bh=AAAA; h=from; d=d%d.test; s=s\r\n" % n
        for n in range(300)
    )
    envelope = Envelope("192.0.2.1", "h", "a@d0.test", OURS)
    limits = ResolutionLimits(questions=12)
    judged = authenticate_from(raw + PLAIN, envelope, zone(data), NOW, limits=limits)
    assert judged.questions <= 12
    assert len(judged.verdict.dkim) == 21


def test_a_chain_of_includes_ends_in_permerror_after_ten() -> None:
    data = {f"d{n}.test": f"v=spf1 include:d{n + 1}.test -all" for n in range(40)}
    envelope = Envelope("192.0.2.1", "h", "a@d0.test", OURS)
    judged = authenticate_from(PLAIN, envelope, zone(data), NOW)
    assert judged.verdict.spf.reason is Reason.SPF_TOO_MANY_LOOKUPS
    assert sum("d" in q.name and q.name.endswith(".test") for q in judged.evidence) <= 12


def test_an_answer_that_is_too_large_was_not_seen() -> None:
    data = zone({"example.com": [{"TXT": "v=spf1 +all"}, {"TXT": "x" * 60_000}]})
    judged = authenticate_from(PLAIN, ENVELOPE, data, NOW)
    assert judged.verdict.spf.reason is Reason.DNS_SERVFAIL


def test_answers_beyond_the_bound_of_the_evidence_were_not_seen() -> None:
    padding = [{"TXT": "y" * 12_000}]
    data = {f"d{n}.test": [{"TXT": f"v=spf1 include:d{n + 1}.test"}, *padding] for n in range(9)}
    data["d9.test"] = [{"TXT": "v=spf1 +all"}, *padding]
    envelope = Envelope("192.0.2.1", "h", "a@d0.test", OURS)
    judged = authenticate_from(PLAIN, envelope, zone(data), NOW)
    assert judged.verdict.spf.result == "temperror"
    assert len(str(to_plain(judged.evidence))) < 66_000
    assert authenticate(PLAIN, envelope, judged.evidence, NOW) == judged.verdict


def test_an_alias_that_leads_to_itself_is_temperror() -> None:
    data = zone({**GOOD, "example.com": [{"CNAME": "example.com"}]})
    judged = authenticate_from(PLAIN, ENVELOPE, data, NOW)
    assert judged.verdict.spf.result == "temperror"


def test_a_defect_in_one_check_does_not_leave_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*_arguments: object, **_named: object) -> None:
        raise ZeroDivisionError

    for name in ("check_spf", "check_dkim", "check_arc", "check_dmarc", "check_iprev"):
        monkeypatch.setattr(f"mail.authentication.evaluate.{name}", defect)
    verdict = authenticate_from(RAW, ENVELOPE, zone(GOOD), NOW).verdict
    assert verdict.spf.result == verdict.dmarc.result == verdict.iprev.result == "temperror"
    assert verdict.dkim[0].result == "temperror"
    assert verdict.arc.result == "fail"
    assert verdict.spf.reason is Reason.INTERNAL
    assert "ZeroDivisionError" in verdict.spf.words


def test_a_client_address_that_is_none_is_a_defect_of_the_caller_and_no_crash() -> None:
    envelope = Envelope("not an address", "h", "ann@example.com", OURS)
    verdict = authenticate_from(RAW, envelope, zone(GOOD), NOW).verdict
    assert verdict.spf.reason is Reason.INTERNAL
