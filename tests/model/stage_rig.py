"""The mailbox stage on a log in memory, its state on SQLite; batches are cut at random, and it
falls at random between outputs, state and position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import apsw

from infra.ports import Content, Output, Record
from schemas.mailbox_events import MailboxEvent
from streams.mailbox.sqlite import SqliteMailboxState
from streams.mailbox.stage import MailboxStage
from tests.fakes import FINGERPRINT, FakeClock, FakeKeys, FakeParts


class FakeContent:
    """A content store."""

    def __init__(self) -> None:
        self.contents: dict[str, Content] = {}

    def put(self, contents: Mapping[str, Content]) -> Mapping[str, Content]:
        return {m: self.contents.setdefault(m, content) for m, content in contents.items()}

    def get(self, mail_ids: Sequence[str]) -> Mapping[str, Content]:
        return {m: self.contents[m] for m in mail_ids if m in self.contents}


class StageRig:
    """Satisfies Rig. With `falls`, it crashes now and then and recovers from its outputs."""

    def __init__(self, random: Random, falls: bool = False, largest: int = 6) -> None:
        self._random = random
        self._falls = falls
        self._largest = largest
        self._position = 0
        self._read = 0
        self.keys = FakeKeys()
        self.content = FakeContent()
        self.clock = FakeClock()
        self.forgotten: set[str] = set()
        self.commands: list[Record] = []
        self.recorded: list[Record] = []
        self.connection = apsw.Connection(":memory:")
        self.outcomes = SqliteMailboxState(self.connection)
        self.stage = self.new_stage(self.outcomes)

    def new_stage(self, state: SqliteMailboxState) -> MailboxStage:
        """Return a stage on another state."""
        return MailboxStage(state, self.content, FakeParts(), self.keys, FINGERPRINT, self.clock)

    def append(self, outputs: Sequence[Output]) -> None:
        _append(self.commands, outputs, self.clock.now)

    def unread(self) -> Sequence[Record]:
        start, self._read = self._read, len(self.recorded)
        return self.recorded[start:]

    def settle(self) -> None:
        while self._position < len(self.commands):
            self._position += self._batch()

    def _batch(self) -> int:
        batch = self.commands[self._position :][: self._random.randint(1, self._largest)]
        plan = self.stage.plan(batch)
        outputs = self.stage.settle(plan)
        if self._falls and self._random.random() < 0.2:
            # Before the outputs: nothing has happened. Keys that were made stay.
            plan = self.stage.plan(batch)
            outputs = self.stage.settle(plan)
        _append(self.recorded, outputs, self.clock.now)
        if self._falls and self._random.random() < 0.3:
            return self._take_over(batch)
        with self.connection:
            self.stage.remember(plan)
        return len(batch)

    def _take_over(self, batch: Sequence[Record]) -> int:
        """Outputs are there, state and position are not: fold, then skip what was judged."""
        self.outcomes = SqliteMailboxState(self.connection)
        self.stage = self.new_stage(self.outcomes)
        start = self._random.randint(0, max(0, len(self.recorded) - 20))
        with self.connection:
            self.stage.recover(self.recorded[start:] if start else self.recorded)
        events = [r.decode() for r in self.recorded]
        causes = {x.caused_by for x in events if isinstance(x, MailboxEvent)}
        judged = [i for i, r in enumerate(batch) if r.event_id in causes]
        skipped = batch[: judged[-1] + 1] if judged else []
        # What was refused among them leaves no event, so its outcome is gone.
        self.forgotten.update(r.event_id for r in skipped)
        return len(skipped)


def _append(log: list[Record], outputs: Sequence[Output], now: int) -> None:
    for o in outputs:
        log.append(Record(o.topic, 0, len(log), o.key, o.type, o.event_id, now, o.value))
