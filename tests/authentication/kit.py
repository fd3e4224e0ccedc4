"""Keys, zones and messages for the tests of authentication."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from mail.authentication.evaluate import AuthSettings, Envelope
from mail.authentication.resolution import Judged, authenticate_from
from mail.authentication.signing import SigningKey, generate_key, sign
from mail.authentication.zone import Zone

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CLIENT = "192.0.2.1"
OURS = "mx.receiver.test"
SELECTOR = "k1"
PLAIN = (
    b"From: Ann <ann@example.com>\r\nTo: bob@receiver.test\r\nSubject: hello\r\n"
    b"Date: Sun, 1 Mar 2026 11:59:00 +0000\r\nMessage-ID: <1@example.com>\r\n"
    b"\r\nOne line.\r\n"
)


@cache
def _pair(kind: str) -> SigningKey:
    return generate_key("example.com", SELECTOR, "rsa" if kind == "rsa" else "ed25519")


def key_for(domain: str, kind: str = "rsa") -> SigningKey:
    """The same key pair under any domain: making RSA keys is slow."""
    return SigningKey(domain, SELECTOR, _pair(kind).private)


def signed(raw: bytes, *domains: str, kind: str = "rsa") -> bytes:
    """`raw` with one signature of each domain in front."""
    for domain in reversed(domains):
        raw = sign(raw, [key_for(domain, kind)], NOW) + raw
    return raw


def keys_of(*domains: str, kind: str = "rsa") -> dict[str, list[dict[str, str]]]:
    """The zone data that publishes the keys of `domains`."""
    return {
        f"{SELECTOR}._domainkey.{domain}": [{"TXT": key_for(domain, kind).record()}]
        for domain in domains
    }


def zone(data: Mapping[str, Any] | None = None, *more: Mapping[str, Any]) -> Zone:
    """A zone in which a plain string stands for one TXT record."""
    rows: dict[str, list[Any]] = {}
    for part in (data or {}, *more):
        for name, value in part.items():
            rows.setdefault(name, []).extend([{"TXT": value}] if isinstance(value, str) else value)
    return Zone(rows)


def spf_for(domains: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """The zone data with which SPF passes for the client of these tests."""
    return {domain: [{"TXT": f"v=spf1 ip4:{CLIENT} -all"}] for domain in domains}


def judge(
    raw: bytes,
    answers: Zone,
    *,
    mail_from: str = "bounce@unrelated.test",
    helo: str = "client.unrelated.test",
    client: str | None = CLIENT,
    settings: AuthSettings | None = None,
) -> Judged:
    """Judge `raw` against a zone."""
    envelope = Envelope(client, helo, mail_from, OURS)
    return authenticate_from(raw, envelope, answers, NOW, settings)
