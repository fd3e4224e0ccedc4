"""What one engine has to say about itself, and what can go wrong with it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class EngineError(Exception):
    """An engine could not be fetched, started or stopped; the text says what to do about it."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How the process of an engine is started; `argv` begins with an absolute path."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


class Engine(Protocol):
    """One kind of engine: where its software comes from, how it is configured, when it is ready."""

    @property
    def name(self) -> str:
        """The name on the command line."""
        ...

    @property
    def port_names(self) -> tuple[str, ...]:
        """The ports it listens on; the first is the one that clients use."""
        ...

    @property
    def stop_signal(self) -> signal.Signals:
        """The signal after which it closes its files in order and ends."""
        ...

    def fetch(self, cache: Path) -> Path:
        """Put the software below `cache` unless it is there, and return its folder.

        Raises EngineError when it cannot be had.
        """
        ...

    def configure(self, software: Path, home: Path, ports: Mapping[str, int]) -> Launch:
        """Write the settings below `home`, make a first data folder, and return the launch.

        Called at each start; data of an earlier run is kept. Raises EngineError when the data
        folder is not one of this engine.
        """
        ...

    def is_ready(self, ports: Mapping[str, int]) -> bool:
        """Whether it answers a real request now; never raises because it does not."""
        ...
