"""The trace fields that stand above a message as it is shown: composed once, kept in its digest."""

from __future__ import annotations

from datetime import UTC, datetime

from mail.trace import Tls, return_path, with_protocol
from mail.trace import received as received_field
from schemas.events import Received
from schemas.parts import ReceivedSecret


def compose(hostname: str, received: Received, secret: ReceivedSecret, results: str) -> bytes:
    """Return Return-Path, Authentication-Results and Received, with CRLF line ends.

    `hostname` names this installation in them; `results` is the body of Authentication-Results,
    empty for a mail that was not judged. An import gets none: it is shown as it was kept elsewhere.
    """
    if received.source == "import":
        return b""
    fields = [return_path(secret.reverse_path)]
    if results:
        fields.append(f"Authentication-Results: {results}\r\n".encode())
    fields.append(received_line(hostname, received, secret))
    return b"".join(fields)


def received_line(hostname: str, received: Received, secret: ReceivedSecret) -> bytes:
    """Return our Received field alone, with its line end."""
    tls = Tls(received.tls_version, received.tls_cipher) if received.tls_version else None
    return received_field(
        # Over LMTP the client is not who gave us the mail: the field below, which is that of
        # the server in front, tells of it (RFC 5321 section 4.4 has each tell of its own hop).
        helo=None if received.source == "lmtp" else secret.helo,
        client_address=secret.client_address,
        client_name=secret.client_name,
        by=hostname,
        protocol=with_protocol(
            lmtp=received.source == "lmtp",
            tls=tls is not None,
            authenticated=received.source == "submission",
            utf8=received.smtputf8,
        ),
        mail_id=received.mail_id,
        recipients=secret.forward_paths,
        moment=datetime.fromtimestamp(received.received_at / 1_000_000, UTC),
        tls=tls,
    )
