"""Seal what of a command is personal, with the key of the caller's mailbox."""

from __future__ import annotations

from api.rest.context import Caller
from api.rest.errors import not_found
from schemas.parts import FilterSecret, LabelSecret
from schemas.seal import seal


async def sealed(caller: Caller, secret: LabelSecret | FilterSecret, identity: str) -> bytes:
    """Return `secret` sealed for the command `identity`.

    Raises ApiError 404 when the account is being removed, EngineDown.
    """
    keys = await caller.context.threads.engines(caller.services.keys.ensure, [caller.mailbox_id])
    key = keys.get(caller.mailbox_id)
    if key is None:
        raise not_found("mailbox")
    return seal(secret, key, identity, caller.services.random)
