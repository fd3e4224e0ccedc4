"""One mailbox to play with: letters in, commands in, what is seen out."""

from __future__ import annotations

from random import Random
from typing import Any, TypeVar

from infra.ports import Outcome, Output, Record
from schemas import commands as c
from schemas import identity
from schemas import mailbox_events as e
from schemas.parts import FilterSecret, LabelSecret
from tests.model.driver import Driver
from tests.model.letters import Letter, deliver
from tests.model.stage_rig import StageRig
from tests.model.view import BoxView

BOX = identity.derived("a mailbox")
MINUTE = 60_000_000
DAY = 1440 * MINUTE

C = TypeVar("C", bound=c.Command)
E = TypeVar("E", bound=e.MailboxEvent)


class Mailbox:
    """A mailbox under the stage; time stands still unless a test moves it."""

    def __init__(self) -> None:
        self.rig = StageRig(Random(0))
        self._driver = Driver(self.rig)
        self._serial = 0

    @property
    def now(self) -> int:
        return self.rig.clock.now

    def wait(self, microseconds: int) -> None:
        self.rig.clock.now += microseconds

    def new_id(self) -> str:
        self._serial += 1
        return identity.derived("kit", str(self._serial))

    def letter(self, **given: Any) -> Letter:
        """Return a letter that is like no other but for what is `given`."""
        mail_id = self.new_id()
        made: dict[str, Any] = {
            "mail_id": mail_id,
            "text": f"letter {mail_id}",
            "received_at": self.now,
            "dated": self.now,
        }
        return Letter(**{**made, **given})

    def deliver(self, *letters: Letter, **given: Any) -> str:
        """Deliver letters (or one made of what is `given`); return the last one's message_id."""
        letters = letters or (self.letter(**given),)
        commands = [deliver(x, BOX, self.new_id(), self.now) for x in letters]
        self._driver.submit(commands, {x.mail_id: x for x in letters}, {})
        return identity.message_id(BOX, letters[-1].mail_id)

    def do(
        self, kind: type[C], *, name: str | None = None, query: str | None = None, **fields: Any
    ) -> Outcome:
        """Give a command; `name` is what a label's command seals, `query` what a filter's does."""
        head: dict[str, Any] = {
            "command_id": self.new_id(),
            "mailbox_id": BOX,
            "occurred_at": self.now,
            "actor": "user",
        }
        command = kind(**{**head, **fields})
        secrets: dict[str, LabelSecret | FilterSecret] = {}
        if name is not None:
            secrets[command.command_id] = LabelSecret(name=name)
        if query is not None:
            secrets[command.command_id] = FilterSecret(query=query)
        self._driver.submit([command], {}, secrets)
        outcome = self.rig.outcomes.outcome(BOX, command.command_id)
        assert outcome is not None
        return outcome

    def change(self, *message_ids: str, **fields: Any) -> Outcome:
        return self.do(c.ChangeLabels, message_ids=list(message_ids), **fields)

    def label(self, name: str, label_id: str | None = None) -> str:
        label_id = label_id or self.new_id()
        assert not self.do(c.DefineLabel, name=name, label_id=label_id, sealed=b"").refusals
        return label_id

    def filter(self, query: str, filter_id: str | None = None, **actions: Any) -> str:
        """Make a filter; return its identifier."""
        filter_id = filter_id or self.new_id()
        made = self.do(c.DefineFilter, query=query, filter_id=filter_id, **actions, sealed=b"")
        assert not made.refusals
        return filter_id

    @property
    def seen(self) -> BoxView:
        return self._driver.visible()[BOX]

    def labels(self, message_id: str) -> set[str]:
        return set(self.seen.messages[message_id].labels)

    def together(self, *message_ids: str) -> bool:
        """Whether messages are in one thread."""
        return any(set(message_ids) <= thread for thread in self.seen.threads)

    def events(self, kind: type[E]) -> list[E]:
        decoded = [r.decode() for r in self.rig.recorded]
        return [x for x in decoded if isinstance(x, kind)]


def codes(outcome: Outcome) -> list[str]:
    return [r.code for r in outcome.refusals]


def record_of(command: c.Command) -> Record:
    """Return a command as the log holds it."""
    o = Output.of(command)
    return Record(o.topic, 0, 0, o.key, o.type, o.event_id, 0, o.value)
