"""A query answered by looking at every message, and at every word of it.

It shares the tree with the house, and no line of what reads text: folding, words and phrases are
told here a second time, character by character.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mail.message import digest
from mail.parts import parse
from mail.query import tree as t
from mail.text import body_text

_STROKES = {"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe"}


_ACCENTS = tuple(
    """COMBINING, HEBREW POINT, HEBREW ACCENT, ARABIC FATHA, ARABIC KASRA, ARABIC DAMM,
    ARABIC SHADDA, ARABIC SUKUN, ARABIC HAMZA, ARABIC MADDAH, VARIATION SELECTOR""".replace(
        "\n    ", " "
    ).split(", ")
)


def _is_accent(c: str) -> bool:
    name = unicodedata.name(c, "")
    kind = unicodedata.category(c)
    if kind == "Cf" or c == "\u0640":
        return True
    if name.startswith("COMBINING KATAKANA"):
        return False
    return kind in ("Mn", "Me") and name.startswith(_ACCENTS)


def plain(text: str) -> str:
    """Return text in small letters without accents."""
    for _ in range(2):
        whole = unicodedata.normalize("NFKD", text.casefold())
        text = "".join(_STROKES.get(c, c) for c in whole if not _is_accent(c))
    return unicodedata.normalize("NFC", text)


_JOINED_NAMES = ("CJK UNIFIED", "CJK COMPAT", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC")


def _joins(c: str) -> bool:
    """Say whether a character is of a script that puts no space between words."""
    if c in "・゠":
        return False
    return unicodedata.name(c, "").startswith((*_JOINED_NAMES, "THAI CHARACTER", "BOPOMOFO")) and (
        unicodedata.category(c)[0] in "LMN"
    )


Unit = tuple[str, bool]
"""A word, or one character of a script without spaces and whether it follows on another."""


def units(text: str) -> list[Unit]:
    """Return words and characters in order."""
    found: list[Unit] = []
    word = ""
    joined = False
    for c in plain(text) + " ":
        counts = unicodedata.category(c)[0] in "LMN"
        if counts and not _joins(c):
            word += c
            joined = False
            continue
        if word:
            found.append((word[:64], False))
            word = ""
        if counts:
            found.append((c, joined))
        joined = counts
    return found


@dataclass
class Entry:
    """One stretch of text within which a phrase may stand."""

    units: list[Unit]
    places: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    def __post_init__(self) -> None:
        for n, (text, _) in enumerate(self.units):
            self.places.setdefault(text, []).append(n)

    def has(self, phrase: Sequence[Unit], prefix: bool) -> bool:
        first = phrase[0][0]
        if prefix and len(phrase) == 1 and not _joins(first[0]):
            return any(text.startswith(first) and not _joins(text[0]) for text in self.places)
        return any(self._at(n, phrase, prefix) for n in self.places.get(first, ()))

    def _at(self, start: int, phrase: Sequence[Unit], prefix: bool) -> bool:
        for i, (wanted, joined) in enumerate(phrase):
            if start + i == len(self.units):
                return False
            text, really = self.units[start + i]
            last = i == len(phrase) - 1
            if text != wanted and not (last and prefix and text.startswith(wanted)):
                return False
            if _joins(wanted[0]) and i and joined != really:
                return False
            # What the query ends a run with, and goes on behind, must end there too.
            if _joins(wanted[0]) and not last and not phrase[i + 1][1]:
                after = self.units[start + i + 1 : start + i + 2]
                if after and after[0][1]:
                    return False
        return True


@dataclass
class Message:
    """A message, its words by field."""

    message_id: str
    internal_date: int
    size: int
    labels: set[str]
    flags: set[str]
    attachments: bool
    header: str
    entries: Mapping[t.Field, list[Entry]]

    @classmethod
    def of(
        cls,
        raw: bytes,
        message_id: str,
        internal_date: int,
        size: int,
        labels: Iterable[str],
        flags: Iterable[str],
    ) -> Message:
        tree = parse(raw)
        read = digest(raw, tree)
        said: dict[t.Field, list[str]] = {
            "from": [x for m in read.from_ for x in (m.name, m.address)],
            "to": [x for m in read.to for x in (m.name, m.address)],
            "cc": [x for m in read.cc for x in (m.name, m.address)],
            "subject": [read.subject],
            "body": [body_text(raw, tree)],
            "filename": [a.filename for a in read.attachments],
            "list": [read.list_id],
        }
        return cls(
            message_id,
            internal_date,
            size,
            set(labels),
            set(flags),
            read.has_attachments,
            read.message_id,
            {name: [Entry(units(x)) for x in texts] for name, texts in said.items()},
        )


class Naive:
    """Messages of one mailbox, at a time."""

    def __init__(
        self, messages: Sequence[Message], now: int, names: Mapping[str, str] = {}
    ) -> None:
        """`names` gives the names of the user's labels by identifier."""
        self.messages = messages
        self.now = now
        self.names = {
            **names,
            **{x: x for x in ("INBOX", "SENT", "DRAFTS", "SPAM", "TRASH", "ALL")},
        }

    def search(
        self, node: t.Node, *, labels: Sequence[str] = (), include_spam: bool = False
    ) -> list[str]:
        """Return what a query finds, in the order of a list."""
        shown = {"ALL"}
        for leaf, wanted in t.leaves(node):
            if wanted and isinstance(leaf, t.Label):
                if leaf.name.lower() == "anywhere":
                    include_spam = True
                shown |= self.meant(leaf.name) & {"SPAM", "TRASH"}
        found = [
            m
            for m in self.messages
            if self.matches(node, m)
            and all(x in m.labels for x in labels)
            and (labels or include_spam or m.labels & shown)
        ]
        return [m.message_id for m in sorted(found, key=lambda m: (-m.internal_date, m.message_id))]

    def meant(self, name: str) -> set[str]:
        """Return the labels that a name means."""
        sought = units(name)
        return {i for i, n in self.names.items() if i == name or (sought and units(n) == sought)}

    def matches(self, node: t.Node, m: Message) -> bool:
        """Say whether a message is one of those that the query means."""
        match node:
            case t.And(children):
                return all(self.matches(c, m) for c in children)
            case t.Or(children):
                return any(self.matches(c, m) for c in children)
            case t.Not(child):
                return not self.matches(child, m)
            case t.Text(text, name, prefix):
                phrase = units(text)
                fields = m.entries.values() if name is None else [m.entries[name]]
                return any(entry.has(phrase, prefix) for entries in fields for entry in entries)
            case t.Label(name):
                return name.lower() == "anywhere" or bool(self.meant(name) & m.labels)
            case t.Is(state):
                tests: dict[str, Callable[[set[str]], bool]] = {
                    "read": lambda f: "seen" in f,
                    "unread": lambda f: "seen" not in f,
                    "starred": lambda f: "flagged" in f,
                }
                return tests[state](m.flags)
            case t.HasAttachment():
                return m.attachments
            case t.Size(side, octets):
                return m.size > octets if side == "larger" else m.size < octets
            case t.Dated(side, day):
                sent = datetime.fromtimestamp(m.internal_date // 1_000_000, UTC).date()
                return sent >= day if side == "after" else sent < day
            case t.Aged(side, amount, unit):
                age = self.now - m.internal_date
                bound = amount * {"d": 1, "w": 7, "m": 30, "y": 365}[unit] * 86_400_000_000
                return age > bound if side == "older_than" else age <= bound
            case t.MessageId(value):
                return m.header == value
