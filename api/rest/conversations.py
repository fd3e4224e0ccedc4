"""Conversations: lists of them, one of them page by page, and moving a message between them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

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
    seq_of,
)
from api.rest.context import Caller, MailboxId, MessageId, MinSeq, Reading, Writing, reach
from api.rest.errors import not_found
from api.rest.openapi import described
from api.rest.pages import PageToken, refused
from api.rest.reply import read_json, reply
from api.rest.shapes import Conversations, ConversationShape, Listed, MoveTo
from api.rest.times import At, time_of
from projections.mailbox.ports import BadPageToken
from schemas.commands import MoveToThread

router = APIRouter(tags=["threads"])

IncludeSpam = Annotated[
    bool, Query(alias="includeSpam", description="Messages in SPAM and TRASH too.")
]


@router.get("/mailboxes/{mailboxId}/threads", **described(Conversations, seq=True, errors=(404,)))
async def list_threads(
    caller: Reading,
    mailbox_id: MailboxId,
    label_ids: Annotated[
        list[str],
        Query(alias="labelIds", description="Only with a message in all of these."),
    ] = [],  # noqa: B006 (read only)
    max_results: Annotated[int, Query(alias="maxResults", ge=1, le=500)] = 50,
    page_token: PageToken = None,
    include_spam: IncludeSpam = False,
    at: At = None,
    min_seq: MinSeq = None,
) -> Response:
    """List conversations by their newest message that matches, newest first."""
    caller.own(mailbox_id)
    then = time_of(at)
    await reach(caller, min_seq)
    try:
        page, seq = await caller.context.threads.parsing(
            _list,
            caller,
            [i for ids in label_ids for i in ids.split(",") if i],
            include_spam,
            max_results,
            page_token or None,
            then,
        )
    except BadPageToken as e:
        raise refused(e) from e
    return reply(page, seq)


@router.get("/threads/{id}", **described(ConversationShape, seq=True, errors=(404,)))
async def get_thread(
    caller: Reading,
    thread_id: Annotated[str, Path(alias="id", description="A conversation.")],
    max_results: Annotated[int, Query(alias="maxResults", ge=1, le=500)] = 100,
    page_token: PageToken = None,
    include_spam: IncludeSpam = False,
    at: At = None,
    min_seq: MinSeq = None,
) -> Response:
    """Return a conversation with a page of its messages, oldest first.

    One that was joined into another is answered as that one.
    """
    then = time_of(at)
    await reach(caller, min_seq)
    try:
        found, seq = await caller.context.threads.parsing(
            _get, caller, thread_id, include_spam, max_results, page_token or None, then
        )
    except BadPageToken as e:
        raise refused(e) from e
    if found is None:
        raise not_found("thread")
    return reply(found, seq)


@router.post(
    "/messages/{id}/thread",
    **described(Listed, asks=MoveTo, seq=True, waits=True, errors=(403, 404, 409, 412)),
)
async def move_to_thread(
    caller: Writing,
    request: Request,
    message_id: MessageId,
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Move a message into another conversation, or out into a new one of its own."""
    asked = await read_json(request, MoveTo)
    if_seq = seq_of(if_match)
    reader = caller.services.reader
    if reader.get(caller.mailbox_id, message_id)[0] is None:
        raise not_found("message")
    if asked.thread_id is not None and not known_id(asked.thread_id):
        raise not_found("thread")
    command = MoveToThread(
        command_id=command_id(caller, idempotency_key),
        mailbox_id=caller.mailbox_id,
        occurred_at=caller.services.clock(),
        actor=ACTOR,
        if_seq=if_seq,
        message_ids=[message_id],
        thread_id=asked.thread_id or "",
    )
    outcome = await perform(caller, command)
    if outcome is None:
        return pending(command)
    if any(r.code == "unknown-thread" for r in outcome.refusals):
        raise not_found("thread")
    raise_refusals(outcome)
    row, seq = reader.get(caller.mailbox_id, message_id)
    if row is None:
        raise not_found("message")
    return reply(rows.listed(row), seq)


def _list(
    caller: Caller,
    labels: list[str],
    include_spam: bool,
    limit: int,
    token: str | None,
    at: int | None,
) -> tuple[Conversations, int]:
    page, seq = caller.services.threads.list(
        caller.mailbox_id,
        labels=labels,
        include_spam=include_spam,
        limit=limit,
        page_token=token,
        at=at,
    )
    return Conversations([rows.thread(t) for t in page.threads], page.next_token), seq


def _get(
    caller: Caller,
    thread_id: str,
    include_spam: bool,
    limit: int,
    token: str | None,
    at: int | None,
) -> tuple[ConversationShape | None, int]:
    found, seq = caller.services.threads.get(
        caller.mailbox_id,
        thread_id,
        include_spam=include_spam,
        limit=limit,
        page_token=token,
        at=at,
    )
    if found is None:
        return None, seq
    messages = [rows.listed(m) for m in found.messages]
    return rows.conversation(found.thread, messages, found.next_token), seq
