"""The mailbox stage: commands in, events out, one writer for each mailbox."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import cast

import msgspec

from infra.ports import Clock, ContentStore, KeyStore, Output, PartStore, Random, Record
from mail.query.tree import Node
from mail.segments import join
from schemas import commands as c
from schemas import mailbox_events as e
from schemas.codec import CodecError
from schemas.content import original
from schemas.fingerprint import Fingerprint
from schemas.parts import FilterSecret
from schemas.seal import SealError, seal, unseal
from schemas.topics import MAILBOX_COMMANDS, MAILBOX_EVENTS
from streams.mailbox.decide import judge
from streams.mailbox.draft import Draft, event_identity
from streams.mailbox.evolve import evolve
from streams.mailbox.needs import Mail, Prepared, is_identifier, needs, needs_of_events
from streams.mailbox.preparation import Asks, Desk, Original, query_of
from streams.mailbox.state import MailboxState
from streams.mailbox.working_set import WorkingSet
from streams.stage import Poison

NAME = "mailbox"

QUERIES_KEPT = 8192
"""Queries of filters that the stage keeps in memory."""

PRINTS_KEPT = 8192
"""Fingerprints that the stage keeps in memory."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch decided: events in order within each mailbox, and the state after them."""

    sets: list[WorkingSet] = field(default_factory=list[WorkingSet])
    drafts: list[Draft] = field(default_factory=list[Draft])
    now: int = 0


