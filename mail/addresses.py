"""Address lists of header fields (RFC 5322 section 3.4, obsolete syntax, RFC 6532 UTF-8).

Strict on purpose: a reader that guesses an address out of a malformed one can be led to another
address than the one a strict reader sees. What is malformed gives a defect and no mailbox. An
element is judged whole, left to right; where quoting is broken nothing after it is read, since
the rest of the list has no certain meaning.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import idna

from mail.address_tokens import ATEXT, Defect, is_special, one_of, tokenize
from mail.charsets import decode
from mail.words import decode_words

MAX_VALUE = 128 * 1024
"""Octets of an address field that are read; the defect "too long" says that there were more."""


class Mailbox(NamedTuple):
    """One mailbox: display name and address."""

    name: str
    """Display name, decoded; empty when there is none."""
    address: str
    """The addr-spec without white space and comments, `local@domain`."""

    @property
    def local(self) -> str:
        """The local part as it is written in the address, quotes included."""
        return split_address(self.address)[0]

    @property
    def domain(self) -> str:
        """The domain as it is written, empty when there is none."""
        return split_address(self.address)[1]


class Group(NamedTuple):
    """A named group of mailboxes (RFC 5322 section 3.4)."""

    name: str
    mailboxes: tuple[Mailbox, ...]


class AddressList(NamedTuple):
    """What an address field says."""

    mailboxes: tuple[Mailbox, ...] = ()
    """All mailboxes in order, those of groups included."""
    groups: tuple[Group, ...] = ()
    defects: tuple[Defect, ...] = ()


_DOT_ATOM = re.compile(rf"{ATEXT}++(?:\.{ATEXT}++)*+\Z")
# The two forms that nearly all mail uses: `Name <local@domain>` and `local@domain`.
_COMMON = re.compile(
    rf'[ \t]*+(?:(?:"([^"\\\r\n\x00-\x1f\x7f]*+)"|((?:{ATEXT}++[ \t.]*+)*+))[ \t]*+<)?'
    rf"({ATEXT}++(?:\.{ATEXT}++)*+@{ATEXT}++(?:\.{ATEXT}++)*+)(>?)[ \t]*+(?:,(?:\r?\n)?|\Z)"
)
_SPACES = re.compile(r"[ \t]+")
_TO_QUOTE = re.compile(r'(["\\])')
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_OCTET = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_NOT_IN_ADDRESS = re.compile("[\ud800-\udfff\x00-\x1f\x7f-\x9f]")
_NAME_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]+")


def parse_addresses(value: bytes | str) -> AddressList:
    """Parse the value of From, To, Cc, Sender, Reply-To and the like. Never raises.

    Comments, quoted strings, routes, groups and the obsolete syntax are read as RFC 5322 sections
    3.4 and 4.4 say; a comment after a bare address is its display name, as was the custom before
    RFC 822 had phrases. Encoded words are decoded in names, after parsing only. At most
    MAX_VALUE octets are read.
    """
    whole = len(value) <= MAX_VALUE
    if not whole:
        value = value[:MAX_VALUE]
    text = value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")
    if not whole:
        # The element that was cut is not read at all.
        found = parse_addresses(text[: text.rfind(",") + 1])
        return found._replace(defects=(*found.defects, "too long"))
    common: list[Mailbox] = []
    pos, size = 0, len(text)
    while (m := _COMMON.match(text, pos)) is not None:
        quoted, phrase, address, close = m.groups()
        if (quoted is None and phrase is None) != (close == ""):
            break
        name = phrase.rstrip(" \t") if quoted is None and phrase else (quoted or "")
        common.append(Mailbox(_display(name), address))
        pos = m.end()
        if pos == size:
            return AddressList(tuple(common))
    return _Parser(text).run()


def split_address(address: str) -> tuple[str, str]:
    """Split an address into local part and domain; the domain is empty when there is none."""
    # A domain literal may hold "@" but no "[" (RFC 5322 section 3.4.1), a dot-atom neither.
    at = address.rfind("@[") if address.endswith("]") else address.rfind("@")
    if at < 0 or (address.endswith('"') and not address.endswith("]")):
        return address, ""
    return address[:at], address[at + 1 :]


def canonical_domain(domain: str) -> str:
    """Return a domain in lower case with A-labels where it is a valid internationalised name."""
    lower = domain.lower().removesuffix(".")
    if lower.isascii() or len(lower) > 253:  # the bound of RFC 1035 section 2.3.4
        return lower
    try:
        return idna.encode(lower, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return lower


def canonical(address: str) -> str:
    """Return the form by which addresses compare: the domain folded, the local part untouched.

    RFC 5321 section 2.4: only the host that owns a local part may judge its case.
    """
    local, domain = split_address(address)
    return f"{local}@{canonical_domain(domain)}" if domain else local


def account_key(address: str) -> str:
    """Return the form by which our own accounts are looked up: `canonical`, local in lower case."""
    local, domain = split_address(address)
    return f"{local.lower()}@{canonical_domain(domain)}" if domain else local.lower()


def same_address(one: str, other: str) -> bool:
    """Whether two addresses are the same mailbox, as far as one can tell from outside."""
    return canonical(one) == canonical(other)


class _Parser:
    """Recursive descent without recursion: the grammar nests only one group deep."""

    def __init__(self, text: str) -> None:
        broken: Defect | None
        self._tokens, self._comments, broken = tokenize(text)
        self._broken: Defect | None = broken
        self._mailboxes: list[Mailbox] = []
        self._groups: list[Group] = []
        self._defects: list[Defect] = []

    def run(self) -> AddressList:
        tokens = self._tokens
        pos = 0
        while pos < len(tokens):
            if is_special(tokens, pos, ","):  # empty elements are obsolete syntax (section 4.4)
                pos += 1
                continue
            colon = self._phrase_end(pos)
            if colon > pos and is_special(tokens, colon, ":"):
                pos = self._group(pos, colon)
            else:
                pos = self._element(pos, self._mailboxes, "")
        if self._broken is not None:
            self._defects.append(self._broken)
        return AddressList(tuple(self._mailboxes), tuple(self._groups), tuple(self._defects))

    def _group(self, start: int, colon: int) -> int:
        """Read the group at `start`; one that is not closed has no members."""
        tokens, members = self._tokens, list[Mailbox]()
        pos = colon + 1
        while pos < len(tokens) and not is_special(tokens, pos, ";"):
            if is_special(tokens, pos, ","):
                pos += 1
            else:
                pos = self._element(pos, members, ";")
        if pos >= len(tokens):
            self._defects.append("unterminated group")
            return pos
        pos += 1
        if pos < len(tokens) and not is_special(tokens, pos, ","):
            self._defects.append("malformed group")
            return self._skip(pos, "")
        self._groups.append(Group(self._phrase(start, colon), tuple(members)))
        self._mailboxes += members
        return pos

    def _element(self, start: int, into: list[Mailbox], stop: str) -> int:
        """Read one mailbox at `start` up to a comma (or `stop`, in a group), or skip all of it."""
        tokens = self._tokens
        angle = self._phrase_end(start)
        if is_special(tokens, angle, "<"):
            end, address = self._angle(angle)
            name = self._phrase(start, angle)
        else:
            end, address = self._addr_spec(start)
            if address is not None and is_special(tokens, end, "<"):
                # `a@b <a@b>`: "@" may not stand in a phrase, but both readings are one address.
                close, inner = self._angle(end)
                if inner is not None and account_key(inner) == account_key(address):
                    self._defects.append("address as display name")
                    name, end = address, close
                    address = inner
                else:
                    name, address = "", None
            else:
                name = ""
        if address is None or (end < len(tokens) and not one_of(tokens, end, "," + stop)):
            self._defects.append("malformed address")
            return self._skip(start, stop)
        if "@" not in address:
            self._defects.append("address without domain")
        name = name or self._comments.get(end - 1, "")
        into.append(Mailbox(_display(name), address))
        return end

    def _phrase_end(self, pos: int) -> int:
        """Return the position after the words at `pos`; a "." is allowed after the first word."""
        tokens, start = self._tokens, pos
        while pos < len(tokens) and (
            tokens[pos].kind in ("atom", "quoted") or (pos > start and is_special(tokens, pos, "."))
        ):
            pos += 1
        return pos

    def _phrase(self, start: int, end: int) -> str:
        pieces: list[str] = []
        for token in self._tokens[start:end]:
            if token.spaced and pieces:
                pieces.append(" ")
            pieces.append(token.text)
        return "".join(pieces)

    def _angle(self, pos: int) -> tuple[int, str | None]:
        """Read `<addr-spec>` at `pos`; a route before it is passed over (section 4.4)."""
        tokens = self._tokens
        pos += 1
        if one_of(tokens, pos, "@,"):
            while pos < len(tokens) and not is_special(tokens, pos, ":"):
                if is_special(tokens, pos, ","):
                    pos += 1
                elif is_special(tokens, pos, "@"):
                    pos, domain = self._domain(pos + 1)
                    if domain is None:
                        return pos, None
                else:
                    return pos, None
            pos += 1
        end, address = self._addr_spec(pos)
        if address is None or not is_special(tokens, end, ">"):
            return end, None
        return end + 1, address

    def _addr_spec(self, pos: int) -> tuple[int, str | None]:
        """Read local part, "@", domain; a local part alone is an address without domain."""
        tokens = self._tokens
        words: list[str] = []
        while pos < len(tokens) and tokens[pos].kind in ("atom", "quoted"):
            words.append(tokens[pos].text)
            pos += 1
            if not is_special(tokens, pos, "."):
                break
            pos += 1
        else:
            return pos, None
        local = ".".join(words)
        if _NOT_IN_ADDRESS.search(local):
            return pos, None
        quoted = False
        if not _DOT_ATOM.match(local):
            local, quoted = '"' + _TO_QUOTE.sub(r"\\\1", local) + '"', True
        if not is_special(tokens, pos, "@"):
            return pos, None if quoted or local.startswith("=?") else local
        pos, domain = self._domain(pos + 1)
        return pos, None if domain is None else f"{local}@{domain}"

    def _domain(self, pos: int) -> tuple[int, str | None]:
        tokens = self._tokens
        if pos < len(tokens) and tokens[pos].kind == "literal":
            return pos + 1, f"[{_SPACES.sub('', tokens[pos].text)}]"
        labels: list[str] = []
        while pos < len(tokens) and tokens[pos].kind == "atom":
            labels.append(tokens[pos].text)
            pos += 1
            if not is_special(tokens, pos, "."):
                domain = ".".join(labels)
                return pos, None if _NOT_IN_ADDRESS.search(domain) else domain
            pos += 1
        return pos, None

    def _skip(self, pos: int, stop: str) -> int:
        """Return the position of the comma that ends a malformed element, brackets respected."""
        tokens, inside = self._tokens, False
        while pos < len(tokens):
            if is_special(tokens, pos, "<"):
                inside = True
            elif is_special(tokens, pos, ">"):
                inside = False
            elif not inside and one_of(tokens, pos, "," + stop):
                return pos
            pos += 1
        return pos


def _display(name: str) -> str:
    """Return a display name as text: raw octets and encoded words decoded, controls removed."""
    if not name:
        return ""
    if _SURROGATE.search(name):
        name = decode(_NOT_OCTET.sub("\ufffd", name).encode("utf-8", "surrogateescape"))
    name = decode_words(name)
    return _SPACES.sub(" ", _NAME_CONTROLS.sub(" ", name)).strip()
