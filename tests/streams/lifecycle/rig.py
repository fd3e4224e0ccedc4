"""Mailbox stage, lifecycle stage, timers and garbage on one machine, with a clock that tests move.

Every checkpoint can be the last: the process dies there and another takes its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from infra.parts.files import FileParts
from infra.parts.garbage import FileGarbage
from infra.ports import Outcome, Output, PartMissing
from infra.sqlite.connection import LOG
from infra.sqlite.content import InRow, SqliteContent
from infra.sqlite.dead import SqliteDeadLetters
from infra.sqlite.file import SqliteFile
from infra.sqlite.keys import SqliteKeys
from infra.sqlite.log import SqliteLog
from infra.sqlite.references import SqliteReferences
from infra.sqlite.timers import SqliteTimers
from infra.sqlite.wake import SocketWake
from schemas import commands as c
from schemas import identity
from schemas import mailbox_events as e
from schemas.codec import encode
from schemas.topics import MAILBOX_EVENTS
from streams.lifecycle.periods import Periods
from streams.lifecycle.sqlite import SqliteLifecycleState
from streams.lifecycle.stage import LifecycleStage
from streams.mailbox.sqlite import SqliteMailboxState
from streams.mailbox.stage import MailboxStage
from streams.runners.embedded import EmbeddedRunner
from streams.runners.timed import TimedRunner
from tests.contracts.parts import part
from tests.contracts.runners import Killed
from tests.fakes import FINGERPRINT, FakeClock, FakeParts
from tests.model.letters import Letter, content_of, deliver

DAY = 86_400_000_000
GRACE = 30
ANN, BOB, CYD = (identity.derived("box", n) for n in ("ann", "bob", "cyd"))


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self._file = SqliteFile(folder / "log.db", LOG)
        self._wake = SocketWake(folder / "run")
        self.log = SqliteLog(self._file, self.clock, self._wake)
        self.keys = SqliteKeys(folder / "keys.db")
        self.content = SqliteContent(InRow(self._file))
        self.references = SqliteReferences(self._file)
        self.parts = FileParts(folder / "parts", self.references)
        self.timers = SqliteTimers(self._file)
        self.state = SqliteMailboxState(self._file.connection)
        self.dead = SqliteDeadLetters(self._file)
        self.point: Callable[[str], None] = lambda _: None
        self.garbage = FileGarbage(self.parts, self.references, GRACE, lambda p: self.point(p))
        self._serial = 0
        self._letters: dict[str, Letter] = {}
        self._start()

    def _start(self) -> None:
        mailbox = MailboxStage(
            self.state, self.content, FakeParts(), self.keys, FINGERPRINT, self.clock
        )
        lifecycle = LifecycleStage(
            SqliteLifecycleState(self._file.connection),
            self.timers,
            self.keys,
            self.content,
            self.garbage,
            self.clock,
            Periods(),
        )

        def runner(stage: Any) -> EmbeddedRunner:
            return EmbeddedRunner(stage, self.log, self.dead, self.clock, lambda p: self.point(p))

        self._mailbox = runner(mailbox)
        self._lifecycle = TimedRunner(
            runner(lifecycle),
            self.log,
            self.timers,
            self.garbage,
            self.clock,
            lambda p: self.point(p),
        )

    def settle(self) -> None:
        """Run both until nothing is left to do now."""
        while True:
            try:
                if not self._mailbox.step() + self._lifecycle.step():
                    break
            except Killed:
                self._mailbox.close()
                self._lifecycle.close()
                self._start()
        assert not self.dead.list()

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.settle()

    def new_id(self) -> str:
        self._serial += 1
        return identity.derived("lifecycle", str(self._serial))

    def mail(
        self,
        boxes: Sequence[str],
        text: str = "",
        *,
        deliver_to: Sequence[str] | None = None,
        **given: Any,
    ) -> str:
        """Receive a mail for these mailboxes, with a large part, and return its mail_id."""
        mail_id = self.new_id()
        letter = Letter(
            mail_id, text or mail_id, received_at=self.clock.now, dated=self.clock.now, **given
        )
        self.parts.put(mail_id, dict([self.part_of(letter.text)]))
        key = self.keys.ensure([mail_id])[mail_id]
        content = content_of(letter, key)
        received = msgspec.structs.replace(content.received.decode(), mailboxes=list(boxes))
        record = msgspec.structs.replace(content.received, value=encode(received))
        self.content.put({mail_id: dataclasses.replace(content, received=record)})
        self._letters[mail_id] = letter
        for box in boxes if deliver_to is None else deliver_to:
            self._deliver(letter, box)
        return mail_id

    def _deliver(self, letter: Letter, box: str) -> None:
        self.log.append([Output.of(deliver(letter, box, self.new_id(), self.clock.now))])

    def deliver_late(self, mail_id: str, box: str) -> None:
        """Deliver a mail into a mailbox that has not got it yet."""
        self._deliver(self._letters[mail_id], box)
        self.settle()

    @staticmethod
    def part_of(text: str) -> tuple[bytes, bytes]:
        return part(len(text) * 31 + sum(text.encode()), 50)

    def has_part(self, text: str) -> bool:
        try:
            return bool(self.parts.get(self.part_of(text)[0]))
        except PartMissing:
            return False

    def do(self, kind: type[c.Command], box: str = ANN, **fields: Any) -> Outcome:
        """Give a command and have it judged."""
        command = kind(
            command_id=self.new_id(),
            mailbox_id=box,
            occurred_at=self.clock.now,
            actor="user",
            **fields,
        )
        self.log.append([Output.of(command)])
        self.settle()
        outcome = self.state.outcome(box, command.command_id)
        assert outcome is not None
        return outcome

    def events(self) -> list[e.MailboxEvent]:
        reader = self.log.reader(MAILBOX_EVENTS, {})
        try:
            return [r.decode() for r in reader.poll(10_000, 0)]  # type: ignore[misc]
        finally:
            reader.close()

    def told(self, message: str) -> list[str]:
        """The kinds of events of one message, in order."""
        return [type(x).__name__ for x in self.events() if getattr(x, "message_id", "") == message]

    def has_key(self, identifier: str) -> bool:
        return identifier in self.keys.get([identifier])

    def close(self) -> None:
        self._mailbox.close()
        self._lifecycle.close()
        self._file.close()
        self.keys.close()
        self._wake.close()
