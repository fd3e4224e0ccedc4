"""Commands: append, wait for the outcome, then for the projection to show it."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header, Response

from api.rest.context import Caller
from api.rest.errors import CODES, ApiError, invalid, not_found
from api.rest.reply import SEQ_HEADER, reply
from api.rest.shapes import Pending
from infra.ports import Outcome, Output, Refusal
from schemas.commands import Command
from schemas.identity import client_command_id, timed

ACTOR = "user"

KEPT = "that label is kept by the mailbox; make one of your own"
"""What is said of a change of a label that is not the user's."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Repeats of a call with the same key have its effect once.",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        pattern=r'^\s*"?[0-9]{1,19}"?\s*$',
        description="A seq: change only what has not changed since, else 412.",
    ),
]

_DIGITS = re.compile("[0-9]+")
_IDENTIFIER = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def seq_of(if_match: str | None) -> int | None:
    """Return the seq in an If-Match header. Raises ApiError 400."""
    if if_match is None:
        return None
    found = _DIGITS.search(if_match)
    seq = int(found.group()) if found else -1
    if not 0 <= seq < 2**63:
        raise invalid("If-Match takes a seq, such as `If-Match: 42`")
    return seq


def command_id(caller: Caller, idempotency_key: str | None) -> str:
    """Return the identity of a new command, the same again for the same Idempotency-Key."""
    if idempotency_key is not None:
        return client_command_id(caller.mailbox_id, idempotency_key)
    return timed(caller.services.clock(), caller.services.random(10))


def known_id(identifier: str) -> bool:
    """Say whether an identifier has the form of one; what has not is nobody's."""
    return _IDENTIFIER.fullmatch(identifier) is not None


async def settled(caller: Caller, command_id: str) -> Outcome | None:
    """Return the outcome of a command that was given before, None when there is none."""
    services = caller.services
    return await caller.context.threads.engines(
        services.outcomes.outcome, caller.mailbox_id, command_id
    )


async def perform(caller: Caller, command: Command) -> Outcome | None:
    """Carry out a command and wait until its effect can be read.

    Returns None when that takes longer than the settings allow; the command is durable then and
    will be carried out. Raises EngineDown when it could not be made durable.
    """
    services, context = caller.services, caller.context
    outcome: Outcome | None = None

    async def visible() -> bool:
        nonlocal outcome
        if outcome is None:
            outcome = await settled(caller, command.command_id)
        return outcome is not None and services.reader.head(caller.mailbox_id) >= outcome.seq

    # Listening begins before the command is there, or its effect could be told unheard.
    context.progress.ticket()
    await context.threads.engines(services.log.append, [Output.of(command)])
    if await context.progress.until(visible, services.settings.wait):
        return outcome
    context.measures.pending.inc()
    return None


def pending(command: Command) -> Response:
    """Return the 202 for a command whose effect can't be read yet."""
    return reply(Pending("pending", command.command_id), status=202)


def done(caller: Caller) -> Response:
    """Return the 204 for a command whose effect leaves nothing to be told."""
    head = caller.services.reader.head(caller.mailbox_id)
    return Response(status_code=204, headers={SEQ_HEADER: str(head)})


def raise_refusals(outcome: Outcome) -> None:
    """Raise the ApiError of the first refusal, if there is one."""
    for refusal in outcome.refusals:
        raise _error(refusal)


def refused_as(refusal: Refusal) -> str:
    """Return the `error` that a refusal has in a list of them."""
    return CODES[_error(refusal).status]


def _error(refusal: Refusal) -> ApiError:
    match refusal.code:
        case "changed":
            return ApiError(412, "it has changed since that seq; read it again, then decide")
        case "unknown-message":
            return not_found("message")
        case "unknown-mailbox":
            return not_found("mailbox")
        case "unknown-label":
            return not_found("label")
        case "unknown-filter":
            return not_found("filter")
        case "forbidden-label":
            return ApiError(403, KEPT)
        case "label-exists":
            return ApiError(409, "another label has that name; choose another")
        case "not-restorable":
            return ApiError(409, "it can't be restored; what it needs is gone")
        case code if code.startswith("invalid-"):
            return invalid(f"the mailbox refused it: {code}")
        case code:
            return ApiError(409, f"the mailbox refused it: {code}")
