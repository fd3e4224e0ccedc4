"""Changes of messages: labels and flags, deletion, restoration."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.rest import rows
from api.rest.commands import (
    ACTOR,
    IdempotencyKey,
    IfMatch,
    command_id,
    known_id,
    pending,
    perform,
    raise_refusals,
    refused_as,
    seq_of,
    settled,
)
from api.rest.context import Caller, MailboxId, MessageId, Writing
from api.rest.errors import CODES, ApiError, invalid, not_found
from api.rest.openapi import described
from api.rest.reply import read_json, reply
from api.rest.shapes import BatchModify, Gone, Listed, Modified, Modify, Refused
from infra.ports import Outcome
from schemas.commands import ChangeLabels, Command, Erase, Expunge, Restore
from schemas.labels import ALL, FLAGGED, SEEN, TRASH

router = APIRouter(tags=["messages"])

_CHANGED: dict[str, Any] = {"seq": True, "waits": True, "errors": (403, 404, 409, 412)}


@router.post("/messages/{id}/modify", **described(Listed, asks=Modify, **_CHANGED))
async def modify_message(
    caller: Writing,
    request: Request,
    message_id: MessageId,
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Change labels and flags of a message; answers the message as it is now."""
    asked = await read_json(request, Modify)
    if_seq = seq_of(if_match)
    _require_visible(caller, message_id)
    command = _change(caller, asked, [message_id], command_id(caller, idempotency_key), if_seq)
    return await _changed(caller, command, message_id)


