"""Messages: lists of them, and one of them in every format."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Response

from api.rest import rows
from api.rest.context import Caller, MailboxId, MessageId, MinSeq, Reading, reach
from api.rest.errors import invalid, not_found
from api.rest.openapi import described
from api.rest.opening import open_mail, shown
from api.rest.pages import PageToken, refused
from api.rest.parsed import apart, headers_of
from api.rest.reply import SEQ_HEADER, reply
from api.rest.search import DESCRIPTION, search_messages
from api.rest.shapes import Attachment, Body, Full, Messages, Metadata, Minimal
from api.rest.times import At, time_of
from projections.mailbox.ports import BadPageToken, MessageRow

router = APIRouter(tags=["messages"])

# From this size on a message is taken apart in a thread, octets.
_BIG = 64 * 1024


Format = Literal["minimal", "metadata", "full", "raw", "original"]
"""How much of a message is answered."""


@router.get("/mailboxes/{mailboxId}/messages", **described(Messages, seq=True, errors=(404,)))
async def list_messages(
    caller: Reading,
    mailbox_id: MailboxId,
    label_ids: Annotated[
        list[str], Query(alias="labelIds", description="Only messages in all of these.")
    ] = [],  # noqa: B006 (read only)
    q: Annotated[str | None, Query(description=DESCRIPTION)] = None,
    max_results: Annotated[int, Query(alias="maxResults", ge=1, le=500)] = 50,
    page_token: PageToken = None,
    include_spam: Annotated[
        bool, Query(alias="includeSpam", description="Messages in SPAM and TRASH too.")
    ] = False,
    at: At = None,
    min_seq: MinSeq = None,
) -> Response:
    """List messages, newest first; with `q`, those that it finds."""
    caller.own(mailbox_id)
    labels = [i for ids in label_ids for i in ids.split(",") if i]
    if q is not None and q.strip():
        if at is not None:
            raise invalid("at: the past is listed by labelIds, without q")
        return await search_messages(
            caller,
            q,
            labels=labels,
            include_spam=include_spam,
            limit=max_results,
            page_token=page_token or None,
            min_seq=min_seq,
        )
    then = time_of(at)
    await reach(caller, min_seq)
    try:
        page, seq = caller.services.reader.list(
            caller.mailbox_id,
            labels=labels,
            include_spam=include_spam,
            limit=max_results,
            page_token=page_token or None,
            at=then,
        )
    except BadPageToken as e:
        raise refused(e) from e
    found = Messages([rows.listed(m) for m in page.messages], page.next_token, page.estimate)
    return reply(found, seq)


_GET = described((Full, Metadata, Minimal), seq=True, errors=(404,))
_GET["responses"][200]["content"]["message/rfc822"] = {
    "schema": {"type": "string", "format": "binary"}
}


@router.get("/messages/{id}", **_GET)
async def get_message(
    caller: Reading,
    message_id: MessageId,
    format: Annotated[
        Format,
        Query(
            description="`raw` is the message as shown, with our trace fields on top; `original` "
            "the octets as they came; both as message/rfc822."
        ),
    ] = "full",
    min_seq: MinSeq = None,
) -> Response:
    """Return one message."""
    await reach(caller, min_seq)
    row, seq = caller.services.reader.get(caller.mailbox_id, message_id)
    if row is None:
        raise not_found("message")
    if format == "minimal":
        return reply(rows.minimal(row), seq)
    opened = await open_mail(caller, row)
    if format == "original":
        return _rfc822(opened.original, seq)
    message = shown(caller, row, opened)
    if format == "raw":
        return _rfc822(message, seq)
    if format == "metadata":
        return reply(_metadata(row, message), seq)
    body, attachments = await _apart(caller, message)
    full = Full(
        **_fields(_metadata(row, message)),
        body=body,
        attachments=attachments,
        authentication=opened.authentication,
        spam=opened.spam,
    )
    return reply(full, seq)


def _metadata(row: MessageRow, message: bytes) -> Metadata:
    return Metadata(**_fields(rows.listed(row)), headers=headers_of(message))


def _fields(shape: msgspec.Struct) -> dict[str, Any]:
    return {name: getattr(shape, name) for name in shape.__struct_fields__}


async def _apart(caller: Caller, message: bytes) -> tuple[Body, list[Attachment]]:
    if len(message) < _BIG:
        return apart(message)
    return await caller.context.threads.parsing(apart, message)


def _rfc822(message: bytes, seq: int) -> Response:
    return Response(
        message,
        media_type="message/rfc822",
        headers={SEQ_HEADER: str(seq), "Content-Disposition": "attachment"},
    )
