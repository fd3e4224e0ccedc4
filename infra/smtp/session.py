"""One session with one host, one mail in it (RFC 5321 section 3)."""

from __future__ import annotations

import re
import ssl
from typing import Protocol

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPConnectError,
    SMTPConnectResponseError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPResponseException,
)

from infra.ports import MAX_REPLY, Parcel, Receipt
from mail.exchanges import Exchange

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|\Z)")
_CLOSING = 421


class Timeouts(Protocol):
    """Seconds for each part of a session."""

    @property
    def connect(self) -> float:
        """To a TCP connection and the greeting."""
        ...

    @property
    def command(self) -> float:
        """To the reply to a command."""
        ...

    @property
    def data(self) -> float:
        """To the reply to the final dot."""
        ...


class Refused(Exception):
    """The host says no to this mail, or can't take it in the form that it has."""

    def __init__(self, code: int, enhanced: str, text: str, reason: str = "reply") -> None:
        super().__init__(text)
        self.code = code
        self.enhanced = enhanced
        self.text = text
        self.reason = reason

    @property
    def permanent(self) -> bool:
        """True when it is no use to try again."""
        return self.code >= 500 if self.code else self.enhanced.startswith("5")


class Broken(Exception):
    """No mail can be handed to this host now; another may be tried.

    `code` is what it said, 0 when it said nothing.
    """

    def __init__(
        self, text: str, *, code: int = 0, connected: bool = True, in_handshake: bool = False
    ) -> None:
        super().__init__(text)
        self.code = code
        self.connected = connected
        self.in_handshake = in_handshake


async def hand_over(
    parcel: Parcel,
    exchange: Exchange,
    port: int,
    hostname: str,
    timeouts: Timeouts,
    tls: ssl.SSLContext | None,
) -> Receipt:
    """Hand `parcel` to the host; return what it said when it took it.

    Without `tls` no TLS is begun. Raises Refused, Broken.
    """
    client = SMTP(
        hostname=exchange.address,
        port=port,
        local_hostname=_ascii(hostname),
        timeout=timeouts.connect,
        start_tls=False,
    )
    try:
        await _connect(client)
        client.timeout = timeouts.command
        if tls is not None and await _offers_tls(client):
            await _begin_tls(client, exchange.host, tls)
        return await _transaction(client, parcel, timeouts)
    except SMTPResponseException as e:
        raise _judged(e) from e
    except (SMTPException, OSError, ValueError) as e:
        raise Broken(type(e).__name__) from e
    finally:
        # The mail is taken or it is not: nobody waits for a 221.
        client.close()


async def _connect(client: SMTP) -> None:
    try:
        await client.connect()
    except SMTPConnectResponseError as e:
        # Section 3.1: a host that greets with 554 takes no mail at all; another one may.
        raise Broken(_text(e), code=e.code, connected=False) from e
    except (SMTPConnectError, OSError) as e:
        raise Broken(type(e).__name__, connected=False) from e


async def _offers_tls(client: SMTP) -> bool:
    await _hello(client)
    return client.supports_extension("starttls")


async def _begin_tls(client: SMTP, host: str, tls: ssl.SSLContext) -> None:
    try:
        await client.starttls(tls_context=tls, validate_certs=False, server_hostname=host)
    except (SMTPException, OSError, ValueError) as e:
        raise Broken(type(e).__name__, in_handshake=True) from e


async def _hello(client: SMTP) -> None:
    try:
        await client.ehlo()
    except SMTPHeloError as e:
        if e.code == _CLOSING:
            raise
        # Section 3.2: a host that knows no EHLO is greeted with HELO.
        await client.helo()


async def _transaction(client: SMTP, parcel: Parcel, timeouts: Timeouts) -> Receipt:
    if client.is_ehlo_or_helo_needed:
        await _hello(client)
    parameters = _parameters(client, parcel)
    encoding = "utf-8" if parcel.utf8 else "ascii"
    sender = f"FROM:<{parcel.reverse_path}>".encode(encoding)
    await _command(client, b"MAIL", sender, *parameters)
    await _command(client, b"RCPT", f"TO:<{parcel.forward_path}>".encode(encoding))
    code, text = await _data(client, parcel.message, timeouts.data)
    layer: ssl.SSLObject | None = client.get_transport_info("ssl_object")
    return Receipt(
        taken=True,
        permanent=True,
        code=code,
        enhanced=_enhanced(text),
        reply=text[:MAX_REPLY],
        tls_version=(layer.version() or "") if layer is not None else "",
    )


async def _data(client: SMTP, message: bytes, timeout: float) -> tuple[int, str]:
    try:
        code, text = await client.data(message, timeout=timeout)
    except SMTPResponseException:
        raise
    except (SMTPException, OSError) as e:
        # Nobody knows whether the host has it (section 6.1): it is not given to another as well.
        raise Refused(0, "4.4.2", type(e).__name__, "connection") from e
    return code, text


def _parameters(client: SMTP, parcel: Parcel) -> list[bytes]:
    """Return the parameters of MAIL. Raises Refused when the host lacks what the mail needs."""
    found: list[bytes] = []
    if client.supports_extension("size"):
        limit = client.esmtp_extensions["size"].strip()
        # RFC 1870 section 4: 0 and nothing are no limit. Section 6.1 spares us sending it in vain.
        if limit.isdigit() and 0 < int(limit) < len(parcel.message):
            raise Refused(0, "5.3.4", f"the host takes {limit} octets", "too-large")
        found.append(b"SIZE=%d" % len(parcel.message))
    if parcel.utf8:
        # RFC 6531 section 3.3: it must not be sent to a host without SMTPUTF8.
        if not client.supports_extension("smtputf8"):
            raise Refused(0, "5.6.7", "the host has no SMTPUTF8", "no-smtputf8")
        found.append(b"SMTPUTF8")
    if parcel.eight_bit:
        # RFC 6152 section 3: nor 8-bit content to one without 8BITMIME. Recoding it would break the
        # signatures on it.
        if not client.supports_extension("8bitmime"):
            raise Refused(0, "5.6.3", "the host has no 8BITMIME", "no-8bitmime")
        found.append(b"BODY=8BITMIME")
    return found


async def _command(client: SMTP, *words: bytes) -> None:
    code, text = await client.execute_command(*words)
    if code // 100 != 2:
        raise SMTPResponseException(code, text)


def _judged(e: SMTPResponseException) -> Refused | Broken:
    text = _text(e)
    # Section 3.8: 421 ends the session and says nothing of the mail. In answer to its data it does:
    # another host would perhaps take it a second time.
    if e.code == _CLOSING and not isinstance(e, SMTPDataError):
        return Broken(text, code=e.code)
    # Section 4.2.1: what is no reply code of failure is a defect of the host, which may pass.
    code = e.code if 400 <= e.code < 600 else 0
    return Refused(code, _enhanced(text) if code else "4.5.0", text)


def _text(e: SMTPResponseException) -> str:
    return f"{e.code} {e.message}"[:MAX_REPLY]


def _enhanced(text: str) -> str:
    found = _ENHANCED.search(text[:40])
    return found[1] if found else ""


def _ascii(hostname: str) -> str:
    return hostname.encode("idna").decode("ascii") if not hostname.isascii() else hostname
