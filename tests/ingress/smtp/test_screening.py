"""What DMARC says to reject, refused in answer to DATA; asked of a DNS server, told over TCP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from infra.dns.resolver import DnsResolver
from ingress.smtp.screening import Screening
from mail.authentication.evaluate import AuthSettings
from mail.authentication.resolution import ResolutionLimits
from tests.authentication.kit import PLAIN, keys_of, signed, zone
from tests.dns_server import Fault, dns_server
from tests.fakes import FakeClock
from tests.ingress.smtp.client import Mx, running

REJECT = {"_dmarc.example.com": "v=DMARC1; p=reject"}
REFUSED = "550 5.7.1 Email rejected per DMARC policy for example.com"
# The signatures of the kit are of March 2026.
CLOCK = FakeClock(1_772_366_400_000_000)


def _deliver(
    raw: bytes,
    records: Mapping[str, Any],
    *,
    faults: Mapping[str, Fault] | None = None,
    settings: Callable[[], AuthSettings] = AuthSettings,
    seconds: float = 10.0,
    after: Callable[[Mx], None] = lambda _: None,
) -> str:
    """Return the answer to DATA."""

    async def scenario() -> str:
        async with dns_server(zone(records), faults) as server:
            resolver = DnsResolver(server.address, timeout=seconds)
            screening = Screening(
                resolve=resolver.resolve,
                at_hand=resolver.at_hand,
                settings=settings,
                limits=ResolutionLimits(seconds=seconds),
                hostname="mx.example.test",
                clock=CLOCK,
            )
            async with running(screening=screening) as mx:
                client = await mx.connect()
                await client.hello()
                answer = await client.deliver(raw + b".\r\n")
                assert len(mx.intake.arrivals) == (1 if answer.startswith("250 ") else 0)
                # The session goes on, whatever became of its message.
                assert (await client.command("NOOP")).startswith("250 ")
                after(mx)
        return answer

    return asyncio.run(scenario())


def _large(raw: bytes) -> bytes:
    return raw + b"A line that is there to be hashed.\r\n" * 10_000


@pytest.mark.parametrize("grown", [bytes, _large])
def test_what_fails_a_policy_of_reject_is_refused(grown: Callable[[bytes], bytes]) -> None:
    assert _deliver(grown(PLAIN), REJECT) == REFUSED


@pytest.mark.parametrize("grown", [bytes, _large])
def test_what_passes_is_taken(grown: Callable[[bytes], bytes]) -> None:
    raw = signed(grown(PLAIN), "example.com")
    assert _deliver(raw, {**REJECT, **keys_of("example.com")}).startswith("250 ")


def test_spf_is_judged_by_the_address_of_the_client() -> None:
    raw = PLAIN.replace(b"ann@example.com", b"ann@sender.test")
    records = {
        "_dmarc.sender.test": "v=DMARC1; p=reject",
        "sender.test": "v=spf1 ip4:127.0.0.1 -all",
    }
    assert _deliver(raw, records).startswith("250 ")
    records["sender.test"] = "v=spf1 ip4:192.0.2.1 -all"
    assert _deliver(raw, records).startswith("550 5.7.1 ")


@pytest.mark.parametrize("record", ["v=DMARC1; p=quarantine", "v=DMARC1; p=reject; t=y", "none"])
def test_a_weaker_policy_refuses_nothing(record: str) -> None:
    assert _deliver(PLAIN, {"_dmarc.example.com": record}).startswith("250 ")


@pytest.mark.parametrize("grown", [bytes, _large])
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("_dmarc.example.com", Fault(servfail=True)),
        ("_dmarc.example.com", Fault(drop=True)),
        ("k1._domainkey.example.com", Fault(drop=True)),
        ("k1._domainkey.example.com", Fault(garbage=True)),
    ],
)
def test_dns_that_fails_refuses_nothing(
    name: str, fault: Fault, grown: Callable[[bytes], bytes]
) -> None:
    raw = signed(grown(PLAIN), "example.com")
    answer = _deliver(raw, {**REJECT, **keys_of("example.com")}, faults={name: fault}, seconds=0.3)
    assert answer.startswith("250 ")


def test_several_from_fields_are_refused_by_the_strictest_policy() -> None:
    raw = b"From: eve@evil.test\r\n" + PLAIN
    assert _deliver(raw, REJECT).startswith("550 5.7.1 Email rejected per DMARC policy for ")


def test_a_refusal_is_ascii_whatever_from_holds() -> None:
    raw = PLAIN.replace(b"ann@example.com", "ann@bücher.test".encode())
    records = {"_dmarc.xn--bcher-kva.test": "v=DMARC1; p=reject"}
    assert _deliver(raw, records) == REFUSED.replace("example.com", "xn--bcher-kva.test")


def test_without_screening_what_fails_is_taken() -> None:
    async def scenario() -> None:
        async with running() as mx:
            client = await mx.connect()
            await client.hello()
            assert (await client.deliver(PLAIN + b".\r\n")).startswith("250 ")

    asyncio.run(scenario())
