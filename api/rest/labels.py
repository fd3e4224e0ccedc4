"""Labels."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from msgspec import UNSET

from api.rest import rows
from api.rest.commands import (
    ACTOR,
    KEPT,
    IdempotencyKey,
    IfMatch,
    command_id,
    done,
    pending,
    perform,
    raise_refusals,
    seq_of,
    settled,
)
from api.rest.context import Caller, MailboxId, MinSeq, Reading, Writing, reach
from api.rest.errors import ApiError, invalid, not_found
from api.rest.openapi import described
from api.rest.reply import read_json, reply
from api.rest.sealing import sealed
from api.rest.shapes import UNWRITABLE, Label, LabelChange, Labels, NewLabel
from projections.mailbox.ports import LabelRow
from schemas.commands import Command, DefineLabel, DeleteLabel, RenameLabel
from schemas.identity import derived
from schemas.labels import SYSTEM_LABELS
from schemas.parts import LabelSecret

router = APIRouter(tags=["labels"])

LabelId = Annotated[str, Path(alias="labelId", description="A label.")]

_CHANGED: dict[str, Any] = {"seq": True, "waits": True}


@router.get("/mailboxes/{mailboxId}/labels", **described(Labels, seq=True, errors=(404,)))
async def list_labels(caller: Reading, mailbox_id: MailboxId, min_seq: MinSeq = None) -> Response:
    """List the labels with their numbers of messages."""
    caller.own(mailbox_id)
    await reach(caller, min_seq)
    found, seq = caller.services.reader.labels(caller.mailbox_id)
    return reply(Labels([rows.label(row) for row in found]), seq)


@router.post(
    "/mailboxes/{mailboxId}/labels",
    **described(Label, asks=NewLabel, status=201, errors=(403, 404, 409), **_CHANGED),
)
async def make_label(
    caller: Writing,
    request: Request,
    mailbox_id: MailboxId,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Make a label."""
    caller.own(mailbox_id)
    asked = await read_json(request, NewLabel)
    identity = command_id(caller, idempotency_key)
    # It follows from the command, so that a repetition makes no second one.
    label_id = derived("label", identity)
    name = _free_name(caller, asked.name, label_id)
    command = DefineLabel(
        command_id=identity,
        mailbox_id=caller.mailbox_id,
        occurred_at=caller.services.clock(),
        actor=ACTOR,
        label_id=label_id,
        color=asked.color.lower(),
        sealed=await sealed(caller, LabelSecret(name=name), identity),
    )
    return await _changed(caller, command, label_id, 201)


@router.patch(
    "/mailboxes/{mailboxId}/labels/{labelId}",
    **described(Label, asks=LabelChange, errors=(403, 404, 409, 412), **_CHANGED),
)
async def change_label(
    caller: Writing,
    request: Request,
    mailbox_id: MailboxId,
    label_id: LabelId,
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Change a label's name or colour."""
    caller.own(mailbox_id)
    asked = await read_json(request, LabelChange)
    row = _user_label(caller, label_id)
    if asked.name is UNSET and asked.color is UNSET:
        raise invalid("name a change: name or color")
    name = row.name if asked.name is UNSET else _free_name(caller, asked.name, label_id)
    identity = command_id(caller, idempotency_key)
    command = RenameLabel(
        command_id=identity,
        mailbox_id=caller.mailbox_id,
        occurred_at=caller.services.clock(),
        actor=ACTOR,
        if_seq=seq_of(if_match),
        label_id=label_id,
        color=row.color if asked.color is UNSET else asked.color.lower(),
        sealed=await sealed(caller, LabelSecret(name=name), identity),
    )
    return await _changed(caller, command, label_id, 200)


@router.delete(
    "/mailboxes/{mailboxId}/labels/{labelId}",
    **described(None, status=204, errors=(403, 404, 409, 412), **_CHANGED),
)
async def delete_label(
    caller: Writing,
    mailbox_id: MailboxId,
    label_id: LabelId,
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Delete a label; its messages stay."""
    caller.own(mailbox_id)
    identity = command_id(caller, idempotency_key)
    if idempotency_key is not None and await settled(caller, identity) is not None:
        return done(caller)
    _user_label(caller, label_id)
    command = DeleteLabel(
        command_id=identity,
        mailbox_id=caller.mailbox_id,
        occurred_at=caller.services.clock(),
        actor=ACTOR,
        if_seq=seq_of(if_match),
        label_id=label_id,
    )
    outcome = await perform(caller, command)
    if outcome is None:
        return pending(command)
    raise_refusals(outcome)
    return done(caller)


def _user_label(caller: Caller, label_id: str) -> LabelRow:
    """Return a label that may be changed. Raises ApiError 403 for a system label, or 404."""
    row = _find(caller, label_id)
    if row is None:
        raise not_found("label")
    if row.system:
        raise ApiError(403, KEPT)
    return row


def _find(caller: Caller, label_id: str) -> LabelRow | None:
    found, _ = caller.services.reader.labels(caller.mailbox_id)
    return next((row for row in found if row.label_id == label_id), None)


def _free_name(caller: Caller, name: str, label_id: str) -> str:
    """Return a name as it is to be kept. Raises ApiError 400, or 409 when another label has it."""
    name = unicodedata.normalize("NFC", name).strip()
    if not name or UNWRITABLE.search(name):
        raise invalid("a label's name has at least one character, and no control characters")
    folded = name.casefold()
    found, _ = caller.services.reader.labels(caller.mailbox_id)
    taken = {row.name.casefold() for row in found if row.label_id != label_id}
    if folded in taken or name.upper() in SYSTEM_LABELS:
        raise ApiError(409, "another label has that name; choose another")
    return name


async def _changed(caller: Caller, command: Command, label_id: str, status: int) -> Response:
    outcome = await perform(caller, command)
    if outcome is None:
        return pending(command)
    raise_refusals(outcome)
    row = _find(caller, label_id)
    if row is None:
        raise not_found("label")
    return reply(rows.label(row), caller.services.reader.head(caller.mailbox_id), status)
