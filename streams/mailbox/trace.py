"""The trace fields that stand above a message as it is shown: composed once, kept in its digest."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from schemas.events import Received
from schemas.parts import AuthenticatedSecret, ReceivedSecret

_PROTOCOLS = {"lmtp": "LMTP", "submission": "ESMTPSA", "api": "HTTP"}


def compose(
    hostname: str, received: Received, secret: ReceivedSecret, judged: AuthenticatedSecret | None
) -> bytes:
    """Return Return-Path, Authentication-Results and Received, with CRLF line ends.

    `hostname` names this installation in them. A mail that was not judged has no
    Authentication-Results.
    """
    fields = [f"Return-Path: <{secret.reverse_path}>"]
    if judged is not None and judged.results:
        fields.append(f"Authentication-Results: {judged.results}")
    fields.append(_received(hostname, received, secret))
    return "".join(f"{field}\r\n" for field in fields).encode("utf-8", "surrogateescape")


def _received(hostname: str, received: Received, secret: ReceivedSecret) -> str:
    # RFC 5321 section 4.4; the protocol's name follows RFC 3848.
    client = f"[{secret.client_address}]" if secret.client_address else ""
    names = f" ({' '.join(filter(None, [secret.client_name, client]))})" if client else ""
    protocol = _PROTOCOLS.get(received.source) or ("ESMTPS" if received.tls_version else "ESMTP")
    # More than one recipient is told to none of them (RFC 5321 section 7.2).
    paths = secret.forward_paths
    to = f"\r\n for <{paths[0]}>" if len(paths) == 1 else ""
    date = format_datetime(datetime.fromtimestamp(received.received_at / 1_000_000, UTC))
    return (
        f"Received: from {secret.helo}{names}\r\n by {hostname} with {protocol}"
        f"\r\n id {received.mail_id}{to};\r\n {date}"
    )
