"""Attachments: a signed URL first, then the octets to whoever has it."""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Path, Query, Request, Response

from api.rest.context import REQUESTS, Context, MessageId, Reading, client_of, context_of
from api.rest.errors import ApiError, not_found, rate_limited
from api.rest.openapi import described
from api.rest.opening import open_original
from api.rest.parsed import file_of
from projections.mailbox.ports import MessageRow

router = APIRouter(tags=["messages"])

AttachmentId = Annotated[
    str,
    Path(alias="attachmentId", max_length=512, description="An attachment of the message."),
]

_URL = described(None, status=307, errors=(404,))
_URL["responses"][307] = {
    "description": "The attachment is at Location, for 15 minutes, without a token.",
    "headers": {"Location": {"schema": {"type": "string", "format": "uri-reference"}}},
}
# A token is a type/subtype of RFC 2045 section 5.1; anything else is not repeated to a browser.
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+\Z")


@router.get("/messages/{id}/attachments/{attachmentId}", **_URL)
async def attachment(
    caller: Reading, request: Request, message_id: MessageId, attachment_id: AttachmentId
) -> Response:
    """Redirect to a URL that is signed for 15 minutes."""
    services = caller.services
    row, _ = services.reader.get(caller.mailbox_id, message_id)
    if row is None or not _may_have(row, attachment_id):
        raise not_found("attachment")
    expires = services.clock() // 1_000_000 + services.settings.signed_url_lifetime
    signature = await _signature(
        caller.context, caller.mailbox_id, message_id, attachment_id, expires
    )
    query = urlencode({"mailbox": caller.mailbox_id, "expires": expires, "signature": signature})
    return Response(
        status_code=307,
        headers={"Location": f"{request.url.path}/content?{query}", "Cache-Control": "no-store"},
    )


@router.get(
    "/messages/{id}/attachments/{attachmentId}/content",
    **described(None, media="application/octet-stream", public=True, errors=(403, 404)),
)
async def content(
    request: Request,
    message_id: MessageId,
    attachment_id: AttachmentId,
    mailbox: Annotated[str, Query(max_length=36)],
    expires: Annotated[int, Query(ge=0, le=2**53)],
    signature: Annotated[str, Query(max_length=64)],
) -> Response:
    """Return an attachment to the holder of a signed URL."""
    context = context_of(request)
    services = context.services
    wait = services.limits.hit(REQUESTS, client_of(request))
    if wait > 0:
        raise rate_limited(wait)
    right = await _signature(context, mailbox, message_id, attachment_id, expires)
    # compare_digest on str takes ASCII alone.
    if not hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace")):
        raise ApiError(403, "the URL is not signed by this server; get a new one")
    if services.clock() >= expires * 1_000_000:
        raise ApiError(403, "the URL has expired; get a new one")
    row, _ = services.reader.get(mailbox, message_id)
    if row is None:
        raise not_found("attachment")
    original = await context.threads.engines(open_original, services, row.mail_id)
    file = await context.threads.parsing(file_of, original, attachment_id)
    if file is None:
        raise not_found("attachment")
    known = _MEDIA_TYPE.match(file.mime_type)
    return Response(
        file.content,
        media_type=file.mime_type if known else "application/octet-stream",
        headers={
            "Content-Disposition": disposition(file.filename),
            # What a stranger sent must not act in the name of this host.
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, no-store",
        },
    )


def _may_have(row: MessageRow, section: str) -> bool:
    """Say whether the message has that attachment, as far as its digest tells."""
    listed = any(p.section == section for p in row.attachments)
    return listed or row.truncated or row.unreadable


def disposition(filename: str) -> str:
    """Return a Content-Disposition that saves under `filename` (RFC 6266, RFC 8187)."""
    name = re.sub(r"[\x00-\x1f\x7f/\\]", "_", filename).strip() or "attachment"
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


async def _signature(
    context: Context, mailbox_id: str, message_id: str, attachment_id: str, expires: int
) -> str:
    secret = await context.threads.engines(context.services.keys.secret)
    # A key of its own, so that no other use of the secret can make a signature.
    key = hmac.digest(secret, b"mailfold attachment url", sha256)
    said = "\n".join((mailbox_id, message_id, attachment_id, str(expires)))
    return hmac.new(key, said.encode("utf-8", "surrogatepass"), sha256).hexdigest()
