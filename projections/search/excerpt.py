"""The stretch of a text around what a query found in it, with the matches cut out."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

from mail.query.tokens import (
    MAX_TEXT,
    SPACELESS,
    SPACELESS_HIGH,
    fold,
    pattern,
)
from mail.query.tree import Node, Text, leaves

LENGTH = 200
"""Characters of an excerpt."""
_BEFORE = 60
"""Characters of it that stand before the first match."""
_LONGEST = 1000
"""Characters of a match behind the first one that is marked."""

_JOINED = f"{SPACELESS}{SPACELESS_HIGH}"
_LETTER = f"(?:(?![{_JOINED}])[^\\W_])"
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_SPACE = re.compile(r"\s+")


def wanted(node: Node) -> tuple[Text, ...]:
    """Return the words of a query that may be looked for in the text of what it found."""
    return tuple(
        leaf
        for leaf, positive in leaves(node)
        if positive and isinstance(leaf, Text) and leaf.field in (None, "body")
    )


def matcher(words: Sequence[Text]) -> re.Pattern[str] | None:
    """Return a pattern that finds the words in folded text; None without any."""
    found = sorted({_source(w) for w in words}, key=len, reverse=True)
    return re.compile("|".join(found)) if found else None


def _source(word: Text) -> str:
    tokens, prefix = pattern(word.text, word.prefix)
    pieces: list[str] = []
    spaceless = False
    for token in tokens:
        joined = re.match(f"[{_JOINED}]", token) is not None
        if joined and spaceless:
            # A pair of neighbours overlaps with the pair before it.
            pieces.append(re.escape(token[1:]))
        elif pieces:
            # Between two words there is something; between scripts there may be nothing.
            pieces.append(rf"[\W_]{'*' if joined or spaceless else '+'}{re.escape(token)}")
        else:
            # The word comes first, which the engine of patterns looks for fastest.
            first = re.escape(token)
            pieces.append(first if joined else f"{first}(?<!{_LETTER}{first})")
        spaceless = joined
    if not spaceless:
        pieces.append(f"{_LETTER}*" if prefix else f"(?!{_LETTER})")
    return "".join(pieces)


def excerpt(text: str, sought: re.Pattern[str]) -> tuple[str, ...]:
    """Return up to 200 characters around the first match; what is at an odd place matched.

    Empty when nothing matches. White space is folded.
    """
    text = text[:MAX_TEXT]
    folded, offsets = _folded(text)
    first = sought.search(folded)
    if first is None:
        return ()
    start = _word_start(text, max(0, offsets.origin(first.start()) - _BEFORE))
    end = start + LENGTH
    parts: list[str] = []
    at = start
    # Not to the end of the text, where the next match may be far; what is cut off there is none.
    limit = offsets.folded(end) + _LONGEST
    found = sought.finditer(folded, first.end(), limit)
    others = (m for m in found if m.end() < limit or limit == len(folded))
    for m in chain((first,), others):
        low, high = offsets.origin(m.start()), offsets.origin(m.end())
        if low >= end:
            break
        if low < at or high <= low:
            continue
        high = min(high, max(end, low + LENGTH))
        parts += [text[at:low], text[low:high]]
        at = high
    parts.append(text[at : max(end, at)])
    return tuple(_tidy(parts))


class _Offsets:
    """Offsets in folded text and in the text: stretches that keep their length."""

    def __init__(self, starts: list[int], origins: list[int]) -> None:
        self._starts = starts
        self._origins = origins

    def folded(self, origin: int) -> int:
        """Return the offset in folded text of one in the text, or a little behind it."""
        n = bisect_right(self._origins, origin) - 1
        return self._starts[n] + origin - self._origins[n]

    def origin(self, offset: int) -> int:
        """Return the offset in the text of one in folded text."""
        n = bisect_right(self._starts, offset) - 1
        return self._origins[n] + offset - self._starts[n]


_fold_one = lru_cache(4096)(fold)


def _folded(text: str) -> tuple[str, _Offsets]:
    if text.isascii():
        return text.lower(), _Offsets([0], [0])
    pieces: list[str] = []
    starts, origins = [0], [0]
    length = 0
    at = 0
    for m in _NOT_ASCII.finditer(text):
        pieces.append(text[at : m.start()].lower())
        length += m.start() - at
        for n, c in enumerate(m[0]):
            piece = _fold_one(c)
            starts.append(length)
            origins.append(m.start() + n)
            pieces.append(piece)
            length += len(piece)
        at = m.end()
        starts.append(length)
        origins.append(at)
    pieces.append(text[at:].lower())
    return "".join(pieces), _Offsets(starts, origins)


def _word_start(text: str, offset: int) -> int:
    """Return where the next word begins, unless it is far."""
    if offset == 0:
        return 0
    space = _SPACE.search(text, offset, offset + 20)
    return offset if space is None else space.end()


def _tidy(parts: Sequence[str]) -> list[str]:
    folded = [_SPACE.sub(" ", p) for p in parts]
    folded[0] = folded[0].lstrip()
    folded[-1] = folded[-1].rstrip()
    return folded
