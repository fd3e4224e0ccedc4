"""How a history is put to a product, whatever runs its stage, and what is seen afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from infra.ports import KeyStore, Outcome, Record
from schemas import commands as c
from schemas import mailbox_events as e
from schemas.parts import FilterSecret, LabelSecret
from schemas.seal import seal
from tests.model.letters import THREAD_OF, Letter
from tests.model.reader import Reader
from tests.model.view import BoxView, ModelView

NO_THREAD = "00000000-0000-4000-8000-000000000000"

Secrets = Mapping[str, LabelSecret | FilterSecret]
"""What the commands of labels and filters seal, by command_id."""


class Driver(Protocol):
    """A product under test: a runner with its log, stores and stage."""

    def submit(
        self, commands: Sequence[c.Command], letters: Mapping[str, Letter], secrets: Secrets
    ) -> None:
        """Store the content of new letters, append the commands, run until all are judged.

        Fields `sealed` are empty, and threads are named as THREAD_OF says; `addressed` sees to
        both.
        """
        ...

    def visible(self) -> ModelView:
        """Return what a reader sees now."""
        ...


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
