"""Trace fields that a receiving system puts on top of a message (RFC 5321 section 4.4, RFC 8601).

What a client said (HELO, addresses) goes into them only in the shape that the syntax gives it:
there is no way to end a line, a comment or a quoted string from outside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import NamedTuple

from mail.addresses import canonical_domain, parse_addresses
from mail.dates import format_date
from mail.fields import Field, iter_fields, split_header

_FOLD = "\r\n\t"
_LINE = 78
_MAX_DOMAIN = 255
_MAX_TEXT = 500

# Letters beyond ASCII: no controls, separators, format characters, surrogates, private use.
_BEYOND = (
    r"\xa1-\xac\xae-\u1fff\u2070-\ud7ff\uf900-\ufdcf\ufdf0-\ufefe\uff01-\uffef\U00010000-\U000effff"
)
# RFC 5321 section 4.1.2: Domain, with underscores as they are seen, and U-labels (RFC 6531).
_DOMAIN = re.compile(
    rf"(?=.{{1,255}}\Z)[A-Za-z0-9_{_BEYOND}](?:[A-Za-z0-9_.{_BEYOND}-]*[A-Za-z0-9_{_BEYOND}])?\Z"
)
_LITERAL = re.compile(r"\[[A-Za-z0-9:.-]{1,100}\]\Z")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+\Z")
_ADDRESS_VALUE = re.compile(
    rf"[A-Za-z0-9!#$%&'*+./=?^_`{{|}}~{_BEYOND}-]*@[A-Za-z0-9._{_BEYOND}-]+\Z"
)
_KEYWORD = re.compile(r"[^A-Za-z0-9_.-]+")
_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_SPECIAL = re.compile(r"[()\\]")
_QUOTE = re.compile(r'(["\\])')
_IN_COMMENT = re.compile(rb"(?:[^()\\]|\\.)*+", re.DOTALL)
_AUTHSERV_ID = re.compile(rb'"((?:[^"\\]|\\.)*+)"|([^\s;()"/]++)', re.DOTALL)


class Tls(NamedTuple):
    """The protection of a connection."""

    version: str
    """As the TLS library names it: "TLSv1.3"."""
    cipher: str


class AuthResult(NamedTuple):
    """One result of one method (RFC 8601 section 2.2)."""

    method: str
    """Registered name: "spf", "dkim", "dmarc", "arc", "iprev" ..."""
    result: str
    properties: tuple[tuple[str, str], ...] = ()
    """(ptype.property, value), such as ("smtp.mailfrom", "a@example.org")."""
    reason: str = ""


def with_protocol(
    *,
    extended: bool = True,
    lmtp: bool = False,
    tls: bool = False,
    authenticated: bool = False,
    utf8: bool = False,
) -> str:
    """Return the keyword after "with" (RFC 3848, RFC 6531 section 4.3)."""
    if not (extended or lmtp):
        return "SMTP"
    base = "LMTP" if lmtp else ("SMTP" if utf8 else "ESMTP")
    return ("UTF8" if utf8 else "") + base + ("S" if tls else "") + ("A" if authenticated else "")


def return_path(reverse_path: str) -> bytes:
    """Return the Return-Path field with its line end (RFC 5321 section 4.4).

    An empty reverse-path, or one that is no address, is the null path.
    """
    return f"Return-Path: <{_path(reverse_path) or ''}>\r\n".encode()


def received(
    *,
    helo: str | None,
    client_address: str,
    by: str,
    protocol: str,
    mail_id: str,
    recipients: Sequence[str],
    moment: datetime,
    client_name: str = "",
    tls: Tls | None = None,
) -> bytes:
    """Return the Received field with its line end (RFC 5321 section 4.4).

    Without `helo` it does not say from whom. `client_name` is the verified name of the client,
    empty when there is none; `by` our host name; `protocol` from `with_protocol`. The recipient is
    named only when it is the only one: otherwise each would learn of the others (section 7.2).
    """
    clauses = [f"by {_host(by, 'localhost')} with {_keyword(protocol)}"]
    if helo is None:
        clauses[0] = f"Received: {clauses[0]}"
    else:
        literal = _address_literal(client_address)
        info = f"{client_name} {literal}" if client_name and _DOMAIN.match(client_name) else literal
        clauses.insert(0, f"Received: from {_host(helo, literal)} ({info})")
    if tls is not None:
        clauses.append(f"({_comment(tls.version)} {_comment(tls.cipher)})")
    clauses.append(f"id {_keyword(mail_id)}")
    if len(recipients) == 1 and (only := _path(recipients[0])):
        clauses.append(f"for <{only}>")
    clauses[-1] += ";"
    clauses.append(format_date(moment))
    return _folded(clauses)


def authentication_results(authserv_id: str, results: Sequence[AuthResult]) -> bytes:
    """Return the Authentication-Results field with its line end (RFC 8601 section 2.2)."""
    name = f"Authentication-Results: {_host(authserv_id, 'localhost')};"
    if not results:
        return _folded([name, "none"])
    clauses = [name]
    for result in results:
        clauses.append(f"{_keyword(result.method)}={_keyword(result.result)}")
        if result.reason:
            clauses.append(f"reason={_quoted(result.reason)}")
        clauses += [f"{_keyword(name)}={_value(value)}" for name, value in result.properties]
        clauses[-1] += ";"
    clauses[-1] = clauses[-1][:-1]
    return _folded(clauses)


def as_shown(raw: bytes, trace_headers: bytes, authserv_id: str) -> bytes:
    """Return the message with our trace fields on top and without forged ones.

    RFC 8601 section 5: an Authentication-Results that claims our authserv-id and came with the
    message is deleted. All other octets stay as they are.
    """
    header = split_header(raw)
    own = canonical_domain(authserv_id)
    pieces = [trace_headers]
    if raw.startswith((b" ", b"\t")):
        # Would be read as the continuation of our last field.
        pieces.append(b"X-Unnamed-Field:\r\n")
    elif not header.fields and header.body == 0 and (b"\n\r\n" in raw or b"\n\n" in raw):
        # No header at all: the text before the empty line must not be read as one.
        pieces.append(b"\r\n")
    pos = 0
    for field in iter_fields(raw, 0, header.body):
        if field.name == b"authentication-results" and _claims(field, own):
            pieces.append(raw[pos : field.start])
            pos = field.start + len(field.raw)
    pieces.append(raw[pos:])
    return b"".join(pieces)


def authserv_id_of(value: bytes) -> str:
    """Return the authserv-id of an Authentication-Results value, folded; empty if it has none."""
    m = _AUTHSERV_ID.match(value, _after_comments(value))
    if m is None:
        return ""
    identifier = m[2] if m[1] is None else re.sub(rb"\\(.)", rb"\1", m[1], flags=re.DOTALL)
    return canonical_domain(identifier.decode("utf-8", "replace").strip())


def count_received(header: bytes) -> int:
    """Return how many Received fields a message has, for loop detection (RFC 5321 6.3)."""
    return sum(field.name == b"received" for field in split_header(header).fields)


def _after_comments(value: bytes) -> int:
    """Return where the white space and the comments at the start end; comments nest."""
    pos = depth = 0
    while pos < len(value):
        if value.startswith(b"(", pos):
            depth += 1
        elif depth and value.startswith(b")", pos):
            depth -= 1
        elif depth and (m := _IN_COMMENT.match(value, pos)) and m.end() > pos:
            pos = m.end()
            continue
        elif depth or not value[pos : pos + 1].isspace():
            break
        pos += 1
    return pos


def _claims(field: Field, own: str) -> bool:
    return authserv_id_of(field.value) == own


def _folded(clauses: list[str]) -> bytes:
    """Join clauses with blanks, and with folds where a line would get too long."""
    lines = [clauses[0]]
    for clause in clauses[1:]:
        if len(lines[-1]) + 1 + len(clause) <= _LINE:
            lines[-1] += " " + clause
        else:
            lines.append(clause)
    return (_FOLD.join(lines) + "\r\n").encode()


def _path(address: str) -> str | None:
    """Return an address as it may stand in a path, None for what is none."""
    found = parse_addresses(f"<{address}>")
    if len(found.mailboxes) != 1 or found.defects or len(address) > _MAX_TEXT:
        return None
    return found.mailboxes[0].address


def _host(name: str, otherwise: str) -> str:
    return name if _DOMAIN.match(name) or _LITERAL.match(name) else otherwise


def _address_literal(address: str) -> str:
    """Return an address literal (RFC 5321 section 4.1.3)."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    return f"[IPv6:{parsed.compressed}]" if parsed.version == 6 else f"[{parsed}]"


def _keyword(word: str) -> str:
    return _KEYWORD.sub("", word)[:_MAX_DOMAIN] or "unknown"


def _comment(text: str) -> str:
    return _SPECIAL.sub("", _NOT_TEXT.sub(" ", text))[:_MAX_TEXT]


def _quoted(text: str) -> str:
    return '"' + _QUOTE.sub(r"\\\1", _NOT_TEXT.sub(" ", text)[:_MAX_TEXT]) + '"'


def _value(text: str) -> str:
    """Return a pvalue: an address or a token as it is, anything else quoted (RFC 8601 2.2)."""
    text = text[:_MAX_TEXT]
    return text if _TOKEN.match(text) or _ADDRESS_VALUE.match(text) else _quoted(text)
