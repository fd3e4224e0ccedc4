"""A mailbox projection with its log, versions and reader, as wiring puts them together."""

from __future__ import annotations

from pathlib import Path

from projections.consumer import Consumer
from projections.mailbox.sqlite import SqliteMailboxProjection
from projections.mailbox.sqlite_reader import SqliteMailboxReader
from projections.mailbox.tables import FORMAT
from projections.versions import Versions
from schemas.topics import MAILBOX_EVENTS
from tests.fakes import FakeClock, FakeKeys
from tests.histories import Histories
from tests.projections.memory_log import Bell, MemoryLog


class Kit:
    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.history = Histories(seed, mailboxes=4)
        self.keys = FakeKeys()
        self.keys.keys = self.history.keys
        self.log = MemoryLog()
        self.clock = FakeClock()
        self.bell = Bell()
        self.versions = self.of_format(FORMAT)
        self.consumer = self.another_consumer()
        self.reader = SqliteMailboxReader(self.versions.live_file)

    def of_format(self, number: int) -> Versions:
        return Versions(
            self.folder / "views.db",
            "mailbox",
            MAILBOX_EVENTS,
            number,
            lambda path: SqliteMailboxProjection(path, self.keys),
            self.clock,
        )

    def another_consumer(self, batch: int = 50) -> Consumer:
        return Consumer(self.log, self.versions, self.bell, batch=batch)

    def happen(self, count: int) -> None:
        self.log.add(self.history.events(count))

    def follow(self) -> None:
        while self.consumer.step(0.0):
            pass

    def heads(self) -> dict[str, int]:
        return {b.mailbox_id: self.reader.head(b.mailbox_id) for b in self.history.boxes}

    def seqs(self) -> dict[str, int]:
        return {b.mailbox_id: b.seq for b in self.history.boxes}

    def states(self) -> list[tuple[int, str]]:
        return [(v.version, v.state) for v in self.versions.list()]

    def close(self) -> None:
        self.consumer.close()
        self.reader.close()
        self.versions.close()
