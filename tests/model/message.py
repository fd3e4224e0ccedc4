"""A message as the naive model knows it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.model.letters import Letter


@dataclass
class Message:
    id: str
    n: int
    letter: Letter
    thread: str
    labels: dict[str, int]
    flags: set[str]
    state: str = "live"
    back: set[str] = field(default_factory=set[str])
    """Labels that a bin took away."""
    taught: str = ""
    until: int = 0
    changed: int = 0
