"""The text of an SPF record, parsed whole before anything is evaluated (RFC 7208 section 4.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal, TypeAlias

from mail.authentication.spf_macro import (
    MacroError,
    MacroString,
    parse_domain_spec,
    parse_macro_string,
)

Qualified: TypeAlias = Literal["pass", "fail", "softfail", "neutral"]
Kind: TypeAlias = Literal["all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"]

_QUALIFIERS: dict[str, Qualified] = {
    "+": "pass",
    "-": "fail",
    "~": "softfail",
    "?": "neutral",
}
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)\Z", re.DOTALL)
_MECHANISM = re.compile(r"([-+~?]?)([A-Za-z0-9]+)(?::([^ ]*?))?((?:/[0-9]+)?(?://[0-9]+)?)\Z")
_KINDS = frozenset(("all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"))
_LOOKUPS = frozenset(("include", "a", "mx", "ptr", "exists"))
# RFC 7208 section 5.6: qnum, decimal octets without leading zeros.
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IP4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}\Z")


class SpfSyntaxError(ValueError):
    """A term of a record is not what the grammar allows."""

    def __init__(self, term: str, why: str) -> None:
        super().__init__(term, why)
        self.term = term
        self.why = why


@dataclass(frozen=True, slots=True)
class Directive:
    """One mechanism with the result that a match gives."""

    text: str
    result: Qualified
    kind: Kind
    domain: MacroString | None = None
    network: IPv4Network | IPv6Network | None = None
    prefix4: int = 32
    prefix6: int = 128

    @property
    def looks_up(self) -> bool:
        """True when the mechanism counts towards the limit of DNS lookups (section 4.6.4)."""
        return self.kind in _LOOKUPS


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """A record without syntax errors."""

    directives: tuple[Directive, ...]
    redirect: MacroString | None
    explanation: MacroString | None


def is_spf(text: bytes) -> bool:
    """Tell whether a TXT record is an SPF record (RFC 7208 section 4.5)."""
    return text[:6].lower() == b"v=spf1" and text[6:7] in (b"", b" ")


def parse_spf(text: bytes) -> SpfRecord:
    """Parse a record that `is_spf` accepts. Raises SpfSyntaxError naming the term at fault."""
    return _kept(text) if len(text) <= _LONGEST_KEPT else _parsed(text)


def _parsed(text: bytes) -> SpfRecord:
    try:
        terms = text.decode("ascii").split(" ")[1:]
    except UnicodeDecodeError:
        # RFC 7208 section 3.1: records are ASCII.
        raise SpfSyntaxError("the record", "it is not ASCII") from None
    directives: list[Directive] = []
    redirect: MacroString | None = None
    explanation: MacroString | None = None
    for term in terms:
        if not term:
            continue
        modifier = _MODIFIER.match(term)
        if modifier is None:
            directives.append(_directive(term))
            continue
        name = modifier[1].lower()
        try:
            if name == "redirect":
                if redirect is not None:
                    raise SpfSyntaxError(term, "there is more than one redirect")
                redirect = parse_domain_spec(modifier[2])
            elif name == "exp":
                if explanation is not None:
                    raise SpfSyntaxError(term, "there is more than one exp")
                explanation = parse_domain_spec(modifier[2])
            else:
                # RFC 7208 section 6: an unknown modifier is ignored but must be a macro-string.
                parse_macro_string(modifier[2])
        except MacroError as error:
            raise SpfSyntaxError(term, str(error)) from None
    return SpfRecord(tuple(directives), redirect, explanation)


# Records of the size in use are parsed once; what is larger is not worth the memory.
_LONGEST_KEPT = 1024
_kept = lru_cache(maxsize=1024)(_parsed)


def _directive(term: str) -> Directive:
    shape = _MECHANISM.match(term)
    if shape is None:
        raise SpfSyntaxError(term, "it is neither a mechanism nor a modifier")
    kind = shape[2].lower()
    if kind not in _KINDS:
        raise SpfSyntaxError(term, "there is no such mechanism")
    result = _QUALIFIERS[shape[1] or "+"]
    argument: str | None = shape[3]
    prefixes: str = shape[4]
    if kind in ("ip4", "ip6"):
        return _network(term, result, kind, argument, prefixes)
    if kind in ("a", "mx"):
        prefix4, prefix6 = _dual_prefix(term, prefixes)
        domain = None if argument is None else _domain(term, argument)
        return Directive(term, result, kind, domain, None, prefix4, prefix6)
    if kind == "all":
        if argument is not None or prefixes:
            raise SpfSyntaxError(term, "all takes no argument")
        return Directive(term, result, kind)
    # include, ptr and exists take no prefix length; a "/" is part of their domain-spec.
    if argument is None:
        if prefixes or kind != "ptr":
            raise SpfSyntaxError(term, "a domain is missing")
        return Directive(term, result, kind)
    return Directive(term, result, kind, _domain(term, argument + prefixes))


def _domain(term: str, text: str) -> MacroString:
    try:
        return parse_domain_spec(text)
    except MacroError as error:
        raise SpfSyntaxError(term, str(error)) from None


def _prefix(term: str, digits: str, most: int) -> int:
    # RFC 7208 section 5.6: no leading zeros, at most the width of the address.
    if (digits.startswith("0") and digits != "0") or len(digits) > 3 or int(digits) > most:
        raise SpfSyntaxError(term, f"/{digits} is no prefix length")
    return int(digits)


def _dual_prefix(term: str, text: str) -> tuple[int, int]:
    four, _, six = text.partition("//")
    return (
        _prefix(term, four.removeprefix("/"), 32) if four else 32,
        _prefix(term, six, 128) if six else 128,
    )


def _network(
    term: str, result: Qualified, kind: Kind, argument: str | None, prefixes: str
) -> Directive:
    if not argument or "//" in prefixes:
        raise SpfSyntaxError(term, "it takes one address and one prefix length")
    digits = prefixes.removeprefix("/")
    if kind == "ip4":
        if _IP4.match(argument) is None:
            raise SpfSyntaxError(term, "it is no IPv4 address")
        prefix = _prefix(term, digits, 32) if digits else 32
        network = IPv4Network((int(IPv4Address(argument)), prefix), strict=False)
        return Directive(term, result, kind, None, network)
    try:
        # A zone index ("%eth0") is no part of an address in a record.
        if "%" in argument:
            raise AddressValueError(argument)
        address = IPv6Address(argument)
    except AddressValueError:
        raise SpfSyntaxError(term, "it is no IPv6 address") from None
    prefix = _prefix(term, digits, 128) if digits else 128
    return Directive(term, result, kind, None, IPv6Network((int(address), prefix), strict=False))
