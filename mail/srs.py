"""Reverse-paths of forwarded mail: an address of ours that says where a bounce is to go.

SPF (RFC 7208 appendix D) fails behind a forwarder that keeps the reverse-path, so it is rewritten
into a domain of the forwarder's, in the form of the Sender Rewriting Scheme:

    SRS0=hash=tt=domain=local@ours     the sender is in it
    FWD0=hash=tt=mail@ours             it names the mail, whose record holds the sender

The second is for senders that don't fit into a local part, or that only SMTPUTF8 could carry. A
keyed hash keeps others from making such addresses, which would let them send mail through us; the
day lets them grow old. Both are compared without regard to case, as hosts on the way may fold it.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

from mail.addresses import canonical_domain, split_address

MAX_LOCAL = 64
"""Octets of a local part (RFC 5321 section 4.5.3.1.1)."""

VALID_DAYS = 21
"""How old such an address may be: a mail is tried for 5 days, by each host behind us."""

Keyed = Callable[[str], bytes]
"""The keyed hash of a text, at least 5 octets."""

_DAYS = 1024
"""Two letters of base32."""
_DAY = 86_400_000_000
_HASH = 8
"""Letters of the hash: 40 bits, and each guess is a session with us."""

_SENDER = re.compile(r"SRS0=([A-Z2-7]{8})=([A-Z2-7]{2})=([^=@]+)=(.+)", re.IGNORECASE | re.ASCII)
_NAMED = re.compile(r"FWD0=([A-Z2-7]{8})=([A-Z2-7]{2})=([A-Z2-7]{26})", re.IGNORECASE | re.ASCII)
# Dot-atom (RFC 5321 section 4.1.2): a local part that needs no quotes.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


class SrsError(Exception):
    """An address that has the form of a rewritten one and is none of ours, or is too old."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender that a rewritten address holds."""

    address: str


@dataclass(frozen=True, slots=True)
class Named:
    """The mail that a rewritten address names, 16 octets."""

    mail: bytes


def rewritten(sender: str, mail: bytes, domain: str, now: int, keyed: Keyed) -> str:
    """Return the reverse-path of a mail that `domain` forwards now (microseconds).

    `sender` is its reverse-path as it came, without brackets; the null one stays null, so that
    nothing is sent back for it (RFC 5321 section 6.1). `mail` are the 16 octets that name it.
    """
    if not sender:
        return ""
    local, _, host = sender.rpartition("@")
    day = _letters(now // _DAY % _DAYS)
    if _PLAIN.fullmatch(local) and _DOMAIN.fullmatch(host):
        made = f"SRS0={_hash(keyed, domain, day, host, local)}={day}={host}={local}"
        if len(made) <= MAX_LOCAL:
            return f"{made}@{domain}"
    name = base64.b32encode(mail).decode("ascii").rstrip("=")
    return f"FWD0={_hash(keyed, domain, day, name)}={day}={name}@{domain}"


def is_rewritten(address: str) -> bool:
    """Say whether an address has the form of a rewritten one."""
    local, _ = split_address(address)
    return bool(_SENDER.fullmatch(local) or _NAMED.fullmatch(local))


def restored(address: str, now: int, keyed: Keyed) -> Sender | Named:
    """Return what stands in an address that `rewritten` made. Raises SrsError for any other."""
    local, domain = split_address(address)
    domain = canonical_domain(domain)
    if found := _SENDER.fullmatch(local):
        given, day, host, name = found.groups()
        _check(given, _hash(keyed, domain, day, host, name), day, now)
        if not (_PLAIN.fullmatch(name) and _DOMAIN.fullmatch(host)):
            raise SrsError("no sender in it")
        return Sender(f"{name}@{host}")
    if found := _NAMED.fullmatch(local):
        given, day, mail = found.groups()
        _check(given, _hash(keyed, domain, day, mail), day, now)
        return Named(base64.b32decode(mail.upper() + "======"))
    raise SrsError("no rewritten address")


def _check(given: str, right: str, day: str, now: int) -> None:
    if not hmac.compare_digest(given.upper().encode(), right.encode()):
        raise SrsError("not made here")
    if (now // _DAY - _number(day)) % _DAYS > VALID_DAYS:
        raise SrsError("too old")


def _hash(keyed: Keyed, *words: str) -> str:
    octets = keyed("=".join(words).lower())
    return base64.b32encode(octets[:5]).decode("ascii")[:_HASH]


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def _letters(number: int) -> str:
    return _ALPHABET[number // 32] + _ALPHABET[number % 32]


def _number(letters: str) -> int:
    high, low = letters.upper()
    return _ALPHABET.index(high) * 32 + _ALPHABET.index(low)
