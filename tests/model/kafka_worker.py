"""A process that runs the mailbox stage of the cluster profile until SIGTERM, as `serve` would.

Settings come from the environment; the clock is a file, which the test moves: CLOCK.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

from mailfold.settings import Settings, load
from mailfold.wiring import House
from streams.topology import MAILBOX


class FileClock:
    """A clock that several processes see alike; microseconds."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> int:
        return int(self._path.read_text())

    @property
    def now(self) -> int:
        """What it shows."""
        return self()

    @now.setter
    def now(self, moment: int) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(str(moment))
        fresh.replace(self._path)


class TimedHouse(House):
    """The house, on another clock."""

    def __init__(self, settings: Settings, clock: FileClock) -> None:
        super().__init__(settings)
        self._clock = clock

    def clock(self) -> int:
        return self._clock()


def main(clock: Path) -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level="WARNING", format="%(process)d %(name)s %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    house = TimedHouse(load(), FileClock(clock))
    runner = house.runner(MAILBOX.name)
    runner.run(stop.is_set, stop.wait)
    runner.close()
    house.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
