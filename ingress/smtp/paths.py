"""Reverse-path, forward-path and parameters of MAIL and RCPT (RFC 5321 section 4.1.2).

With SMTPUTF8 local parts and domains may hold UTF-8 (RFC 6531 section 3.3).
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_PATH = 256
"""RFC 5321 section 4.5.3.1.3, octets, angle brackets included."""

MAX_DOMAIN = 255
"""RFC 5321 section 4.5.3.1.2, octets."""

# Atext of RFC 5322, and any non-ASCII character: whether those are allowed is SMTPUTF8's matter.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00a0-\U0010ffff]+"
_DOT_STRING = rf"{_ATOM}(?:\.{_ATOM})*"
# qtextSMTP and quoted-pairSMTP.
_QUOTED = r'"(?:[ !#-\[\]-~\u00a0-\U0010ffff]|\\[ -~])*"'
_LETTER = r"A-Za-z0-9_\u00a0-\U0010ffff"
_LABEL = rf"[{_LETTER}](?:[{_LETTER}\-]*[{_LETTER}])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*\.?"
_LITERAL = r"\[[!-Z^-~]+\]"
# A-d-l, the source route: accepted and ignored (RFC 5321 section 4.1.1.3, appendix C).
_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"

_PATH = re.compile(
    rf"<{_ROUTE}(?P<mailbox>(?P<local>{_DOT_STRING}|{_QUOTED})@(?P<domain>{_DOMAIN}|{_LITERAL}))>"
)
_POSTMASTER = re.compile(r"<postmaster>", re.IGNORECASE)
# esmtp-param of RFC 5321 section 4.1.2.
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9\-]*)(?:=([!-<>-~\u00a0-\U0010ffff]+))?")
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_PLAIN = re.compile(_DOT_STRING)


class Path(NamedTuple):
    """A path without its brackets and its source route."""

    text: str
    """As the client wrote it; "" for the null reverse-path."""
    address: str
    """For looking up: needless quoting undone, no final dot, domain in lower case."""

    @property
    def domain(self) -> str:
        """The domain, lower case; "" for the null reverse-path and for <postmaster>."""
        return self.address.rpartition("@")[2] if "@" in self.address else ""

    @property
    def is_ascii(self) -> bool:
        """True when the path needs no SMTPUTF8."""
        return self.text.isascii()


NULL_PATH = Path("", "")
POSTMASTER = Path("postmaster", "postmaster")


class SyntaxFault(Exception):
    """What stands after the colon is no path, or its parameters are none."""


def reverse_path(text: str) -> tuple[Path, str]:
    """Return the path at the start of `text` and what follows it. Raises SyntaxFault."""
    if text.startswith("<>"):
        return NULL_PATH, text[2:]
    return _path(text)


def forward_path(text: str) -> tuple[Path, str]:
    """Return the path at the start of `text` and what follows it. Raises SyntaxFault."""
    # RFC 5321 section 4.1.1.3: postmaster without a domain is always a recipient.
    m = _POSTMASTER.match(text)
    if m is not None:
        return POSTMASTER, text[m.end() :]
    return _path(text)


def _path(text: str) -> tuple[Path, str]:
    m = _PATH.match(text[: 2 * MAX_PATH])
    if m is None:
        raise SyntaxFault("not a path")
    if len(m["mailbox"].encode()) + 2 > MAX_PATH or len(m["domain"].encode()) > MAX_DOMAIN:
        raise SyntaxFault("path too long")
    address = f"{_unquoted(m['local'])}@{m['domain'].rstrip('.').lower()}"
    return Path(m["mailbox"], address), text[m.end() :]


def _unquoted(local: str) -> str:
    # RFC 5321 section 4.1.2: "Joe" and Joe are the same local part; quoting that is needed stays.
    if not local.startswith('"'):
        return local
    inner = _PAIR.sub(r"\1", local[1:-1])
    return inner if _PLAIN.fullmatch(inner) else local


def parameters(text: str) -> dict[str, str | None]:
    """Return the parameters in `text` by upper-case keyword; None for one without a value.

    Raises SyntaxFault for what is no parameter, and for one given twice.
    """
    found: dict[str, str | None] = {}
    if text and not text.startswith(" "):
        raise SyntaxFault("no space before parameters")
    for word in text.split(" "):
        if not word:
            continue
        m = _PARAMETER.fullmatch(word)
        if m is None or m[1].upper() in found:
            raise SyntaxFault("not a parameter")
        found[m[1].upper()] = m[2]
    return found


def is_client_name(text: str) -> bool:
    """Say whether `text` can stand after EHLO: a domain or an address literal.

    Many clients in use give a name that is not quite a domain; what breaks no header is let
    through (RFC 5321 section 4.1.4 forbids to refuse mail for a name that does not verify).
    """
    return 0 < len(text.encode()) <= MAX_DOMAIN and not any(c <= " " or c == "\x7f" for c in text)
