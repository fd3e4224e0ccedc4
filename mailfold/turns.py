"""Several loops in one thread, each in its turn.

Loops that follow one another on the way of a mail need not wake one another, and share one
interpreter and its memory. What is slow, or bound by the processor, is not for a shared thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from time import monotonic

from infra.ports import EngineDown
from streams.runners.steps import Steps

IDLE = 1.0
"""Seconds that the first loop waits at most when there is nothing to do for any."""

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0

logger = logging.getLogger(__name__)


class Turn:
    """One loop among others; it fails for itself alone."""

    def __init__(
        self,
        name: str,
        begin: Callable[[], Steps],
        rest: float = 0.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`begin` opens the loop, now and after a failure of it.

        `rest` is how many seconds a loop that had nothing to do is left alone.
        """
        self.name = name
        self._begin = begin
        self._rest = rest
        self._clock = clock
        self._steps: Steps | None = None
        self._pause = _FIRST_PAUSE
        self._not_before = 0.0

    def wait(self) -> float:
        """Return the seconds until it may be stepped again."""
        return self._not_before - self._clock()

    def step(self, timeout: float = 0.0) -> int:
        """Do one step; return how much was done. Raises what the loop raises, but EngineDown."""
        if self._steps is None:
            self._steps = self._begin()
        try:
            done = self._steps.step(timeout)
        except EngineDown as e:
            logger.warning("%s waits: %s", self.name, e)
            self.put_off()
            return 0
        self._pause = _FIRST_PAUSE
        if not done:
            self._not_before = self._clock() + self._rest
        return done

    def put_off(self) -> None:
        """Leave it alone for a while, each time for longer."""
        self._not_before = self._clock() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    def close(self) -> None:
        """Give everything back; the next step opens it again."""
        if self._steps is not None:
            steps, self._steps = self._steps, None
            steps.close()


class Turns:
    """Runs loops until told to stop. What the first waits for wakes all of them."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = turns

    def run(self, stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Run until `stopping()`; `pause(seconds)` waits when the first loop can't.

        Raises what a loop raises that is alone. Of several each goes on when another fails, as if
        it had a process of its own: the one that failed is begun anew after a while.
        """
        try:
            while not stopping():
                if not sum(self._step(turn) for turn in self._turns if turn.wait() <= 0):
                    self._idle(pause)
        finally:
            for turn in self._turns:
                turn.close()

    def _idle(self, pause: Callable[[float], None]) -> None:
        first, *others = self._turns
        seconds = max(0.0, min([IDLE, *(turn.wait() for turn in others if turn.wait() > 0)]))
        if first.wait() > 0:
            pause(min(seconds, first.wait()))
        else:
            self._step(first, seconds)

    def _step(self, turn: Turn, timeout: float = 0.0) -> int:
        try:
            return turn.step(timeout)
        except Exception:
            if len(self._turns) == 1:
                raise
            logger.exception("%s failed; it is begun anew", turn.name)
            turn.put_off()
            turn.close()
            return 0
