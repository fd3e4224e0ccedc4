"""What every port shares: time, chance, positions, and how an engine fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

Clock = Callable[[], int]
"""Now, in microseconds since 1970 UTC."""

Random = Callable[[int], bytes]
"""That many random octets, fit for keys."""

Checkpoint = Callable[[str], None]
"""Called by name at every point between outputs, state and position; tests kill there."""

Position = Mapping[int, int]
"""Where a consumer stands in a topic: partition -> offset of the next record. {} is the start."""


Fault = Literal["away", "busy", "full", "disk", "denied", "damaged"]
"""What is the matter with an engine: not there, held by somebody else, out of room, the disk gives
errors, not allowed to us, its data are broken."""


class EngineDown(Exception):
    """An engine can't be reached or refuses; the same call may succeed later."""

    def __init__(self, text: str, fault: Fault = "away") -> None:
        super().__init__(text)
        self.text = text
        self.fault: Fault = fault


class Fenced(Exception):
    """Another process has taken this partition over; the caller must stop at once."""