class MailboxStage:
    """Satisfies Stage[Plan]."""

    name = NAME
    source = MAILBOX_COMMANDS
    folds: str | None = MAILBOX_EVENTS

    def __init__(
        self,
        state: MailboxState,
        content: ContentStore,
        parts: PartStore,
        keys: KeyStore,
        fingerprint: Fingerprint,
        clock: Clock,
        random: Random = os.urandom,
    ) -> None:
        self._state = state
        self._content = content
        self._keys = keys
        # People and references come again and again.
        self._print = lru_cache(PRINTS_KEPT)(fingerprint.in_mailbox)
        self._original: Original = lambda secret: original(secret, parts.get, fingerprint, join)
        self._query = lru_cache(QUERIES_KEPT)(self._opened_query)
        self._clock = clock
        self._random = random

    def plan(self, batch: Sequence[Record]) -> Plan:
        """Decide a batch in order. Raises Poison, EngineDown."""
        commands = _by_mailbox([_command(record) for record in batch])
        plan = Plan(now=self._clock())
        desk = self._desk()
        desk.fetch(*_wanted(commands))
        for mailbox_id, wishes in commands.items():
            prepared = [(command, desk.prepare(command)) for command in wishes]
            ws = self._state.load(mailbox_id, needs(prepared))
            restored = self._restored(ws, wishes, desk)
            queries = self._queries(ws, prepared)
            asked = Asks.of(queries.values()) if queries else None
            for command, ready in prepared:
                if asked and isinstance(command, c.Deliver) and command.mail_id in ready.mails:
                    document = desk.document(command.mail_id, asked)
                    ready = replace(ready, queries=queries, document=document)
                if isinstance(command, c.Restore):
                    ready = replace(ready, mails=restored)
                plan.drafts.extend(judge(ws, command, ready, plan.now))
            plan.sets.append(ws)
        return plan

    def settle(self, plan: Plan) -> Sequence[Output]:
        """Make the keys durable that the events are sealed with. Raises EngineDown."""
        identifiers = dict.fromkeys(d.key for d in plan.drafts if d.secret is not None)
        keys = self._keys.ensure(list(identifiers))
        outputs: list[Output] = []
        for draft in plan.drafts:
            event = draft.event
            if draft.secret is not None:
                sealed = seal(draft.secret, keys[draft.key], event.event_id, self._random)
                event = msgspec.structs.replace(event, sealed=sealed)
            outputs.append(Output.of(event))
        return outputs

    def remember(self, plan: Plan) -> None:
        """Write the state that the outputs imply. Raises EngineDown."""
        self._state.save(plan.sets, plan.now)

    def recover(self, outputs: Sequence[Record]) -> None:
        """Fold own outputs that the state has not seen. Raises FoldGap, CodecError, EngineDown."""
        events: dict[str, list[e.MailboxEvent]] = {}
        for record in outputs:
            event = cast("e.MailboxEvent", record.decode())
            events.setdefault(event.mailbox_id, []).append(event)
        desk = self._desk()
        desk.fetch([], list(events))
        sets: list[WorkingSet] = []
        for mailbox_id, history in events.items():
            ws = self._state.load(mailbox_id, needs_of_events(history))
            for event in history:
                name = b""
                if isinstance(event, e.LabelDefined | e.LabelRenamed):
                    name = desk.name(mailbox_id, event.event_id, event.sealed)
                evolve(ws, event, name)
            sets.append(ws)
        self._state.save(sets, self._clock())

    def _desk(self) -> Desk:
        return Desk(self._content, self._keys, self._print, self._original, self._random)

    def _queries(
        self, ws: WorkingSet, batch: Sequence[tuple[c.Command, Prepared]]
    ) -> dict[str, Node]:
        """Return the queries of a mailbox's filters, by the event that defined them.

        Those that the batch defines itself are among them. One that can't be opened is missing.
        """
        found = {
            event_identity(command, e.FilterDefined): ready.query
            for command, ready in batch
            if ready.query is not None
        }
        for row in (ws.filters or {}).values():
            query = self._query(ws.mailbox_id, row.event_id, row.sealed)
            if query is not None:
                found[row.event_id] = query
        return found

    def _opened_query(self, mailbox_id: str, event_id: str, sealed: bytes) -> Node | None:
        """Open the query of a filter. Raises EngineDown."""
        key = self._keys.get([mailbox_id]).get(mailbox_id)
        if key is None:
            # The account is being removed.
            return None
        try:
            return query_of(unseal(FilterSecret, sealed, key, event_id).query)
        except SealError:
            return None

    def _restored(self, ws: WorkingSet, wishes: Sequence[c.Command], desk: Desk) -> dict[str, Mail]:
        """Return the mails that a batch may bring back, those that it delivers itself included."""
        if not any(isinstance(command, c.Restore) for command in wishes):
            return {}
        mail_ids = {row.mail_id for row in ws.messages.values() if row is not None}
        mail_ids.update(w.mail_id for w in wishes if isinstance(w, c.Deliver))
        desk.fetch(sorted(mail_ids), [])
        found = {mail_id: desk.mail(ws.mailbox_id, mail_id)[0] for mail_id in mail_ids}
        return {mail_id: mail for mail_id, mail in found.items() if mail is not None}


def _command(record: Record) -> c.Command:
    try:
        command = record.decode()
    except CodecError as e:
        raise Poison("codec") from e
    if not isinstance(command, c.Command):
        raise Poison("not-a-command")
    identifiers = [command.command_id, command.mailbox_id]
    if isinstance(command, c.Deliver):
        identifiers.append(command.mail_id)
    if not all(map(is_identifier, identifiers)):
        raise Poison("not-an-identifier")
    return command


def _by_mailbox(commands: Sequence[c.Command]) -> dict[str, list[c.Command]]:
    grouped: dict[str, list[c.Command]] = {}
    for command in commands:
        grouped.setdefault(command.mailbox_id, []).append(command)
    return grouped


_SEALED_FOR_MAILBOX = c.DefineLabel | c.RenameLabel | c.DefineFilter


def _wanted(commands: dict[str, list[c.Command]]) -> tuple[list[str], list[str]]:
    """Return which mails and which mailboxes' keys a batch needs."""
    mail_ids = [
        w.mail_id for wishes in commands.values() for w in wishes if isinstance(w, c.Deliver)
    ]
    mailbox_ids = [
        m
        for m, wishes in commands.items()
        if any(isinstance(w, _SEALED_FOR_MAILBOX) for w in wishes)
    ]
    return mail_ids, mailbox_ids
