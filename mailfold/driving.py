"""Bring the pipeline to a point, whether or not it is being served.

A stage that a process of `serve` runs is waited for; one that nobody runs is run here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from infra.ports import EngineDown
from mailfold.cli.output import Failure
from mailfold.supervisor import SupervisorError, lock, unlock
from mailfold.wiring import House
from projections.consumer import behind
from streams.runners.steps import Steps
from streams.topology import INBOUND, STAGES, StageNode

PATIENCE = 120.0
"""Seconds without any progress after which waiting is given up."""

_PAUSE = 0.02


class Driver:
    """The stages of an installation, driven where nobody else drives them."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._locks: dict[str, int] = {}
        self._own: dict[str, Steps] = {}

    def turn(self) -> int:
        """Let each stage that is ours process what is there; return how much that was."""
        done = 0
        for node in STAGES:
            runner = self._own.get(node.name) or self._take(node.name)
            while runner is not None and (count := runner.step()):
                done += count
        return done

    def _take(self, name: str) -> Steps | None:
        settings = self._house.settings
        if settings.profile != "embedded":
            # There the group decides who has which partition.
            return None
        try:
            self._locks[name] = lock(settings.run_path / f"{name}.process")
        except SupervisorError:
            return None
        self._own[name] = self._house.stepping(name)
        return self._own[name]

    def until(self, done: Callable[[], bool], what: str) -> None:
        """Drive and wait until `done()`. Raises Failure when nothing moves any more."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            try:
                if self.turn():
                    deadline = time.monotonic() + PATIENCE
                    continue
            except EngineDown as e:
                if time.monotonic() >= deadline:
                    raise Failure(f"{e}; try again") from e
            if time.monotonic() >= deadline:
                raise Failure(f"{what} does not happen; see `mailfold doctor` and `mailfold dead`")
            time.sleep(_PAUSE)

    def catch_up(self, node: StageNode) -> None:
        """Drive until a stage has processed what is in its topic now. Raises Failure."""
        log = self._house.log
        end = log.end(node.source)
        self.until(
            lambda: not behind(log.committed(node.name, node.source), end),
            f"stage {node.name} coming to the end of {node.source}",
        )

    def catch_up_all(self) -> None:
        """Drive until what is received now has come to its mailboxes. Raises Failure."""
        self.catch_up(INBOUND)
        for node in STAGES:
            if node is not INBOUND:
                self.catch_up(node)

    def close(self) -> None:
        """Let the stages go."""
        for runner in self._own.values():
            runner.close()
        for fd in self._locks.values():
            unlock(fd)


@contextmanager
def driving(house: House) -> Generator[Driver]:
    """Yield a driver of the pipeline."""
    driver = Driver(house)
    try:
        yield driver
    finally:
        driver.close()
