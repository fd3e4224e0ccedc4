"""Kafka's default partitioner, so that a key has the same partition in every engine.

MurmurHash2 as org.apache.kafka.common.utils.Utils.murmur2 computes it (KIP-480 names it for keyed
records); librdkafka calls it murmur2_random.
"""

from __future__ import annotations

from functools import lru_cache

_M = 0x5BD1E995
_SEED = 0x9747B28C


def murmur2(data: bytes) -> int:
    """Return the 32-bit MurmurHash2 of `data`, unsigned."""
    n = len(data)
    h = _SEED ^ n
    whole = n & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & 0xFFFFFFFF
        k = (k ^ k >> 24) * _M & 0xFFFFFFFF
        h = (h * _M & 0xFFFFFFFF) ^ k
    if n > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & 0xFFFFFFFF
    h = (h ^ h >> 13) * _M & 0xFFFFFFFF
    return h ^ h >> 15


@lru_cache(65536)
def partition_of(key: str, count: int) -> int:
    """Return the partition of `key` among `count`."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % count
