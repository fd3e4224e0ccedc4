"""Contacts: who is meant by what somebody has begun to type."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.rest.context import MailboxId, Reading
from api.rest.openapi import described
from api.rest.reply import reply
from api.rest.shapes import Contact, Contacts
from api.rest.times import iso

router = APIRouter(tags=["contacts"])


@router.get("/mailboxes/{mailboxId}/contacts", **described(Contacts, seq=True, errors=(404,)))
async def find_contacts(
    caller: Reading,
    mailbox_id: MailboxId,
    q: Annotated[
        str,
        Query(
            max_length=200,
            description="Beginnings of words of a name, local part or domain; empty: everybody.",
        ),
    ] = "",
    max_results: Annotated[int, Query(alias="maxResults", ge=1, le=100)] = 10,
) -> Response:
    """Find people that this mailbox has written to or heard from, best first."""
    caller.own(mailbox_id)
    found, seq = caller.services.contacts.find(caller.mailbox_id, q, max_results)
    contacts = [Contact(c.address, c.name, c.messages, iso(c.last)) for c in found]
    return reply(Contacts(contacts), seq)
