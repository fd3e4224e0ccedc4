"""Who may come in, how fast, and how much memory they may hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

CONNECTIONS = "mx-connections"
MESSAGES = "mx-messages"
RECIPIENTS = "mx-recipients"
ERRORS = "mx-errors"
RATE_LIMITS = (CONNECTIONS, MESSAGES, RECIPIENTS, ERRORS)
"""Names of the rate limits that doors ask the Limits port about; the key is the network."""


class Connections:
    """How many connections are open, in all and for each client network."""

    def __init__(self, most: int, most_per_network: int) -> None:
        self._most = most
        self._most_per_network = most_per_network
        self._by_network: Counter[str] = Counter()
        self.open = 0

    def enter(self, network: str) -> bool:
        """Count a connection in, unless there are too many."""
        if self.open >= self._most or self._by_network[network] >= self._most_per_network:
            return False
        self.open += 1
        self._by_network[network] += 1
        return True

    def leave(self, network: str) -> None:
        """Count a connection out that was counted in."""
        self.open -= 1
        self._by_network[network] -= 1
        if not self._by_network[network]:
            del self._by_network[network]


class Memory:
    """A bound on what all messages that are being received hold together, octets."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    def lease(self) -> Lease:
        """Return the account of one message, with nothing on it."""
        return Lease(self)

    def change(self, octets: int) -> bool:
        """Take `octets` more, or give back a negative number; False when there is no room."""
        if octets > 0 and self.held + octets > self._most:
            return False
        self.held += octets
        return True


class Lease:
    """What one message holds."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._held = 0

    def hold(self, octets: int) -> bool:
        """Hold that many octets from now on; False, and nothing changed, when there is no room."""
        if not self._memory.change(octets - self._held):
            return False
        self._held = octets
        return True

    def release(self) -> None:
        """Hold nothing."""
        self.hold(0)


@dataclass(frozen=True, slots=True)
class BackPressure:
    """How the doors follow the stages: from `slow` waiting mails on slower, from `stop` on not.

    Between both the wait before a transaction grows from nothing to `longest` seconds.
    """

    slow: int = 5_000
    stop: int = 100_000
    longest: float = 2.0

    def wait(self, lag: int) -> float | None:
        """Return the seconds to wait before a new transaction; None: accept none."""
        if lag >= self.stop:
            return None
        if lag <= self.slow:
            return 0.0
        return self.longest * (lag - self.slow) / (self.stop - self.slow)
