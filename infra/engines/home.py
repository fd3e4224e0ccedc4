"""The folder of one engine: its data, its log, its lock, and what is known of its process.

`state.json` is what lets another process ask for the state of an engine or stop it. It is
replaced as a whole, and a pid in it counts only while it is that very process.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from infra.engines.process import ProcessId
from infra.locks import locked

# A start may take its whole readiness limit, and a stop its whole patience.
_LOCK_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class State:
    """What was last known: the ports, and the process unless the engine was stopped."""

    ports: Mapping[str, int]
    process: ProcessId | None

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.is_alive()


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one engine."""

    folder: Path

    @property
    def data(self) -> Path:
        """What the engine stores."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the process printed, all runs."""
        return self.folder / "engine.log"

    def lock(self) -> AbstractContextManager[None]:
        """Held by whoever starts or stops the engine; raises LockHeld after 5 minutes."""
        return locked(self.folder / "lock", _LOCK_SECONDS)

    def read(self) -> State | None:
        """The state, or None when the engine was never started here."""
        try:
            text = (self.folder / "state.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        document = cast("dict[str, Any]", json.loads(text))
        process = document["process"]
        return State(document["ports"], None if process is None else ProcessId(**process))

    def write(self, state: State) -> None:
        """Replace the state."""
        process = state.process
        document = {
            "ports": dict(state.ports),
            "process": None
            if process is None
            else {
                "pid": process.pid,
                "start_ticks": process.start_ticks,
                "boot_id": process.boot_id,
            },
        }
        part = self.folder / "state.json.part"
        part.write_text(json.dumps(document), encoding="utf-8")
        os.replace(part, self.folder / "state.json")

    def last_words(self, lines: int = 15) -> str:
        """The end of the log."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])
