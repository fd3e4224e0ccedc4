"""What a query means: one tree for every engine, and its one way of being written.

Two trees are equal when they were written to mean the same in the same order; `written` gives
text that parses into the tree again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

Field = Literal["from", "to", "cc", "subject", "body", "filename", "list"]
"""What part of a message a word is looked for in."""

FIELDS: tuple[Field, ...] = ("from", "to", "cc", "subject", "body", "filename", "list")

State = Literal["read", "unread", "starred"]
STATES: tuple[State, ...] = ("read", "unread", "starred")

Unit = Literal["d", "w", "m", "y"]
DAYS: dict[Unit, int] = {"d": 1, "w": 7, "m": 30, "y": 365}
"""Days of each unit of an age."""

_DAY = 86_400_000_000

ANYWHERE = "anywhere"
"""`in:anywhere` means every message, SPAM and TRASH included."""


@dataclass(frozen=True, slots=True)
class Text:
    """A word or phrase; `prefix`: its last word may go on. Without a field it may be anywhere."""

    text: str
    field: Field | None = None
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """In a label, by its name or identifier."""

    name: str


@dataclass(frozen=True, slots=True)
class Is:
    """Flags."""

    state: State


@dataclass(frozen=True, slots=True)
class HasAttachment:
    """Has a file that is not shown in the text."""


@dataclass(frozen=True, slots=True)
class Size:
    """The message has more octets, or fewer."""

    side: Literal["larger", "smaller"]
    octets: int


@dataclass(frozen=True, slots=True)
class Dated:
    """The internal date is on that day or later, or before it (UTC)."""

    side: Literal["after", "before"]
    day: date


@dataclass(frozen=True, slots=True)
class Aged:
    """The internal date is longer ago than that, or not so long."""

    side: Literal["older_than", "newer_than"]
    amount: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class MessageId:
    """The Message-ID field, without angle brackets."""

    value: str


@dataclass(frozen=True, slots=True)
class Not:
    """All but these."""

    child: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of these; at least two, none of them an And."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of these; at least two, none of them an Or."""

    children: tuple[Node, ...]


Leaf = Text | Label | Is | HasAttachment | Size | Dated | Aged | MessageId
Node = Leaf | Not | And | Or


def all_of(children: Sequence[Node]) -> Node:
    """Return the And of one or more nodes; what is an And itself is taken apart."""
    flat = [x for c in children for x in (c.children if isinstance(c, And) else (c,))]
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def any_of(children: Sequence[Node]) -> Node:
    """Return the Or of one or more nodes; what is an Or itself is taken apart."""
    flat = [x for c in children for x in (c.children if isinstance(c, Or) else (c,))]
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def leaves(node: Node, wanted: bool = True) -> Iterator[tuple[Leaf, bool]]:
    """Yield each leaf, and whether it is wanted (under an even number of Not)."""
    match node:
        case Not(child):
            yield from leaves(child, not wanted)
        case And(children) | Or(children):
            for child in children:
                yield from leaves(child, wanted)
        case _:
            yield node, wanted


def moment(leaf: Dated | Aged, now: int) -> int:
    """Return the moment that a leaf compares with, microseconds since 1970 UTC, as is `now`."""
    match leaf:
        case Dated(_, day):
            return (day - date(1970, 1, 1)).days * _DAY
        case Aged(_, amount, unit):
            return now - amount * DAYS[unit] * _DAY


_PLAIN = re.compile(r"[\w./@+%][\w./@+%-]*")
_OPERATORS = frozenset(("AND", "OR", "NOT"))


def written(node: Node) -> str:
    """Return the query text of a tree."""
    match node:
        case Text(text, field, prefix):
            name = "" if field is None else f"{field}:"
            return f"{name}{_value(text)}{'*' if prefix else ''}"
        case Label(name):
            return f"label:{_value(name)}"
        case Is(state):
            return f"is:{state}"
        case HasAttachment():
            return "has:attachment"
        case Size(side, octets):
            return f"{side}:{octets}"
        case Dated(side, day):
            return f"{side}:{day.isoformat()}"
        case Aged(side, amount, unit):
            return f"{side}:{amount}{unit}"
        case MessageId(value):
            return f"rfc822msgid:{_value(value)}"
        case Not(child):
            return f"-{_inner(child)}"
        case And(children):
            return " ".join(map(_inner, children))
        case Or(children):
            return " OR ".join(map(_inner, children))


def _inner(node: Node) -> str:
    return f"({written(node)})" if isinstance(node, And | Or) else written(node)


def _value(text: str) -> str:
    if _PLAIN.fullmatch(text) and text not in _OPERATORS:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
