"""One command line of SMTP or LMTP, read (RFC 5321 section 4.1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ingress.smtp import replies, xforward
from ingress.smtp.dialect import Dialect
from ingress.smtp.paths import (
    Path,
    SyntaxFault,
    forward_path,
    is_client_name,
    parameters,
    reverse_path,
)
from ingress.smtp.replies import Reply

MAX_LINE = 2048
"""Octets of a command line with its end: 512 (RFC 5321 section 4.5.3.1.4) and then some."""


@dataclass(frozen=True, slots=True)
class Hello:
    """HELO, EHLO or LHLO."""

    name: str
    extended: bool


@dataclass(frozen=True, slots=True)
class Mail:
    """MAIL FROM. `size` is what the client declared, octets, None when it did not."""

    path: Path
    extended: bool
    size: int | None
    smtputf8: bool


@dataclass(frozen=True, slots=True)
class Rcpt:
    """RCPT TO."""

    path: Path


@dataclass(frozen=True, slots=True)
class XForward:
    """XFORWARD, with its attributes by name; "" for what the client said to be unavailable."""

    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plain:
    """A command without arguments of meaning."""

    verb: Literal["DATA", "RSET", "NOOP", "QUIT", "VRFY", "HELP", "STARTTLS"]


Command = Hello | Mail | Rcpt | XForward | Plain

# Commands that exist and are not for who only takes mail in, or not built.
_NOT_IMPLEMENTED = frozenset(
    ("EXPN", "AUTH", "BDAT", "ETRN", "TURN", "ATRN", "SEND", "SOML", "SAML", "BURL")
)
# Another protocol's first words: a browser made to talk to this port, say.
_OTHER_PROTOCOLS = frozenset(("GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "HOST:"))


class Refused(Exception):
    """A line that is no command that can be obeyed; `reply` says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.code)
        self.reply = reply


def read_command(line: bytes, dialect: Dialect) -> Command:
    """Return the command in `line`, given with its line end. Raises Refused."""
    # RFC 5321 section 2.3.8: CR and LF never stand alone, and only together they end a line.
    if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\0" in line:
        raise Refused(replies.BAD_LINE)
    word, _, rest = line[:-2].partition(b" ")
    try:
        verb = word.decode("ascii").upper()
        arguments = rest.decode("utf-8").strip(" ")
    except UnicodeDecodeError:
        raise Refused(replies.BAD_LINE) from None
    match verb:
        case _ if verb in dialect.hello:
            if not is_client_name(arguments):
                raise Refused(replies.BAD_ARGUMENTS)
            return Hello(arguments, verb != "HELO")
        case "MAIL":
            return _mail(arguments)
        case "RCPT":
            return _rcpt(arguments)
        case "DATA" | "RSET" | "QUIT" | "STARTTLS":
            if arguments:
                raise Refused(replies.NO_ARGUMENTS)
            return Plain(verb)
        case "NOOP" | "HELP":
            return Plain(verb)
        case "VRFY":
            if not arguments:
                raise Refused(replies.BAD_ARGUMENTS)
            return Plain(verb)
        case "XFORWARD" if dialect.xforward:
            return _xforward(arguments)
        case _ if verb in _NOT_IMPLEMENTED:
            raise Refused(replies.NOT_IMPLEMENTED)
        case _ if verb in _OTHER_PROTOCOLS:
            raise Refused(replies.NOT_SMTP)
        case _:
            raise Refused(replies.UNKNOWN_COMMAND)


def _after(keyword: str, arguments: str, fault: Reply) -> str:
    if arguments[: len(keyword)].upper() != keyword:
        raise Refused(replies.BAD_ARGUMENTS)
    # RFC 5321 section 3.3 allows no space here; enough clients send one.
    path = arguments[len(keyword) :].lstrip(" ")
    if not path:
        raise Refused(fault)
    return path


def _parameters(rest: str) -> dict[str, str | None]:
    try:
        return parameters(rest)
    except SyntaxFault:
        raise Refused(replies.BAD_ARGUMENTS) from None


def _mail(arguments: str) -> Mail:
    try:
        path, rest = reverse_path(_after("FROM:", arguments, replies.BAD_SENDER_SYNTAX))
    except SyntaxFault:
        raise Refused(replies.BAD_SENDER_SYNTAX) from None
    size: int | None = None
    smtputf8 = False
    given = _parameters(rest)
    for keyword, value in given.items():
        match keyword:
            case "SIZE":
                # RFC 1870 section 4: 1 to 20 digits.
                if value is None or not (value.isascii() and value.isdigit() and len(value) <= 20):
                    raise Refused(replies.BAD_ARGUMENTS)
                size = int(value)
            case "BODY":
                # RFC 6152 section 2. BINARYMIME is not announced.
                if value is None or value.upper() not in ("7BIT", "8BITMIME"):
                    raise Refused(replies.BAD_ARGUMENTS)
            case "SMTPUTF8":
                # RFC 6531 section 3.4: no value.
                if value is not None:
                    raise Refused(replies.BAD_ARGUMENTS)
                smtputf8 = True
            case _:
                raise Refused(replies.UNKNOWN_PARAMETER)
    return Mail(path, bool(given), size, smtputf8)


def _rcpt(arguments: str) -> Rcpt:
    try:
        path, rest = forward_path(_after("TO:", arguments, replies.BAD_RECIPIENT_SYNTAX))
    except SyntaxFault:
        raise Refused(replies.BAD_RECIPIENT_SYNTAX) from None
    # RFC 5321 section 4.1.1.11: no extension that is announced has a parameter of RCPT.
    if _parameters(rest):
        raise Refused(replies.UNKNOWN_PARAMETER)
    return Rcpt(path)


def _xforward(arguments: str) -> XForward:
    try:
        return XForward(xforward.attributes(arguments))
    except SyntaxFault:
        raise Refused(replies.BAD_ARGUMENTS) from None
