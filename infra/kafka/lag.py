"""How far a stage is behind the doors, cheap enough to ask for every mail."""

from __future__ import annotations

import threading
import time

from infra.kafka.log import KafkaLog
from infra.ports import EngineDown, Position

_FRESH = 0.5
"""Seconds for which an answer is good."""

_FIRST = 1.0
"""Seconds that the first one to ask waits."""


class KafkaLag:
    """Satisfies Lag: records of a topic that a group has not committed.

    Whoever asks gets the last figure at once; a thread fetches the next one when that is old.
    """

    def __init__(self, log: KafkaLog, group: str, topic: str) -> None:
        self._log = log
        self._group = group
        self._topic = topic
        self._last = 0
        self._until = 0.0
        self._mutex = threading.Lock()
        self._asking = False
        self._known = threading.Event()

    def lag(self) -> int:
        """The number of records not yet processed; may be a moment old, never raises."""
        with self._mutex:
            if not self._asking and time.monotonic() >= self._until:
                self._asking = True
                threading.Thread(target=self._ask, name="kafka-lag", daemon=True).start()
        # Only who asks first has to wait.
        self._known.wait(_FIRST)
        return self._last

    def measure(self) -> int:
        """The number of records not yet processed now. Raises EngineDown."""
        end = self._log.end(self._topic)
        committed = self._log.committed(self._group, self._topic)
        begin: Position = {}
        if end.keys() - committed.keys():
            begin = self._log.begin(self._topic)
        return sum(n - committed.get(p, begin.get(p, 0)) for p, n in end.items())

    def _ask(self) -> None:
        try:
            found = self.measure()
        except EngineDown:
            # Whether mail can be accepted is the log's to say; the last figure is the best we know.
            found = self._last
        with self._mutex:
            self._last = found
            self._until = time.monotonic() + _FRESH
            self._asking = False
        self._known.set()
