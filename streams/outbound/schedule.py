"""When a mail that could not be handed over is tried again (RFC 5321 section 4.5.4.1). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

_SECOND = 1_000_000

WAITS: tuple[float, ...] = (60, 300, 900, 3600, 7200, 14400)
"""Seconds before each further attempt; the last one goes on. The first are short, for hosts that
ask an unknown client to come again."""

LIFETIME = 5 * 86400.0
"""Seconds after which it is given up: RFC 5321 wants 4 to 5 days at least."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Waits and lifetime in seconds."""

    waits: Sequence[float] = WAITS
    lifetime: float = LIFETIME

    def next(self, submission_id: str, submitted_at: int, attempt: int, now: int) -> int | None:
        """Return when to try after the `attempt`-th attempt, None when its time is over.

        Times are microseconds. Each wait is cut short by a share that follows from submission and
        attempt, so that mails that failed together do not come back together.
        """
        if now >= submitted_at + int(self.lifetime * _SECOND):
            return None
        wait = self.waits[min(attempt, len(self.waits)) - 1]
        octets = sha256(f"{submission_id} {attempt}".encode()).digest()[:4]
        share = int.from_bytes(octets, "big") / 2**32
        # Never less than a tenth: after a failure there is to be a delay.
        at = now + int(wait * _SECOND * (0.1 + 0.9 * share))
        return min(at, submitted_at + int(self.lifetime * _SECOND))


def parse(text: str) -> tuple[float, ...]:
    """Return the waits in a list of seconds, separated by commas. Raises ValueError."""
    waits = tuple(float(word) for word in text.split(","))
    if not all(0 < wait < LIFETIME for wait in waits):
        raise ValueError("each wait is more than 0 seconds and less than 5 days")
    return waits
