"""How a history is put to a product, whatever runs its stage, and what is seen afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from infra.ports import ContentStore, KeyStore, Outcome, Outcomes, Output, Record
from schemas import commands as c
from schemas import mailbox_events as e
from schemas.parts import FilterSecret, LabelSecret
from schemas.seal import seal
from tests.model.letters import THREAD_OF, Letter, content_of
from tests.model.reader import Reader
from tests.model.view import BoxView, ModelView

NO_THREAD = "00000000-0000-4000-8000-000000000000"

_SEALED = c.DefineLabel | c.RenameLabel | c.DefineFilter

Secrets = Mapping[str, LabelSecret | FilterSecret]
"""What the commands of labels and filters seal, by command_id."""


class Rig(Protocol):
    """A mailbox stage in some runner, with the stores that it reads.

    `forgotten` are commands whose outcome a crash has lost: they leave no event.
    """

    keys: KeyStore
    content: ContentStore
    outcomes: Outcomes
    forgotten: set[str]

    def append(self, outputs: Sequence[Output]) -> None:
        """Append commands."""
        ...

    def settle(self) -> None:
        """Run until all commands are judged."""
        ...

    def unread(self) -> Sequence[Record]:
        """Return the events since the last call, in order within each mailbox."""
        ...


class Misread(AssertionError):
    """Events of a mailbox that no mailbox can have."""

    def __init__(self, mailbox_id: str, error: AssertionError) -> None:
        super().__init__(f"mailbox {mailbox_id}: {error}")
        self.mailbox_id = mailbox_id


class Driver:
    """Puts commands to a rig and reads what became of them."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        self._readers: dict[str, Reader] = {}

    def submit(
        self, commands: Sequence[c.Command], letters: Mapping[str, Letter], secrets: Secrets
    ) -> None:
        """Store the content of letters, append the commands, run until all are judged.

        Fields `sealed` are empty, and threads are named as THREAD_OF says; both are seen to here.
        """
        rig = self._rig
        content_keys = rig.keys.ensure(list(letters))
        rig.content.put({m: content_of(x, content_keys[m]) for m, x in letters.items()})
        # A command whose outcome is forgotten is not sent again: it would be judged anew.
        fresh = [x for x in commands if x.command_id not in rig.forgotten]
        sent = addressed(fresh, self._thread_of, rig.keys, secrets)
        rig.append([Output.of(x) for x in sent])
        rig.settle()
        for x in sent:
            outcome = rig.outcomes.outcome(x.mailbox_id, x.command_id)
            if (x.mailbox_id, x.command_id) in self._outcomes:
                rig.forgotten.discard(x.command_id)
            elif x.command_id not in rig.forgotten:
                assert outcome is not None, "a command without an outcome"
                self._outcomes[x.mailbox_id, x.command_id] = outcome

    def visible(self) -> ModelView:
        """Return what a reader sees now."""
        self._read()
        return seen_by(self._readers, self._outcomes)

    def causes(self, mailbox_id: str) -> frozenset[str]:
        """Return the commands that had an effect, as far as `visible` has looked."""
        reader = self._readers.get(mailbox_id)
        return frozenset(reader.causes) if reader else frozenset()

    def _thread_of(self, mailbox_id: str, message_id: str) -> str:
        self._read()
        reader = self._readers.get(mailbox_id)
        return reader.root(message_id) if reader and message_id in reader.thread else NO_THREAD

    def _read(self) -> None:
        for record in self._rig.unread():
            event = record.decode()
            assert isinstance(event, e.MailboxEvent)
            reader = self._readers.setdefault(event.mailbox_id, Reader(self._rig.keys))
            try:
                reader.read(event)
            except AssertionError as error:
                raise Misread(event.mailbox_id, error) from error


def addressed(
    commands: Sequence[c.Command],
    thread_of: Callable[[str, str], str],
    keys: KeyStore,
    secrets: Secrets,
) -> list[c.Command]:
    """Return commands as clients send them; `thread_of` names the thread of a mailbox's message."""
    sealed = [x for x in commands if isinstance(x, _SEALED)]
    mailbox_keys = keys.ensure(sorted({x.mailbox_id for x in sealed}))
    made: list[c.Command] = []
    for command in commands:
        sent = command
        if isinstance(command, c.MoveToThread) and command.thread_id.startswith(THREAD_OF):
            named = thread_of(command.mailbox_id, command.thread_id.removeprefix(THREAD_OF))
            sent = msgspec.structs.replace(command, thread_id=named)
        elif isinstance(command, _SEALED):
            secret = secrets[command.command_id]
            box = seal(secret, mailbox_keys[command.mailbox_id], command.command_id)
            sent = msgspec.structs.replace(command, sealed=box)
        made.append(sent)
    return made


def seen_by(
    readers: Mapping[str, Reader], outcomes: Mapping[tuple[str, str], Outcome]
) -> ModelView:
    """Return what readers saw, with outcomes by mailbox and command, taken while they are kept."""
    found: dict[str, dict[str, tuple[int, tuple[tuple[str, str], ...]]]] = {}
    for (mailbox_id, command_id), outcome in outcomes.items():
        refusals = tuple((r.message_id, r.code) for r in outcome.refusals)
        found.setdefault(mailbox_id, {})[command_id] = (outcome.seq, refusals)
    return {
        m: readers[m].finished(o) if m in readers else BoxView(outcomes=o) for m, o in found.items()
    }
