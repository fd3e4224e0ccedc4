"""What handlers share, and who calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, cast

from fastapi import Depends, Path, Query, Request

from api.rest.errors import ApiError, not_found, rate_limited, unauthorized
from api.rest.measures import Measures
from api.rest.progress import Progress
from api.rest.threads import Threads
from api.services import Services
from infra.ports import Account

REQUESTS = "requests"
"""Name of the limit on requests of an account (of a client, while it is not known)."""

LOGINS = "logins"
"""Name of the limit on logins from a client, and on logins to an account."""

ME = "me"
"""Stands for the caller's own mailbox wherever an identifier does."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the handlers of one application share."""

    services: Services
    progress: Progress
    threads: Threads
    measures: Measures


def context_of(request: Request) -> Context:
    """Return the context of the application that serves `request`."""
    return cast("Context", request.app.state.context)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with what right, and what serves the call."""

    context: Context
    account: Account
    scope: Literal["read", "write"]
    token: str

    @property
    def services(self) -> Services:
        """The ports."""
        return self.context.services

    @property
    def mailbox_id(self) -> str:
        """The caller's own mailbox, the only one there is for this caller."""
        return self.account.mailbox_id

    def own(self, mailbox_id: str) -> str:
        """Return the identifier of the mailbox that a path names. Raises ApiError 404.

        Somebody else's mailbox is answered as one that does not exist.
        """
        if mailbox_id not in (ME, self.account.mailbox_id):
            raise not_found("mailbox")
        return self.account.mailbox_id


def client_of(request: Request) -> str:
    """Return the address of the client, "" when it is not known."""
    return request.client.host if request.client else ""


async def _reader(request: Request) -> Caller:
    context = context_of(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    # RFC 9110 section 11.1: the scheme's name is case-insensitive.
    token = token.strip() if scheme.lower() == "bearer" else ""
    services = context.services
    grant = services.directory.grant(token, services.clock()) if token else None
    wait = services.limits.hit(REQUESTS, grant.account.address if grant else client_of(request))
    if wait > 0:
        raise rate_limited(wait)
    if grant is None:
        raise unauthorized(
            "the token is unknown or has expired; get one from POST /api/v1/login"
            if token
            else "send a token as `Authorization: Bearer …`; POST /api/v1/login gives one"
        )
    return Caller(context, grant.account, grant.scope, token)


Reading = Annotated[Caller, Depends(_reader)]
"""A caller who may read."""


async def _writer(caller: Reading) -> Caller:
    if caller.scope != "write":
        raise ApiError(403, "this token may only read; make one with scope write")
    return caller


Writing = Annotated[Caller, Depends(_writer)]
"""A caller who may change things."""

MailboxId = Annotated[str, Path(alias="mailboxId", description="A mailbox; `me` is one's own.")]
MessageId = Annotated[str, Path(alias="id", description="A message.")]
MinSeq = Annotated[
    int | None,
    Query(
        alias="minSeq",
        ge=0,
        le=2**63 - 1,
        description="Wait up to 2 s until the answer contains this seq.",
    ),
]


async def reach(caller: Caller, min_seq: int | None) -> None:
    """Wait, as long as the settings allow, until the mailbox is read at `min_seq` or later."""
    if min_seq is None:
        return
    reader, mailbox_id = caller.services.reader, caller.mailbox_id

    async def there() -> bool:
        return reader.head(mailbox_id) >= min_seq

    await caller.context.progress.until(there, caller.services.settings.wait)
