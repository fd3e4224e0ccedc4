"""What the profiles have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from infra.ports import Checkpoint, Clock
from infra.sqlite.wake import SocketWake
from mailfold.settings import Settings


class Runner(Protocol):
    """Hosts one stage by itself."""

    def run(self, stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Run until `stopping()`."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


@dataclass(frozen=True, slots=True)
class Base:
    """What all profiles have; a profile appends to `closers` what must be closed."""

    settings: Settings
    clock: Clock
    wake: SocketWake
    checkpoint: Checkpoint
    closers: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
