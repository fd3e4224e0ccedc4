"""How far the inbound stage is behind the doors, cheap enough to ask for every mail."""

from __future__ import annotations

import threading
import time
from typing import cast

import apsw

from infra.sqlite.file import SqliteFile
from schemas.topics import MAIL_RECEIVED

_FRESH = 0.02
"""Seconds for which an answer is good."""


class SqliteLag:
    """Received mails not yet judged (port Lag)."""

    def __init__(self, file: SqliteFile, group: str, topic: str = MAIL_RECEIVED) -> None:
        """Count what consumer `group` has before it in `topic`. Raises EngineDown."""
        # Its own: an event loop asks, which must not wait for a commit.
        self._connection = file.open_reader()
        self._group = group
        self._topic = topic
        self._lock = threading.Lock()
        self._until = 0.0
        self._last = 0

    def lag(self) -> int:
        """Return the number of received mails not yet judged; may be a moment old, never raises."""
        with self._lock:
            now = time.monotonic()
            if now >= self._until:
                self._until = now + _FRESH
                self._last = self._ask()
            return self._last

    def _ask(self) -> int:
        try:
            return cast(
                "int",
                self._connection.execute(
                    "select next - coalesce((select p.next from log_position p "
                    "where p.consumer=? and p.topic=t.name), 0) from log_topic t where t.name=?",
                    (self._group, self._topic),
                ).get,
            )
        except apsw.Error:
            # Whether mail can be accepted is the log's to say; the last figure is the best we know.
            return self._last

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()
