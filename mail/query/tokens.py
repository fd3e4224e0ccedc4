"""The one tokenizer, for text and for queries: engines index the tokens that they are given.

Text is folded (case, accents, compatibility forms; Unicode Standard Annex 15), then cut into runs
of letters and digits. Everything else separates, so an address or a host name is the sequence of
its parts: it is found whole as a phrase and by each part. In scripts written without spaces a run
gives every two neighbours, and its last character alone:

    "Ann@Example.test: 会議室 no. 5"  ->  ann example test 会議 議室 室 no 5

so any stretch of such a run is a phrase of pairs, and one character is the prefix of a pair.
"""

from __future__ import annotations

import re
import string
import unicodedata
from functools import cache, lru_cache
from typing import NamedTuple

MAX_TEXT = 1 << 20
"""Characters of a text that are read; what follows is not indexed."""
MAX_TOKEN = 64
"""A longer word counts as its first characters, in text and query alike."""

# Marks that stand for accents, vowel points and length, not for letters of their own: those of
# Latin, Greek and Cyrillic, Hebrew points, Arabic vowels with tatweel. Marks of other scripts
# (a Devanagari vowel, a Japanese voicing mark) make another letter and stay.
_ACCENTS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
# What has no width and is not seen: soft hyphens, joiners, directions, variation selectors, tags.
_UNSEEN = (
    "\u00ad\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
_DROPPED = re.compile(f"[{_ACCENTS}{_UNSEEN}]+")

# Letters with a stroke and ligatures, which Unicode does not decompose.
_LETTERS = {"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe"}
_LETTER = re.compile(f"[{''.join(_LETTERS)}]")

SPACELESS = (
    "\u3005-\u3007\u3040-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7fb\u1100-\u11ff\uf900-\ufaff"
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u1780-\u17d3"
)
"""Inside of a character class: Han, Kana, Bopomofo, Hangul; Thai, Lao, Burmese and Khmer too."""
SPACELESS_HIGH = "\U00016fe0-\U00018cff\U0001aff0-\U0001b16f\U00020000-\U000323af"
"""Those above the first plane."""
_LOW_SPACELESS = re.compile(f"[{SPACELESS}]")
_SPLIT = re.compile(f"([{SPACELESS}{SPACELESS_HIGH}]+)")
_LONG = re.compile(rf"\S{{{MAX_TOKEN + 1}}}")

_MAX_WORDS = 3 * MAX_TEXT
"""Characters of tokens: pairs with a space between take three for each that was read."""

_LETTERS_AND_DIGITS = (string.ascii_letters + string.digits).encode()
_PLAIN = bytes(
    c if c > 0x7F else ord(chr(c).lower()) if c in _LETTERS_AND_DIGITS else 0x20
    for c in range(0x100)
)
"""Octets of UTF-8 as they are indexed: ASCII letters small, all that separates a space."""
_ALIKE = bytes(0x61 if c in _LETTERS_AND_DIGITS else 0x20 for c in range(0x100))
_RUN_TOO_LONG = b"a" * (MAX_TOKEN + 1)
_LONG_RUN = re.compile(rb"([A-Za-z0-9]{%d})[A-Za-z0-9]+" % MAX_TOKEN)


# Only a class of characters below it is a table; any other is a walk over its ranges.
_HIGH = "\U00010000"
_HIGHER = re.compile(f"[{_HIGH}-\U0010ffff]+")


@cache
def _marks() -> tuple[str, str]:
    """Return the marks that stay, below _HIGH and from there, as ranges for a character class."""
    found: tuple[list[str], list[str]] = ([], [])
    start = None
    for code in range(0x20000):
        c = chr(code)
        if unicodedata.category(c)[0] == "M" and not _DROPPED.match(c):
            start = code if start is None else start
        elif start is not None:
            found[c > _HIGH].append(f"{chr(start)}-{chr(code - 1)}")
            start = None
    return "".join(found[0]), "".join(found[1])


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Return patterns of a low mark, of a high one, and of marks that are too many.

    No script puts more than a few on a letter, and ordering them takes quadratic time.
    """
    low, high = _marks()
    every = low + high
    return (
        re.compile(f"[{low}]"),
        re.compile(f"[{high}]"),
        re.compile(f"([{every}]{{30}})[{every}]+"),
    )


def _has_marks(text: str) -> bool:
    low, high, _ = _patterns()
    if low.search(text):
        return True
    return any(high.search(found) for found in _HIGHER.findall(text))


_RUN = re.compile(r"\w+")


@cache
def _marked_run() -> re.Pattern[str]:
    """Match a run of letters, digits and marks; several times the work of one without marks."""
    return re.compile(f"[\\w{''.join(_marks())}]+")


def fold(text: str) -> str:
    """Return text without case, accents and compatibility forms; folding twice changes nothing."""
    if text.isascii():
        return text.lower()
    text = _DROPPED.sub("", text)
    if _has_marks(text):
        text = _patterns()[2].sub(r"\1", text)
    text = unicodedata.normalize("NFKD", text.casefold())
    # A compatibility form may hide a capital or an accent (the sign for "TEL").
    text = _DROPPED.sub("", unicodedata.normalize("NFKD", text.casefold()))
    text = _LETTER.sub(lambda m: _LETTERS[m[0]], text)
    return unicodedata.normalize("NFC", text)


def tokens(text: str) -> list[str]:
    """Return the tokens of a text, in order; none holds a space or an ASCII punctuation mark."""
    return words(text).split()


def words(text: str) -> str:
    """Return the tokens of a text in order, each with white space around it.

    Splitting it gives them; an index that cuts at white space itself needs no list of them.
    """
    text = text[:MAX_TEXT]
    if not text.isascii():
        # White space separates in every script, and most lines and words are ASCII in any mail.
        text = "\n".join([line if line.isascii() else _spelled(line) for line in text.split("\n")])[
            :_MAX_WORDS
        ]
    octets = text.encode()
    if _RUN_TOO_LONG in octets.translate(_ALIKE):
        octets = _LONG_RUN.sub(rb"\1", octets)
    return octets.translate(_PLAIN).decode()


def _spelled(line: str) -> str:
    return " ".join([w if w.isascii() else _tokens_of(w) for w in line.split()])


def _tokens_of(word: str) -> str:
    return _tokens_of_short(word) if len(word) <= MAX_TOKEN else _cut_up(word)


def _cut_up(word: str) -> str:
    folded = fold(word)[:MAX_TEXT]
    run = _marked_run() if _has_marks(folded) else _RUN
    found: list[str] = run.findall(folded.replace("_", " "))
    plain = not (_LOW_SPACELESS.search(folded) or _HIGHER.search(folded))
    if not plain or _LONG.search(folded):
        found = [token for run in found for token in _cut(run)]
    return " ".join(found)


# Words come again; a few thousand hold most of what is written in a language.
_tokens_of_short = lru_cache(16384)(_cut_up)


def _cut(run: str) -> list[str]:
    if run.isascii():
        return [run[:MAX_TOKEN]]
    found: list[str] = []
    for n, piece in enumerate(_SPLIT.split(run)):
        if n % 2:
            found += [piece[i : i + 2] for i in range(len(piece))]
        elif piece:
            found.append(piece[:MAX_TOKEN])
    return found


class Pattern(NamedTuple):
    """Tokens that must follow one another; the last is the beginning of one when `prefix`."""

    tokens: tuple[str, ...]
    prefix: bool


def pattern(text: str, prefix: bool = False) -> Pattern:
    """Return what finds `text` as a word or phrase; without tokens when there is no word in it."""
    found = tokens(text)
    if found and _SPLIT.match(found[-1]):
        # The last character alone would ask that the run ends here.
        if len(found) > 1 and len(found[-2]) == 2 and _SPLIT.match(found[-2]):
            return Pattern(tuple(found[:-1]), False)
        return Pattern(tuple(found), True)
    return Pattern(tuple(found), prefix and bool(found))


def same_words(one: str, other: str) -> bool:
    """Say whether two names differ in case, accents and punctuation only."""
    return tokens(one) == tokens(other)