@router.post(
    "/mailboxes/{mailboxId}/messages/batchModify",
    **described(Modified, asks=BatchModify, **_CHANGED),
)
async def modify_messages(
    caller: Writing,
    request: Request,
    mailbox_id: MailboxId,
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Change labels and flags of up to 1,000 messages; answers them as they are now."""
    caller.own(mailbox_id)
    asked = await read_json(request, BatchModify)
    if_seq = seq_of(if_match)
    ids = list(dict.fromkeys(asked.ids))
    known = [i for i in ids if known_id(i)]
    refused = [Refused(i, CODES[404]) for i in ids if not known_id(i)]
    change = Modify(asked.add_label_ids, asked.remove_label_ids, asked.is_read, asked.is_starred)
    command = _change(caller, change, known, command_id(caller, idempotency_key), if_seq)
    if not known:
        return reply(Modified([], refused), caller.services.reader.head(caller.mailbox_id))
    outcome = await perform(caller, command)
    if outcome is None:
        return pending(command)
    _raise_for_all(outcome)
    refused += [Refused(r.message_id, refused_as(r)) for r in outcome.refusals]
    # A thousand digests to open are tens of milliseconds.
    messages, seq = await caller.context.threads.parsing(_all_of, caller, known)
    return reply(Modified(messages, refused), seq)


@router.delete("/messages/{id}", **described((Listed, Gone), **_CHANGED))
async def delete_message(
    caller: Writing,
    message_id: MessageId,
    erase: Annotated[bool, Query(description="Erase it for good at once, wherever it is.")] = False,
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Move a message to TRASH; in TRASH expunge it, so that it can be restored for a while."""
    identity, if_seq = command_id(caller, idempotency_key), seq_of(if_match)
    if erase:
        if not _known(caller, message_id):
            return await _repeated(caller, idempotency_key, identity, Gone(message_id, "erased"))
        command: Command = Erase(
            command_id=identity,
            mailbox_id=caller.mailbox_id,
            occurred_at=caller.services.clock(),
            actor=ACTOR,
            if_seq=if_seq,
            message_ids=[message_id],
        )
        return await _gone(caller, command, Gone(message_id, "erased"))
    row, _ = caller.services.reader.get(caller.mailbox_id, message_id)
    if row is None:
        return await _repeated(caller, idempotency_key, identity, Gone(message_id, "expunged"))
    if TRASH not in row.labels:
        to_trash = Modify(add_label_ids=[TRASH])
        return await _changed(
            caller, _change(caller, to_trash, [message_id], identity, if_seq), message_id
        )
    command = Expunge(
        command_id=identity,
        mailbox_id=caller.mailbox_id,
        occurred_at=caller.services.clock(),
        actor=ACTOR,
        if_seq=if_seq,
        message_ids=[message_id],
        window=caller.services.settings.undelete_window,
    )
    return await _gone(caller, command, Gone(message_id, "expunged"))


@router.post("/messages/{id}/restore", **described(Listed, **_CHANGED))
async def restore_message(
    caller: Writing,
    message_id: MessageId,
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Bring an expunged message back; answers the message as it is now."""
    if_seq = seq_of(if_match)
    if not _known(caller, message_id):
        raise not_found("message")
    command = Restore(
        command_id=command_id(caller, idempotency_key),
        mailbox_id=caller.mailbox_id,
        occurred_at=caller.services.clock(),
        actor=ACTOR,
        if_seq=if_seq,
        message_ids=[message_id],
    )
    return await _changed(caller, command, message_id)


def _require_visible(caller: Caller, message_id: str) -> None:
    if caller.services.reader.get(caller.mailbox_id, message_id)[0] is None:
        raise not_found("message")


def _known(caller: Caller, message_id: str) -> bool:
    """Say whether the message is in this mailbox or expunged from it."""
    return known_id(message_id) and caller.services.reader.known(caller.mailbox_id, message_id)


async def _repeated(
    caller: Caller, idempotency_key: str | None, identity: str, gone: Gone
) -> Response:
    """Return the answer again when this call was carried out before. Raises ApiError 404."""
    outcome = await settled(caller, identity) if idempotency_key is not None else None
    if outcome is None:
        raise not_found("message")
    raise_refusals(outcome)
    return reply(gone, caller.services.reader.head(caller.mailbox_id))


def _change(
    caller: Caller, asked: Modify, ids: list[str], identity: str, if_seq: int | None
) -> ChangeLabels:
    """Return the command for a change. Raises ApiError 400, 403, 404 when it can't be one."""
    add, remove = set(asked.add_label_ids), set(asked.remove_label_ids)
    if ALL in add | remove:
        raise ApiError(
            403, "ALL is kept by the mailbox; move messages to SPAM or TRASH, or out of them"
        )
    if both := add & remove:
        raise invalid(f"{min(both)!r} can't be added and removed at once")
    flags = {SEEN: asked.is_read, FLAGGED: asked.is_starred}
    if not add | remove and all(f is None for f in flags.values()):
        raise invalid("name a change: addLabelIds, removeLabelIds, isRead or isStarred")
    labels, _ = caller.services.reader.labels(caller.mailbox_id)
    if (add | remove) - {row.label_id for row in labels}:
        raise not_found("label")
    return ChangeLabels(
        command_id=identity,
        mailbox_id=caller.mailbox_id,
        occurred_at=caller.services.clock(),
        actor=ACTOR,
        if_seq=if_seq,
        message_ids=ids,
        add_labels=sorted(add),
        remove_labels=sorted(remove),
        add_flags=[name for name, wanted in flags.items() if wanted is True],
        remove_flags=[name for name, wanted in flags.items() if wanted is False],
    )


async def _changed(caller: Caller, command: Command, message_id: str) -> Response:
    outcome = await perform(caller, command)
    if outcome is None:
        return pending(command)
    raise_refusals(outcome)
    row, seq = caller.services.reader.get(caller.mailbox_id, message_id)
    if row is None:
        raise not_found("message")
    return reply(rows.listed(row), seq)


async def _gone(caller: Caller, command: Command, gone: Gone) -> Response:
    outcome = await perform(caller, command)
    if outcome is None:
        return pending(command)
    raise_refusals(outcome)
    # It is still there when this repeats the call, with the same key, that moved it to TRASH.
    row, seq = caller.services.reader.get(caller.mailbox_id, gone.id)
    return reply(gone if row is None else rows.listed(row), seq)


def _raise_for_all(outcome: Outcome) -> None:
    raise_refusals(Outcome(outcome.seq, tuple(r for r in outcome.refusals if not r.message_id)))


def _all_of(caller: Caller, ids: list[str]) -> tuple[list[Listed], int]:
    reader, mailbox_id = caller.services.reader, caller.mailbox_id
    # The head before the rows: they are at least as new as it says.
    seq = reader.head(mailbox_id)
    found = (reader.get(mailbox_id, i)[0] for i in ids)
    return [rows.listed(row) for row in found if row is not None], seq
