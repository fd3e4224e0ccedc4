"""A mail as it leaves when it is passed on: our trace and our seal on top of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mail.addresses import canonical_domain, split_address
from mail.authentication.arc_seal import recorded_outcome, seal
from mail.authentication.signing import SigningError, SigningKey
from mail.fields import split_header
from mail.srs import Keyed, rewritten
from mail.trace import as_shown
from schemas.events import Authenticated, Received, Submitted
from schemas.identity import to_bytes
from schemas.parts import ReceivedSecret, SubmittedSecret
from streams.inbound.trace import received_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """A mail as it is handed to the next host."""

    reverse_path: str
    forward_path: str
    message: bytes
    utf8: bool
    """It needs SMTPUTF8."""
    arc: str = ""
    """Chain value of our seal; "" without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """A mail as it came, and what it was judged to be."""

    received: Received
    secret: ReceivedSecret
    raw: bytes
    authenticated: Authenticated
    results: str
    """Body of our Authentication-Results; "" when it was not judged."""


def forwarded(
    came: Came,
    submitted: Submitted,
    secret: SubmittedSecret,
    *,
    hostname: str,
    keys: Sequence[SigningKey],
    keyed: Keyed,
    now: int,
) -> Leaving:
    """Return a mail that goes on to another host. `now` is in microseconds.

    All of it stays as it came, save an Authentication-Results field that claims to be ours
    (RFC 8601 section 5); so its signatures still hold. Nothing is signed by us: the author is not.
    """
    trace = received_line(hostname, came.received, came.secret)
    message = as_shown(came.raw, trace, hostname)
    sealed, chain = _sealed(message, came, keys, now)
    header = message[: split_header(message).body]
    path = _ascii_domain(secret.forward_path)
    return Leaving(
        reverse_path=rewritten(
            secret.reverse_path, to_bytes(submitted.mail_id), submitted.via_domain, now, keyed
        ),
        forward_path=path,
        message=sealed + message,
        # RFC 6531 section 3.4: what came with SMTPUTF8 and has UTF-8 in its header needs it again.
        # 8-bit octets in the header of any other mail are a defect that travels as it always did.
        utf8=not path.isascii() or (came.received.smtputf8 and not header.isascii()),
        arc=chain,
    )


def _sealed(message: bytes, came: Came, keys: Sequence[SigningKey], now: int) -> tuple[bytes, str]:
    """Return the fields of a new ARC set, and its chain value; nothing when none can be made."""
    # RFC 8617 section 4.1.3 knows both algorithms by way of RFC 8463; every verifier knows RSA.
    key = next(iter(keys), None)
    if key is None or not came.results:
        return b"", ""
    arc = came.authenticated.arc
    chain = recorded_outcome(came.raw, arc.result, arc.reason, arc.sealers)
    moment = datetime.fromtimestamp(now // 1_000_000, UTC)
    try:
        fields = seal(message, came.results, chain, key, moment)
    except SigningError:
        # A chain that is broken beyond counting can't be gone on with; the mail can.
        return b"", ""
    return fields, chain.result if fields else ""


def _ascii_domain(address: str) -> str:
    local, domain = split_address(address)
    return f"{local}@{canonical_domain(domain)}"
