"""Mailboxes."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.rest import rows
from api.rest.context import Caller, MailboxId, MinSeq, Reading, reach
from api.rest.openapi import described
from api.rest.reply import reply
from api.rest.shapes import Mailbox, Mailboxes

router = APIRouter(tags=["mailboxes"])


@router.get("/mailboxes", **described(Mailboxes, seq=True))
async def list_mailboxes(caller: Reading, min_seq: MinSeq = None) -> Response:
    """List the mailboxes that the caller may read: one's own."""
    await reach(caller, min_seq)
    own = _own(caller)
    return reply(Mailboxes([own]), own.seq)


@router.get("/mailboxes/{mailboxId}", **described(Mailbox, seq=True, errors=(404,)))
async def get_mailbox(caller: Reading, mailbox_id: MailboxId, min_seq: MinSeq = None) -> Response:
    """Return one mailbox with its counts and quota."""
    caller.own(mailbox_id)
    await reach(caller, min_seq)
    own = _own(caller)
    return reply(own, own.seq)


def _own(caller: Caller) -> Mailbox:
    return rows.mailbox(caller.account, caller.services.reader.counts(caller.mailbox_id))
