"""SIGKILL from outside: at random, and at a point where a process is held."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from tests.faults.installations import CHAINS, barrier_of, processes_of
from tests.system import System

SERVE = "serve"
"""Stands for the supervisor among the roles."""
PATIENCE = 60.0
"""Seconds in which a killed process must be back, and a point be reached."""


class Killer:
    """Kills processes of one installation while it works.

    `work()` gives the installation its next share of the work, so that each kill falls
    into it however fast or slow the machine is.
    """

    def __init__(self, system: System, rng: random.Random, work: Callable[[], None]) -> None:
        self._system = system
        self._rng = rng
        self._work = work
        self._processes = processes_of(system)
        self.killed: dict[str, int] = {}

    def occasions(self, times: int) -> int:
        """Return how often `work` is called by `at_random(times)` and `at_every_point()`."""
        return times * (len(self._processes) + 1) + max(map(len, CHAINS))

    async def at_random(self, times: int) -> None:
        """Kill each process, and `serve` itself, so many times in random order."""
        order = [r for r in (*self._processes, SERVE) for _ in range(times)]
        self._rng.shuffle(order)
        for role in order:
            self._work()
            await asyncio.sleep(self._rng.uniform(0.0, 0.4))
            if role == SERVE:
                await asyncio.to_thread(self._system.kill)
                await asyncio.to_thread(self._system.start)
            else:
                os.kill(await self._pid(role), signal.SIGKILL)
            self._count(role)

    async def at_every_point(self) -> None:
        """Hold the processes at their points, one of each chain at a time, and kill them there."""
        rounds = [list(points) for points in CHAINS]
        while any(rounds):
            self._work()
            await self._at([points.pop(0) for points in rounds if points])

    async def _at(self, points: Iterable[str]) -> None:
        folder = barrier_of(self._system)
        for point in points:
            (folder / point).touch()
        deadline = time.monotonic() + PATIENCE
        while left := sorted(p.name for p in folder.iterdir()):
            for name in left:
                point, _, pid = name.rpartition(".")
                if pid.isdigit():
                    # Two threads of a process may be held; the first kill is both's.
                    with suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
                    (folder / name).unlink()
                    self._count(point)
            assert time.monotonic() < deadline, f"never reached: {left}"
            await asyncio.sleep(0.01)

    async def _pid(self, role: str) -> int:
        deadline = time.monotonic() + PATIENCE
        while (pid := self._system.children().get(role)) is None:
            assert time.monotonic() < deadline, f"{role} does not come back"
            await asyncio.sleep(0.01)
        return pid

    def _count(self, what: str) -> None:
        self.killed[what] = self.killed.get(what, 0) + 1
