"""The mailbox stage on a log in memory, its state on SQLite; batches are cut at random, and it
falls at random between outputs, state and position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import apsw

from infra.ports import Content, Outcome, Output, Record
from schemas import commands as c
from streams.mailbox.sqlite import SqliteMailboxState
from streams.mailbox.stage import MailboxStage
from tests.fakes import FINGERPRINT, FakeClock, FakeKeys
from tests.model.driver import Secrets, addressed, read_all, seen_by
from tests.model.letters import Letter, content_of
from tests.model.view import ModelView


class FakeContent:
    """A content store."""

    def __init__(self) -> None:
        self.contents: dict[str, Content] = {}

    def put(self, contents: Mapping[str, Content]) -> Mapping[str, Content]:
        return {m: self.contents.setdefault(m, content) for m, content in contents.items()}

    def get(self, mail_ids: Sequence[str]) -> Mapping[str, Content]:
        return {m: self.contents[m] for m in mail_ids if m in self.contents}


class StageDriver:
    """Satisfies Driver. With `falls`, it crashes now and then and recovers from its outputs."""

    def __init__(self, random: Random, falls: bool = False) -> None:
        self._random = random
        self._falls = falls
        self.keys = FakeKeys()
        self.content = FakeContent()
        self.clock = FakeClock()
        self.commands: list[Record] = []
        self.events: list[Record] = []
        self._position = 0
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        self.forgotten: set[str] = set()
        self.connection = apsw.Connection(":memory:")
        self.state = SqliteMailboxState(self.connection)
        self.stage = self.new_stage(self.state)

    def new_stage(self, state: SqliteMailboxState) -> MailboxStage:
        return MailboxStage(
            state, self.content, self.keys, FINGERPRINT, self.clock, "mx.example.test"
        )

    def submit(
        self, commands: Sequence[c.Command], letters: Mapping[str, Letter], secrets: Secrets
    ) -> None:
        for mail_id, letter in letters.items():
            key = self.keys.ensure([mail_id])[mail_id]
            self.content.put({mail_id: content_of(letter, key)})
        readers = read_all(self.events, self.keys)
        threads = {m: r.root(m) for r in readers.values() for m in r.thread}
        # A command whose outcome a crash forgot is not sent again: it would be judged anew.
        fresh = [x for x in commands if x.command_id not in self.forgotten]
        sent = addressed(fresh, threads, self.keys, secrets)
        _append(self.commands, [Output.of(x) for x in sent], self.clock.now)
        while self._position < len(self.commands):
            self._batch()
        for x in sent:
            outcome = self.state.outcome(x.mailbox_id, x.command_id)
            if x.command_id not in self.forgotten:
                assert outcome is not None, "a command without an outcome"
                self._outcomes.setdefault((x.mailbox_id, x.command_id), outcome)

    def _batch(self) -> None:
        batch = self.commands[self._position :][: self._random.randint(1, 6)]
        plan = self.stage.plan(batch)
        outputs = self.stage.settle(plan)
        if self._falls and self._random.random() < 0.2:
            # Before the outputs: nothing has happened. Keys that were made stay.
            plan = self.stage.plan(batch)
            outputs = self.stage.settle(plan)
        _append(self.events, outputs, self.clock.now)
        if self._falls and self._random.random() < 0.3:
            self._take_over(batch)
            return
        with self.connection:
            self.stage.remember(plan)
        self._position += len(batch)

    def _take_over(self, batch: Sequence[Record]) -> None:
        """Outputs are there, state and position are not: fold, then skip what was judged."""
        self.stage = self.new_stage(SqliteMailboxState(self.connection))
        start = self._random.randint(0, max(0, len(self.events) - 20))
        with self.connection:
            self.stage.recover(self.events[start:] if start else self.events)
        causes = {r.decode().caused_by for r in self.events}  # pyright: ignore[reportAttributeAccessIssue]
        judged = [i for i, r in enumerate(batch) if r.event_id in causes]
        skipped = batch[: judged[-1] + 1] if judged else []
        # What was refused among them leaves no event, so its outcome is gone.
        known = {command_id for _, command_id in self._outcomes}
        self.forgotten.update(r.event_id for r in skipped if r.event_id not in known)
        self._position += len(skipped)

    def visible(self) -> ModelView:
        return seen_by(read_all(self.events, self.keys), self._outcomes)


def _append(log: list[Record], outputs: Sequence[Output], now: int) -> None:
    for o in outputs:
        log.append(Record(o.topic, 0, len(log), o.key, o.type, o.event_id, now, o.value))
