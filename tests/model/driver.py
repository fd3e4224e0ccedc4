"""How a history is put to a product, whatever runs its stage, and what is seen afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

    def events(self) -> Sequence[Record]:
        """Return all events, in order within each mailbox."""
        ...


class Driver:
    """Puts commands to a rig and reads what became of them."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._outcomes: dict[tuple[str, str], Outcome] = {}

    def submit(
        self, commands: Sequence[c.Command], letters: Mapping[str, Letter], secrets: Secrets
    ) -> None:
        """Store the content of letters, append the commands, run until all are judged.

        Fields `sealed` are empty, and threads are named as THREAD_OF says; both are seen to here.
        """
        rig = self._rig
        for mail_id, letter in letters.items():
            key = rig.keys.ensure([mail_id])[mail_id]
            rig.content.put({mail_id: content_of(letter, key)})
        threads = {m: r.root(m) for r in self._readers().values() for m in r.thread}
        # A command whose outcome is forgotten is not sent again: it would be judged anew.
        fresh = [x for x in commands if x.command_id not in rig.forgotten]
        sent = addressed(fresh, threads, rig.keys, secrets)
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
        return seen_by(self._readers(), self._outcomes)

    def _readers(self) -> dict[str, Reader]:
        return read_all(self._rig.events(), self._rig.keys)


def addressed(
    commands: Iterable[c.Command], threads: Mapping[str, str], keys: KeyStore, secrets: Secrets
) -> list[c.Command]:
    """Return commands as clients send them; `threads` has the thread of each message."""
    made: list[c.Command] = []
    for command in commands:
        sent = command
        if isinstance(command, c.MoveToThread) and command.thread_id.startswith(THREAD_OF):
            named = command.thread_id.removeprefix(THREAD_OF)
            sent = msgspec.structs.replace(command, thread_id=threads.get(named, NO_THREAD))
        elif isinstance(command, c.DefineLabel | c.RenameLabel | c.DefineFilter):
            key = keys.ensure([command.mailbox_id])[command.mailbox_id]
            sealed = seal(secrets[command.command_id], key, command.command_id)
            sent = msgspec.structs.replace(command, sealed=sealed)
        made.append(sent)
    return made


def read_all(events: Iterable[Record], keys: KeyStore) -> dict[str, Reader]:
    """Return readers, by mailbox, that have read these events."""
    readers: dict[str, Reader] = {}
    for record in events:
        event = record.decode()
        assert isinstance(event, e.MailboxEvent)
        readers.setdefault(event.mailbox_id, Reader(keys)).read(event)
    return readers


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
