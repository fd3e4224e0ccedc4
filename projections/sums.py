"""Sums of rows that do not depend on the order in which the rows come."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from projections.ports import Row, RowSum

_pack = msgspec.msgpack.Encoder(order="deterministic").encode
_MODULUS = 1 << 128


def hash_of(row: Row) -> int:
    """Return the hash of a row, below 2^128."""
    packed = _pack((row.mailbox_id, row.table, row.key, row.values, row.text))
    return int.from_bytes(blake2b(packed, digest_size=16).digest(), "big")


def sums_of(rows: Iterable[tuple[int, Row]]) -> dict[int, RowSum]:
    """Return number and sum of the rows of each bucket, given (bucket, row).

    Addition, unlike exclusive or, does not take the same row twice for none.
    """
    counts: dict[int, int] = {}
    totals: dict[int, int] = {}
    for bucket, row in rows:
        counts[bucket] = counts.get(bucket, 0) + 1
        totals[bucket] = totals.get(bucket, 0) + hash_of(row)
    return {b: RowSum(n, totals[b] % _MODULUS) for b, n in counts.items()}
