"""Seeded mutation of octets: the same seed number gives the same inputs."""

from __future__ import annotations

import random
from collections.abc import Iterator

_CUTS = (b"\r\n", b"\n", b"\r", b"--", b'"', b"(", b"<", b"=?", b"?=", b";", b"\x00", b"\xff", b"=")
_MAX = 64 * 1024


def mutations(seeds: list[bytes], seed: int) -> Iterator[bytes]:
    """Yield the seeds themselves, then mutations of them without end."""
    yield from seeds
    rng = random.Random(seed)
    while True:
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 8)):
            _mutate(data, rng, seeds)
        yield bytes(data[:_MAX])


def _mutate(data: bytearray, rng: random.Random, seeds: list[bytes]) -> None:
    at = rng.randint(0, len(data))
    length = rng.choice((1, 1, 2, 8, 64, 512))
    match rng.randrange(7):
        case 0:
            del data[at : at + length]
        case 1:
            data[at:at] = rng.choice(_CUTS) * rng.choice((1, 1, 2, 50))
        case 2:
            data[at : at + 1] = bytes((rng.randrange(256),))
        case 3:  # a piece of itself elsewhere
            start = rng.randint(0, len(data))
            data[at:at] = data[start : start + length]
        case 4:  # a piece of another seed
            other = rng.choice(seeds)
            start = rng.randint(0, len(other))
            data[at : at + length] = other[start : start + length]
        case 5:
            data[at : at + length] = data[at : at + length].swapcase()
        case _:
            del data[at:]
