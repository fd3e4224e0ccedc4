"""The mailbox stage as an installation of one machine runs it, killed at random points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from infra.ports import Output, Record
from infra.sqlite.connection import LOG
from infra.sqlite.content import InRow, SqliteContent
from infra.sqlite.dead import SqliteDeadLetters
from infra.sqlite.file import SqliteFile
from infra.sqlite.log import SqliteLog
from infra.sqlite.wake import SocketWake
from schemas.topics import MAILBOX_EVENTS
from streams.mailbox.sqlite import SqliteMailboxState
from streams.mailbox.stage import MailboxStage
from streams.runners.embedded import EmbeddedRunner
from tests.contracts.runners import Killed
from tests.fakes import FINGERPRINT, FakeClock, FakeKeys, FakeParts


class EmbeddedRig:
    """Satisfies Rig: log, content and state in one file."""

    def __init__(self, folder: Path, random: Random) -> None:
        self._random = random
        self.clock = FakeClock()
        self.keys = FakeKeys()
        self.forgotten: set[str] = set()
        folder.mkdir()
        self._file = SqliteFile(folder / "log.db", LOG)
        self._wake = SocketWake(folder / "run")
        self.content = SqliteContent(InRow(self._file))
        self.outcomes = SqliteMailboxState(self._file.connection)
        self._log = SqliteLog(self._file, self.clock, self._wake)
        self.dead = SqliteDeadLetters(self._file)
        self._events = self._log.reader(MAILBOX_EVENTS, {})
        self._runner = self._start()

    def _start(self) -> EmbeddedRunner:
        stage = MailboxStage(
            self.outcomes, self.content, FakeParts(), self.keys, FINGERPRINT, self.clock
        )
        return EmbeddedRunner(stage, self._log, self.dead, self.clock, self._checkpoint)

    def _checkpoint(self, point: str) -> None:
        if self._random.random() < 0.02:
            raise Killed(point)

    def append(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            self._log.append([output])

    def settle(self) -> None:
        while True:
            try:
                if self._runner.step() == 0:
                    break
            except Killed:
                self._runner.close()
                self._runner = self._start()
        assert not self.dead.list(), "a command became a dead letter"

    def unread(self) -> Sequence[Record]:
        return self._events.poll(100_000, 0)

    def close(self) -> None:
        self._events.close()
        self._runner.close()
        self._file.close()
        self._wake.close()
