"""Sums of rows that do not depend on the order in which the rows come."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from projections.ports import RowSum

_pack = msgspec.msgpack.Encoder().encode
_MODULUS = 1 << 128


def sums_of(rows: Iterable[tuple[int, tuple[object, ...]]]) -> dict[int, RowSum]:
    """Return number and sum of the rows of each bucket, given (bucket, row).

    Addition, unlike exclusive or, does not take the same row twice for none.
    """
    counts: dict[int, int] = {}
    totals: dict[int, int] = {}
    for bucket, row in rows:
        counts[bucket] = counts.get(bucket, 0) + 1
        digest = blake2b(_pack(row), digest_size=16).digest()
        totals[bucket] = totals.get(bucket, 0) + int.from_bytes(digest, "big")
    return {b: RowSum(n, totals[b] % _MODULUS) for b, n in counts.items()}
