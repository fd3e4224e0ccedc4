"""Waking other processes of this installation."""

from __future__ import annotations

from typing import Protocol


class Wake(Protocol):
    """Wakes processes of this installation without polling."""

    def notify(self, channel: str) -> None:
        """Tell whoever waits on `channel`; never blocks, never fails."""
        ...

    def listen(self, channel: str) -> Listener:
        """Return a listener; what was notified before is not heard."""
        ...


class Listener(Protocol):
    """One waiter on a channel."""

    def fileno(self) -> int:
        """Return a file descriptor that is readable when something was notified."""
        ...

    def drain(self) -> None:
        """Take all notifications; call it before reading what they tell of."""
        ...

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds and drain; return whether something was notified."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...
