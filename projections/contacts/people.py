"""Whom a message tells of, under which words a person is found, and who comes first. Pure."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from schemas.labels import SENT
from schemas.parts import Digest

SENT_TO, SENT_BY, ALONGSIDE = 8, 4, 1
"""How much a message counts for whom it was sent to, who sent it, and who else got it."""

_HALF_LIFE = 90 * 86_400_000_000
"""A contact that is heard of half as often is as good when it is so much younger."""

_WORD = re.compile(r"\w+")
_PARTS = re.compile(r"[^\w]+|_")
_LONGEST = 320


class Person(NamedTuple):
    """Somebody in a message; the address folded, the name as it stands."""

    address: str
    name: str
    weight: int


def people_of(digest: Digest, labels: Iterable[str]) -> list[Person]:
    """Return whom a message in these labels tells of, each once."""
    sent = SENT in labels
    found: dict[str, Person] = {}
    fields = (
        (digest.author, ALONGSIDE if sent else SENT_BY),
        (digest.to, SENT_TO if sent else ALONGSIDE),
        (digest.cc, SENT_TO if sent else ALONGSIDE),
    )
    for people, weight in fields:
        for one in people:
            address = one.address.strip().casefold()[:_LONGEST]
            if "@" not in address:
                continue
            known = found.get(address)
            if known is None or known.weight < weight:
                name = one.name.strip()[:_LONGEST] or (known.name if known else "")
                found[address] = Person(address, name, weight)
    return list(found.values())


def fold(text: str) -> str:
    """Return `text` without case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()


def words_of(address: str, name: str) -> set[str]:
    """Return the words under which a person is found."""
    folded = fold(address)
    local, _, domain = folded.rpartition("@")
    words = {folded, local, domain, *_PARTS.split(local), *_WORD.findall(fold(name))}
    labels = domain.split(".")
    # Of a.example.test also example.test, for people remember the organization.
    words.update(".".join(labels[i:]) for i in range(1, max(1, len(labels) - 1)))
    return {w for w in words if w}


def words_asked(query: str) -> list[str]:
    """Return the words of a query."""
    return [w.strip("<>\"',;()") for w in fold(query).split() if w.strip("<>\"',;()")]


def score(weight: int, last: int) -> int:
    """Return a number that is higher the more, and the more lately, a person was heard of.

    It does not change while time goes by, so it can stand in an index.
    """
    return round(1_000_000 * (math.log2(1 + weight) + last / _HALF_LIFE))
