"""What a reader of mailboxes can see, in the form in which model and product are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields


@dataclass
class Seen:
    """A message as listed: its UID in each label, its flags."""

    labels: dict[str, int]
    flags: frozenset[str]


@dataclass
class BoxView:
    """One mailbox. `threads` groups all messages ever delivered; `history` has an entry a seq."""

    seq: int = 0
    messages: dict[str, Seen] = field(default_factory=dict[str, Seen])
    threads: frozenset[frozenset[str]] = frozenset()
    expunged: dict[str, int] = field(default_factory=dict[str, int])
    erased: frozenset[str] = frozenset()
    labels: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    filters: frozenset[str] = frozenset()
    taught: dict[str, str] = field(default_factory=dict[str, str])
    retries: dict[str, str] = field(default_factory=dict[str, str])
    history: list[tuple[int, str, str]] = field(default_factory=list[tuple[int, str, str]])
    outcomes: dict[str, tuple[int, tuple[tuple[str, str], ...]]] = field(
        default_factory=dict[str, tuple[int, tuple[tuple[str, str], ...]]]
    )


ModelView = dict[str, BoxView]
"""Mailboxes by identifier."""


def difference(found: BoxView, expected: BoxView) -> str:
    """Say in which field two views differ first, and how; "" when they do not."""
    for each in fields(BoxView):
        one, other = getattr(found, each.name), getattr(expected, each.name)
        if one == other:
            continue
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            for key in [*one, *other]:
                if one.get(key) != other.get(key):
                    return f"{each.name}[{key}] is {one.get(key)}, not {other.get(key)}"
        return f"{each.name} is {one}, not {other}"
    return ""
