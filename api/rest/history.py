"""History, stream and trace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Query, Response
from starlette.responses import StreamingResponse

from api.rest.commands import known_id
from api.rest.context import Caller, MailboxId, MessageId, MinSeq, Reading, reach
from api.rest.errors import invalid, not_found
from api.rest.feed import told, traced, traced_record
from api.rest.openapi import described
from api.rest.reply import SEQ_HEADER, reply
from api.rest.shapes import History, Sent, Trace
from infra.ports import Record
from projections.mailbox.ports import FeedEntry
from schemas.topics import MAIL_AUTHENTICATED, MAIL_RECEIVED, MAIL_SCORED

router = APIRouter(tags=["history"])

_BATCH = 500

Since = Annotated[int, Query(ge=0, le=2**63 - 1, description="The last seq already known.")]


@router.get("/mailboxes/{mailboxId}/history", **described(History, seq=True, errors=(404,)))
async def history(
    caller: Reading,
    mailbox_id: MailboxId,
    since: Since = 0,
    max_results: Annotated[int, Query(alias="maxResults", ge=1, le=_BATCH)] = _BATCH,
    min_seq: MinSeq = None,
) -> Response:
    """Return all changes after a seq, in order; ask again with `nextSince` until none is left."""
    caller.own(mailbox_id)
    await reach(caller, min_seq)
    entries, head = caller.services.reader.history(caller.mailbox_id, since, max_results)
    next_since = entries[-1].seq if entries else since
    return reply(History([told(e) for e in entries], next_since), head)


@router.get(
    "/mailboxes/{mailboxId}/stream",
    **described(Sent, media="text/event-stream", seq=True, errors=(404,)),
)
async def stream(
    caller: Reading,
    mailbox_id: MailboxId,
    since: Annotated[
        int | None, Query(ge=0, le=2**63 - 1, description="Begin after this seq; else from now.")
    ] = None,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="Goes on after this seq.")
    ] = None,
) -> Response:
    """Send changes as server-sent events, each with its seq as id."""
    caller.own(mailbox_id)
    head = caller.services.reader.head(caller.mailbox_id)
    begin = _resumed(last_event_id)
    if begin is None:
        begin = head if since is None else since
    return StreamingResponse(
        _events(caller, begin),
        media_type="text/event-stream",
        headers={SEQ_HEADER: str(head), "Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.get("/messages/{id}/trace", **described(Trace, seq=True, errors=(404,)))
async def trace(caller: Reading, message_id: MessageId, min_seq: MinSeq = None) -> Response:
    """Return every event of this mail with stage and time."""
    await reach(caller, min_seq)
    reader = caller.services.reader
    if not known_id(message_id) or not reader.known(caller.mailbox_id, message_id):
        raise not_found("message")
    head = reader.head(caller.mailbox_id)
    entries = reader.message_history(caller.mailbox_id, message_id)
    mail_id = next((e.mail_id for e in entries if e.mail_id is not None), None)
    records = (
        [] if mail_id is None else await caller.context.threads.engines(_records, caller, mail_id)
    )
    events = [traced_record(r, caller.mailbox_id) for r in records]
    return reply(Trace(events + [traced(e) for e in entries]), head)


def _records(caller: Caller, mail_id: str) -> list[Record]:
    found: list[Record] = []
    for topic in (MAIL_RECEIVED, MAIL_AUTHENTICATED, MAIL_SCORED):
        found += caller.services.log.find(topic, mail_id)
    return found


def _resumed(last_event_id: str | None) -> int | None:
    """Return the seq to go on after. Raises ApiError 400."""
    if last_event_id is None or not last_event_id.strip():
        return None
    text = last_event_id.strip()
    if not (text.isascii() and text.isdigit() and int(text) < 2**63):
        raise invalid("Last-Event-ID is the id of an event that this stream has sent")
    return int(text)


async def _events(caller: Caller, since: int) -> AsyncIterator[bytes]:
    services, progress = caller.services, caller.context.progress
    caller.context.measures.streams.inc()
    try:
        yield b"retry: 2000\n\n"
        while _may_go_on(caller):
            ticket = progress.ticket()
            entries, _ = services.reader.history(caller.mailbox_id, since, _BATCH)
            if entries:
                since = entries[-1].seq
                yield b"".join(_frame(e) for e in entries)
            elif not await progress.after(ticket, services.settings.keepalive):
                if progress.ended:
                    return
                yield b": keepalive\n\n"
    finally:
        caller.context.measures.streams.dec()


def _may_go_on(caller: Caller) -> bool:
    """Say whether the token is still good; a client learns why not when it connects again."""
    services = caller.services
    return services.directory.grant(caller.token, services.clock()) is not None


def _frame(entry: FeedEntry) -> bytes:
    data = msgspec.json.encode(told(entry))
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (entry.seq, entry.type.encode(), data)
