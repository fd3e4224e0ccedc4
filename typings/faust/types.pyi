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
    @property
    def tp(self) -> TP: ...
