"""What the profiles have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from infra.ports import Checkpoint, Clock
from infra.sqlite.wake import SocketWake
from mailfold.settings import Settings


class Runner(Protocol):
    """Runs one stage."""

    def run(self, stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Run until `stopping()`."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


class SteppingRunner(Runner, Protocol):
    """A runner that can be driven step by step."""

    def step(self, timeout: float = 0.0) -> int:
        """Process what is there, wait up to `timeout` seconds for it; return records processed."""
        ...


@dataclass(frozen=True, slots=True)
class Base:
    """What all profiles have; a profile appends to `closers` what must be closed."""

    settings: Settings
    clock: Clock
    wake: SocketWake
    checkpoint: Checkpoint
    closers: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
