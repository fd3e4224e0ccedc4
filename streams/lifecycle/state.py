"""What the lifecycle stage keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from streams.lifecycle.copies import Copies


class LifecycleState(Protocol):
    """Copies of mails; written within the transaction of whoever calls."""

    def copies(self, mail_ids: Sequence[str]) -> Mapping[str, Copies]:
        """Return the copies of each mail, empty ones of a mail that is new. Raises EngineDown."""
        ...

    def save(self, copies: Mapping[str, Copies | None]) -> None:
        """Replace the copies of mails; None for one that has ended. Raises EngineDown."""
        ...
