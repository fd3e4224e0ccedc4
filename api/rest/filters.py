"""Filters: what is done to new mail."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from api.rest import rows
from api.rest.commands import (
    ACTOR,
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
from api.rest.errors import invalid, not_found
from api.rest.openapi import described
from api.rest.reply import read_json, reply
from api.rest.sealing import sealed
from api.rest.shapes import Filter, Filters, NewFilter
from mail.query.language import BadQuery, parse
from projections.mailbox.ports import FilterRow
from schemas.commands import DefineFilter
from schemas.identity import derived
from schemas.labels import INBOX, SPAM, TRASH
from schemas.parts import FilterSecret

router = APIRouter(tags=["filters"])

FilterId = Annotated[str, Path(alias="filterId", description="A filter.")]

_ALL = "/mailboxes/{mailboxId}/filters"
_ONE = "/mailboxes/{mailboxId}/filters/{filterId}"
_CHANGED: dict[str, Any] = {"seq": True, "waits": True}
_SYSTEM = frozenset({INBOX, SPAM, TRASH})


@router.get(_ALL, **described(Filters, seq=True, errors=(404,)))
async def list_filters(caller: Reading, mailbox_id: MailboxId, min_seq: MinSeq = None) -> Response:
    """List the filters."""
    caller.own(mailbox_id)
    await reach(caller, min_seq)
    found, seq = caller.services.reader.filters(caller.mailbox_id)
    return reply(Filters([rows.filter_(row) for row in found]), seq)


@router.get(_ONE, **described(Filter, seq=True, errors=(404,)))
async def get_filter(
    caller: Reading, mailbox_id: MailboxId, filter_id: FilterId, min_seq: MinSeq = None
) -> Response:
    """Show a filter."""
    caller.own(mailbox_id)
    await reach(caller, min_seq)
    row, seq = _find(caller, filter_id)
    return reply(rows.filter_(row), seq)


@router.post(
    _ALL, **described(Filter, asks=NewFilter, status=201, errors=(403, 404, 409), **_CHANGED)
)
async def make_filter(
    caller: Writing,
    request: Request,
    mailbox_id: MailboxId,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Make a filter; mail that is there already stays as it is."""
    caller.own(mailbox_id)
    asked = await read_json(request, NewFilter)
    identity = command_id(caller, idempotency_key)
    # It follows from the command, so that a repetition makes no second one.
    return await _define(caller, asked, derived("filter", identity), identity, None, 201)


@router.put(_ONE, **described(Filter, asks=NewFilter, errors=(403, 404, 409, 412), **_CHANGED))
async def replace_filter(
    caller: Writing,
    request: Request,
    mailbox_id: MailboxId,
    filter_id: FilterId,
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Put another filter in the place of one."""
    caller.own(mailbox_id)
    asked = await read_json(request, NewFilter)
    _find(caller, filter_id)
    identity = command_id(caller, idempotency_key)
    return await _define(caller, asked, filter_id, identity, seq_of(if_match), 200)


@router.delete(_ONE, **described(None, status=204, errors=(403, 404, 409, 412), **_CHANGED))
async def delete_filter(
    caller: Writing,
    mailbox_id: MailboxId,
    filter_id: FilterId,
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Delete a filter; what it did to mail stays."""
    caller.own(mailbox_id)
    identity = command_id(caller, idempotency_key)
    if idempotency_key is not None and await settled(caller, identity) is not None:
        return done(caller)
    _find(caller, filter_id)
    command = DefineFilter(
        command_id=identity,
        mailbox_id=caller.mailbox_id,
        occurred_at=caller.services.clock(),
        actor=ACTOR,
        if_seq=seq_of(if_match),
        filter_id=filter_id,
        deleted=True,
        sealed=b"",
    )
    outcome = await perform(caller, command)
    if outcome is None:
        return pending(command)
    raise_refusals(outcome)
    return done(caller)


async def _define(
    caller: Caller,
    asked: NewFilter,
    filter_id: str,
    identity: str,
    if_seq: int | None,
    status: int,
) -> Response:
    _check(caller, asked)
    command = DefineFilter(
        command_id=identity,
        mailbox_id=caller.mailbox_id,
        occurred_at=caller.services.clock(),
        actor=ACTOR,
        if_seq=if_seq,
        filter_id=filter_id,
        labels=asked.add_label_ids,
        archive=asked.archive,
        star=asked.star,
        read=asked.mark_read,
        never_spam=asked.never_spam,
        sealed=await sealed(caller, FilterSecret(query=asked.query), identity),
    )
    outcome = await perform(caller, command)
    if outcome is None:
        return pending(command)
    raise_refusals(outcome)
    row, seq = _find(caller, filter_id)
    return reply(rows.filter_(row), seq, status)


def _check(caller: Caller, asked: NewFilter) -> None:
    """Say where the mistake is, before the mailbox refuses it. Raises ApiError 400, 404."""
    try:
        parse(asked.query)
    except BadQuery as e:
        raise invalid(f"query: {e}") from e
    labels = set(asked.add_label_ids)
    found, _ = caller.services.reader.labels(caller.mailbox_id)
    usable = _SYSTEM | {row.label_id for row in found if not row.system}
    if labels - {row.label_id for row in found}:
        raise not_found("label")
    if not labels <= usable:
        raise invalid("addLabelIds: takes INBOX, TRASH, SPAM and labels of your own; see /labels")
    alone = labels & {TRASH, SPAM} and len(labels) > 1
    if alone or (asked.archive and INBOX in labels) or (asked.never_spam and SPAM in labels):
        raise invalid(
            "addLabelIds: TRASH or SPAM stands alone, INBOX goes not with archive,"
            " SPAM not with neverSpam"
        )
    if not (labels or asked.archive or asked.star or asked.mark_read or asked.never_spam):
        raise invalid("name what to do: addLabelIds, archive, star, markRead or neverSpam")


def _find(caller: Caller, filter_id: str) -> tuple[FilterRow, int]:
    """Return a filter and the head. Raises ApiError 404."""
    found, seq = caller.services.reader.filters(caller.mailbox_id)
    row = next((row for row in found if row.filter_id == filter_id), None)
    if row is None:
        raise not_found("filter")
    return row, seq
