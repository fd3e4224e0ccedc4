from collections.abc import Sequence
from typing import NamedTuple

class TP(NamedTuple):
    topic: str
    partition: int

class Message:
    topic: str
    partition: int
    offset: int
    timestamp: float
    generation_id: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, str | bytes | None]] | None
    @property
    def tp(self) -> TP: ...
