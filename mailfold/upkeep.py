"""What is done from time to time beside the work of a process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from infra.ports import EngineDown
from mailfold.settings import Settings
from mailfold.wiring import House, open_house
from streams.mailbox.retention import trim_commands
from streams.topology import MAILBOX

EVERY = 3600.0
"""Seconds between two rounds."""

logger = logging.getLogger(__name__)


def trim(house: House) -> None:
    """Delete the commands that are consumed and old. Raises EngineDown."""
    trim_commands(house.log, MAILBOX.name, house.clock())


def in_background(
    settings: Settings,
    stopping: Callable[[], bool],
    wait: Callable[[float], None],
    work: Callable[[House], None] = trim,
) -> None:
    """Do `work` now and every hour in a thread, until `stopping()`; `wait` ends early then.

    It has connections of its own, so that it is never within a transaction of somebody else.
    """

    def run() -> None:
        while not stopping():
            try:
                with open_house(settings) as house:
                    work(house)
            except EngineDown as e:
                logger.warning("upkeep was put off: %s", e)
            wait(EVERY)

    threading.Thread(target=run, name="upkeep", daemon=True).start()
