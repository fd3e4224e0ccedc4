"""What a loop is to whoever drives it."""

from __future__ import annotations

from typing import Protocol


class Steps(Protocol):
    """A loop that is driven step by step."""

    def step(self, timeout: float = 0.0) -> int:
        """Do what is there, wait up to `timeout` seconds for it; return how much that was.

        After EngineDown the next step does what was left.
        """
        ...

    def close(self) -> None:
        """Give everything back."""
        ...
