"""XFORWARD: a mail server tells the next one whom it has a mail from.

An extension of Postfix, described in its XFORWARD_README: attributes as NAME=xtext, before MAIL,
valid for one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ingress.client import plain_address
from ingress.smtp.paths import SyntaxFault

ANNOUNCED = "XFORWARD NAME ADDR PROTO HELO"
"""The keyword of the extension with the attributes that a client should send."""

_ATTRIBUTES = frozenset(("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"))
MAX_VALUE = 255
"""Characters of a value."""

# RFC 3461 section 4: printable ASCII but "+" and "="; anything else as "+" and two digits. A "=" in
# a value is unmistakable, and taken as it stands.
_XTEXT = re.compile(r"(?:[!-*,-~]|\+[0-9A-Fa-f]{2})+")
_ENCODED = re.compile(rb"\+([0-9A-Fa-f]{2})")
# Not ASCII, not printable, or with a meaning in a header field.
_SPECIAL = re.compile(r'[^!-~]|[<>()\\";@]')
_UNAVAILABLE = ("[unavailable]", "[tempunavail]")
_IPV6 = "ipv6:"


@dataclass(frozen=True, slots=True)
class Client:
    """Whom a mail comes from, as far as is known; "" for what is not."""

    address: str = ""
    name: str = ""
    """The verified name of the address."""
    helo: str = ""

    def updated(self, attributes: Mapping[str, str]) -> Client:
        """Return it with what a further XFORWARD says."""
        return Client(
            attributes.get("ADDR", self.address),
            attributes.get("NAME", self.name),
            attributes.get("HELO", self.helo),
        )


def attributes(text: str) -> dict[str, str]:
    """Return what stands after XFORWARD by upper-case name; "" for what is said to be unavailable.

    Characters that a value must not have become "?", as Postfix does. Raises SyntaxFault.
    """
    found: dict[str, str] = {}
    for word in text.split(" "):
        if not word:
            continue
        name, _, value = word.partition("=")
        key = name.upper()
        if key not in _ATTRIBUTES or key in found:
            raise SyntaxFault("not an attribute")
        found[key] = _value(key, value)
    if not found:
        raise SyntaxFault("no attributes")
    return found


def _value(key: str, encoded: str) -> str:
    if not _XTEXT.fullmatch(encoded):
        raise SyntaxFault("not xtext")
    octets = _ENCODED.sub(lambda m: bytes([int(m[1], 16)]), encoded.encode("ascii"))
    text = octets.decode("ascii", "replace")
    if len(text) > MAX_VALUE:
        raise SyntaxFault("value too long")
    if text.lower() in _UNAVAILABLE:
        return ""
    if key == "ADDR":
        return _address(text)
    # Postfix calls a client so whose name it could not verify.
    if key == "NAME" and text.lower() == "unknown":
        return ""
    return _SPECIAL.sub("?", text)


def _address(text: str) -> str:
    bare = text[len(_IPV6) :] if text.lower().startswith(_IPV6) else text
    address = plain_address(bare)
    if not address:
        raise SyntaxFault("not an address")
    return address
