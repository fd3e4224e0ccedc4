"""SPF macros: the strings with %{...} in records and explanations (RFC 7208 section 7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

_MACRO = re.compile(r"%(?:([%_-])|\{([a-zA-Z])([0-9]*)([rR]?)([-.+,/_=]*)\})")
# RFC 7208 section 7.1: toplabel, either all alphanumeric with a letter or with an inner hyphen.
_TOP_LABEL = re.compile(r"(?:[0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9])\Z")
_LITERAL = {"%": "%", "_": " ", "-": "%20"}
_IN_DOMAINS = frozenset("slodiphv")
_IN_EXPLANATIONS = _IN_DOMAINS | frozenset("crt")
_LONGEST_NAME = 253


class MacroError(ValueError):
    """The text is not a macro-string or domain-spec; `args[0]` says why."""


class Values(Protocol):
    """Gives the value of a macro letter (lower case). May raise `dns.Missing` for "p"."""

    def __call__(self, letter: str, /) -> str:
        """Return the value of `letter`."""
        ...


@dataclass(frozen=True, slots=True)
class _Expansion:
    letter: str
    escaped: bool
    keep: int
    reverse: bool
    delimiters: str

    def of(self, value: str) -> str:
        # RFC 7208 section 7.3: split only when transformers or delimiters are given; the parts
        # are rejoined with dots.
        if self.keep or self.reverse or self.delimiters:
            parts = re.split(f"[{re.escape(self.delimiters or '.')}]", value)
            if self.reverse:
                parts.reverse()
            value = ".".join(parts[-self.keep :] if self.keep else parts)
        # RFC 3986 section 2.3: unreserved characters stay; quote() leaves exactly those with "~".
        return quote(value, safe="~") if self.escaped else value


@dataclass(frozen=True, slots=True)
class MacroString:
    """A parsed macro-string: literal text and expansions in order."""

    text: str
    parts: tuple[str | _Expansion, ...]

    @property
    def letters(self) -> frozenset[str]:
        """The macro letters used, in lower case."""
        return frozenset(p.letter for p in self.parts if isinstance(p, _Expansion))

    def expand(self, values: Values) -> str:
        """Return the text with each macro replaced by what `values` gives for its letter."""
        return "".join(
            part if isinstance(part, str) else part.of(values(part.letter)) for part in self.parts
        )

    def name(self, values: Values) -> str:
        """Return the expansion as a name to query: lower case, no final dot, at most 253 long."""
        expanded = self.expand(values).removesuffix(".").lower()
        if len(expanded) > _LONGEST_NAME:
            # RFC 7208 section 7.3: labels are dropped on the left until the name fits.
            dot = expanded.find(".", len(expanded) - _LONGEST_NAME - 1)
            return expanded[(dot if dot >= 0 else expanded.rfind(".")) + 1 :]
        return expanded


def parse_macro_string(text: str) -> MacroString:
    """Parse the argument of a modifier. Raises MacroError."""
    return _parse(text, _IN_DOMAINS, spaces=False)


def parse_explanation(text: str) -> MacroString:
    """Parse an explain-string, in which c, r, t and spaces are allowed. Raises MacroError."""
    return _parse(text, _IN_EXPLANATIONS, spaces=True)


def parse_domain_spec(text: str) -> MacroString:
    """Parse a domain-spec: a macro-string that ends in a top label or a macro.

    Raises MacroError.
    """
    parsed = _parse(text, _IN_DOMAINS, spaces=False)
    if not parsed.parts:
        raise MacroError("the domain is empty")
    last = parsed.parts[-1]
    # RFC 7208 section 7.1: domain-end is a macro-expand, "%%" and its like included, or a dot and
    # a top label.
    if isinstance(last, str) and not text.endswith(("%%", "%_", "%-")):
        before, dot, top = last.removesuffix(".").rpartition(".")
        del before
        if not dot or _TOP_LABEL.match(top) is None:
            raise MacroError("it does not end in the top label of a domain name")
    return parsed


def _parse(text: str, letters: frozenset[str], *, spaces: bool) -> MacroString:
    parts: list[str | _Expansion] = []
    literal: list[str] = []
    at = 0
    while at < len(text):
        if text[at] != "%":
            end = text.find("%", at)
            end = len(text) if end < 0 else end
            run = text[at:end]
            if not all("!" <= c <= "~" or (spaces and c == " ") for c in run):
                raise MacroError("it holds a character that is not visible ASCII")
            literal.append(run)
            at = end
            continue
        macro = _MACRO.match(text, at)
        if macro is None:
            raise MacroError("a % is not followed by a macro")
        at = macro.end()
        if macro[1]:
            literal.append(_LITERAL[macro[1]])
            continue
        if literal:
            parts.append("".join(literal))
            literal = []
        parts.append(_expansion(macro, letters))
    if literal:
        parts.append("".join(literal))
    return MacroString(text, tuple(parts))


def _expansion(macro: re.Match[str], letters: frozenset[str]) -> _Expansion:
    letter = macro[2].lower()
    if letter not in letters:
        raise MacroError(f"the macro letter {macro[2]} is not allowed here")
    if macro[3] and int(macro[3][:9]) == 0:
        raise MacroError("a macro that keeps zero parts")
    return _Expansion(
        letter=letter,
        escaped=macro[2].isupper(),
        keep=int(macro[3][:9]) if macro[3] else 0,
        reverse=bool(macro[4]),
        delimiters=macro[5],
    )
