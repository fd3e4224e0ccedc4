"""A runner that also gives commands whose time has come, and collects garbage between batches.

It never sleeps for them: it waits for records no longer than until the next of them is due.
"""

from __future__ import annotations

from infra.ports import Checkpoint, Clock, EventLog, PartGarbage, Timers
from streams.runners.steps import Steps

IDLE = 1.0
"""Seconds that a poll waits at most when nothing wakes it."""

_AT_ONCE = 500


def fire(log: EventLog, timers: Timers, now: int, checkpoint: Checkpoint = lambda _: None) -> int:
    """Append the commands whose time has come; return how many.

    Stopped between the two, it appends them again, and the second of each has no effect: the
    mailbox stage knows it by its command_id, and what it asks for is judged anew. Raises
    EngineDown.
    """
    outputs = timers.due(now, _AT_ONCE)
    if outputs:
        checkpoint("timers.due")
        log.append(outputs)
        checkpoint("timers.given")
        timers.done([o.event_id for o in outputs])
        checkpoint("timers.done")
    return len(outputs)


class TimedRunner:
    """Runs one stage, and timers and garbage with it, step by step."""

    def __init__(
        self,
        inner: Steps,
        log: EventLog,
        timers: Timers,
        garbage: PartGarbage,
        clock: Clock,
        checkpoint: Checkpoint = lambda _: None,
    ) -> None:
        self._inner = inner
        self._log = log
        self._timers = timers
        self._garbage = garbage
        self._clock = clock
        self._checkpoint = checkpoint

    def step(self, timeout: float = 0.0) -> int:
        """Do what is due and one batch; return the number of commands and records.

        Raises EngineDown; the next step does what was left.
        """
        done = fire(self._log, self._timers, self._clock(), self._checkpoint)
        due = self._garbage.next()
        if due is not None and due <= self._clock():
            self._garbage.collect(self._clock())
        return done + self._inner.step(0.0 if done else min(timeout, self._until_next()))

    def _until_next(self) -> float:
        times = [t for t in (self._timers.next(), self._garbage.next()) if t is not None]
        return max(0.0, (min(times) - self._clock()) / 1e6) if times else IDLE

    def close(self) -> None:
        """Give everything back."""
        self._inner.close()
