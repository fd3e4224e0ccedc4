"""Login: a password for a token."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.rest.context import LOGINS, client_of, context_of
from api.rest.errors import rate_limited, unauthorized
from api.rest.openapi import described
from api.rest.reply import read_json, reply
from api.rest.shapes import Credentials, Session
from api.rest.times import iso
from infra.ports import Limits

router = APIRouter(tags=["login"])


@router.post("/login", **described(Session, asks=Credentials, errors=(401,), public=True))
async def login(request: Request) -> Response:
    """Log in: a token for an account's password."""
    context = context_of(request)
    services = context.services
    # Both are counted: one client that tries many accounts, and many that try one.
    _count(services.limits, f"client {client_of(request)}")
    asked = await read_json(request, Credentials)
    _count(services.limits, f"account {asked.email.lower()}")
    account = await context.threads.hashing(services.directory.login, asked.email, asked.password)
    if account is None:
        raise unauthorized("email or password is wrong")
    now = services.clock()
    expires_at = now + services.settings.token_lifetime * 1_000_000
    token = await context.threads.hashing(
        services.directory.create_token, account.address, "write", expires_at, now
    )
    return reply(
        Session(token, iso(expires_at) or "", account.mailbox_id),
        headers={"Cache-Control": "no-store"},
    )


def _count(limits: Limits, key: str) -> None:
    wait = limits.hit(LOGINS, key)
    if wait > 0:
        raise rate_limited(wait)
