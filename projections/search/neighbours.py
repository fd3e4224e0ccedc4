"""Which words stand next to one another in a shard: what a phrase asks before it asks the shard.

FTS5 finds a phrase by reading every place of each of its words, so a phrase of common words costs
as much in a shard that has none of it as in one that has. Each full shard therefore has a Bloom
filter of each two and each three words that follow one another: its runs. It is cut into parts,
one row each, and a run has all its bits in one part, so it is looked up in one row. A filter that
says no is right; one that says yes is wrong for some five of a hundred runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from mail.query.tokens import pattern
from mail.query.tree import And, Node, Or, Text

PART_BITS = 10
"""A filter has as many parts as this many bits number."""
WIDTH_BITS = 13
"""The most bits of a part, as a logarithm: a part of fewer is a larger one laid over itself."""
PLACE = 64 - PART_BITS - WIDTH_BITS
"""Above this bit the hash of a run has its part and its first place in it."""
SHIFTS = (23, 9)
"""Above these bits it has what its other places differ by from the first."""

WORD = 8
"""Octets of a word that are hashed from either end."""
MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
"""Odd and without a pattern: of a word's beginning and its end, of a run's first, of a pair."""

_MASK = (1 << 64) - 1

Has = Callable[[int], bool]
"""Says whether a shard may have a run, from its hash."""


def runs(words: Sequence[str]) -> list[int]:
    """Return the hashes, of 64 bits, of each three and then of each two words in succession."""
    pairs = [_pair(*two) for two in pairwise(_word(w.encode()) for w in words)]
    return [one * MULTIPLIERS[2] + two & _MASK for one, two in pairwise(pairs)] + pairs


def _pair(one: int, two: int) -> int:
    mixed = one * MULTIPLIERS[2] + two & _MASK
    return (mixed ^ mixed >> 32) * MULTIPLIERS[3] & _MASK


def _word(word: bytes) -> int:
    first, last = (int.from_bytes(x, "little") for x in (word[:WORD], word[-WORD:]))
    mixed = first * MULTIPLIERS[0] + last * MULTIPLIERS[1] + len(word) & _MASK
    return mixed ^ mixed >> 32


def row_of(shard: int, run: int) -> int:
    """Return the row of the part that has the bits of a run."""
    return shard << PART_BITS | run >> 64 - PART_BITS


def rows_of(shard: int) -> range:
    """Return the rows of a shard's filter."""
    return range(shard << PART_BITS, shard + 1 << PART_BITS)


def holds(part: bytes, run: int) -> bool:
    """Say whether all bits of a run are set in its part, which has a power of two of them."""
    last = len(part) * 8 - 1
    first = run >> PLACE
    places = (first, *(first ^ run >> shift for shift in SHIFTS))
    return all(part[(n & last) >> 3] >> (n & 7) & 1 for n in places)


def may_match(node: Node) -> Callable[[Has], bool]:
    """Return what says whether a shard may have a match, from the runs that it may have."""
    match node:
        case Text(text, _, prefix):
            tokens, open_ended = pattern(text, prefix)
            needed = runs(tokens[:-1] if open_ended else tokens)
            return lambda has: all(map(has, needed))
        case And(children):
            tests = [may_match(c) for c in children]
            return lambda has: all(test(has) for test in tests)
        case Or(children):
            tests = [may_match(c) for c in children]
            return lambda has: any(test(has) for test in tests)
        case _:
            return lambda _: True
