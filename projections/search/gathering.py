"""Gather the runs of words of a shard while it fills: the writer's side of the filters.

Apart from `neighbours`, since it takes numpy, and whoever only reads does without.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from projections.search.neighbours import MULTIPLIERS, PART_BITS, PLACE, SHIFTS, WIDTH_BITS, WORD

_FULL = 1 / 3
"""The share of bits up to which a filter is laid over itself: one run in 27 is then mistaken."""

_U64 = np.uint64
_FIRST, _LAST, _ONE, _PAIR = (_U64(m) for m in MULTIPLIERS)
_HALF = _U64(32)
_OCTETS = np.array([(1 << 8 * n) - 1 for n in range(WORD + 1)], _U64)
_EDGE = bytes(WORD) + b" "


def runs(text: bytes) -> npt.NDArray[np.uint64]:
    """Return the hashes of each three and then of each two words; spaces separate words.

    The words are not taken apart: each is read as eight octets from its beginning and eight from
    its end.
    """
    padded = _EDGE + text + _EDGE[::-1]
    letters = np.frombuffer(padded, np.uint8) > ord(" ")
    edges = np.flatnonzero(letters[1:] != letters[:-1]) + 1
    starts, ends = edges[::2], edges[1::2]
    eights = np.ndarray((len(padded) - WORD + 1,), np.dtype("<u8"), padded, 0, (1,))
    lengths = ends - starts
    mask = _OCTETS[np.minimum(lengths, WORD)]
    words = (eights[starts] & mask) * _FIRST
    words += (eights[np.maximum(starts, ends - WORD)] & mask) * _LAST
    words += lengths.astype(_U64)
    words ^= words >> _HALF
    pairs = words[:-1] * _ONE
    pairs += words[1:]
    pairs ^= pairs >> _HALF
    pairs *= _PAIR
    return np.concatenate((pairs[:-1] * _ONE + pairs[1:], pairs))


class Gathering:
    """The runs of the shard that is being filled, as one process knows them."""

    def __init__(self) -> None:
        self._of: tuple[int, int, int] | None = None
        self._bits = np.empty(0, np.bool_)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Gathering:
        """Gather the runs of all documents of a shard."""
        made = cls()
        made.begin(0, 0, 0, texts)
        return made

    def knows(self, shard: int, docs: int, cleaned: int) -> bool:
        """Say whether it has just the runs of a shard that has so many documents."""
        return self._of == (shard, docs, cleaned)

    def begin(self, shard: int, docs: int, cleaned: int, texts: Iterable[str] = ()) -> None:
        """Begin a shard; `texts` are the words of the documents that it has."""
        self._of = (shard, docs, cleaned)
        self._bits = np.zeros(1 << PART_BITS + WIDTH_BITS, np.bool_)
        for text in texts:
            self._gather(text)

    def add(self, texts: Iterable[str], docs: int) -> None:
        """Gather the runs of so many more documents."""
        assert self._of is not None, "no shard was begun"
        shard, before, cleaned = self._of
        self._of = (shard, before + docs, cleaned)
        self._gather(" ".join(texts))

    def _gather(self, text: str) -> None:
        found = runs(text.encode())
        first = found >> _U64(PLACE)
        self._bits[first.view(np.int64)] = True
        inside = _U64((1 << WIDTH_BITS) - 1)
        for shift in SHIFTS:
            self._bits[(first ^ found >> _U64(shift) & inside).view(np.int64)] = True

    def parts(self) -> Iterator[bytes]:
        """Yield the parts of the filter, in order."""
        bits = self._bits.reshape(1 << PART_BITS, -1)
        while bits.shape[1] > 8:
            half = bits.shape[1] // 2
            laid = bits[:, :half] | bits[:, half:]
            if np.count_nonzero(laid) > _FULL * laid.size:
                break
            bits = laid
        for row in np.packbits(bits, axis=1, bitorder="little"):
            yield row.tobytes()

    @contextmanager
    def unless_undone(self) -> Generator[None]:
        """Forget what is gathered inside when that ends in an exception."""
        try:
            yield
        except BaseException:
            self._of = None
            raise
