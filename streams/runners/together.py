"""Several stages in one thread: those that share state without sharing a topic."""

from __future__ import annotations

from collections.abc import Sequence

from streams.runners.steps import Steps


class TogetherRunner:
    """Steps one runner after another; waits for the first of them alone."""

    def __init__(self, first: Steps, others: Sequence[Steps]) -> None:
        self._first = first
        self._others = others

    def step(self, timeout: float = 0.0) -> int:
        """Process what is there, wait up to `timeout` seconds for it; return records processed.

        Raises EngineDown; the next step does what was left.
        """
        done = sum(runner.step(0.0) for runner in self._others)
        return done + self._first.step(0.0 if done else timeout)

    def close(self) -> None:
        """Give everything back."""
        for runner in (self._first, *self._others):
            runner.close()
