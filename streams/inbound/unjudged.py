"""Authenticated for a mail that nobody judged here: another store kept it, or judging failed."""

from __future__ import annotations

from typing import Literal

from infra.ports import Random
from schemas import parts
from schemas.events import Authenticated, Received
from schemas.identity import event_id
from schemas.seal import seal

REASON = "imported"


def event(received: Received, key: bytes, random: Random) -> Authenticated:
    """Return an Authenticated with the result none for every check, for an imported mail."""
    words = "The mail was imported; it is not judged again."
    return _event(received, "none", REASON, words, key, random)


def failed(received: Received, error: Exception, key: bytes, random: Random) -> Authenticated:
    """Return an Authenticated for a mail that an error of ours keeps from being judged."""
    words = "The checks failed with an error of this installation."
    return _event(received, "temperror", f"internal:{type(error).__name__}", words, key, random)


def _event(
    received: Received,
    result: Literal["none", "temperror"],
    reason: str,
    text: str,
    key: bytes,
    random: Random,
) -> Authenticated:
    identity = event_id(received.event_id, "authenticated")
    words = parts.Words(check="dmarc", text=text)
    return Authenticated(
        event_id=identity,
        mail_id=received.mail_id,
        occurred_at=received.occurred_at,
        caused_by=received.event_id,
        spf=parts.Spf(result=result, reason=reason),
        arc=parts.Arc(result="none", reason=reason),
        dmarc=parts.Dmarc(result=result, reason=reason, policy="none", disposition="none"),
        iprev=parts.IpRev(result=result, reason=reason),
        sealed=seal(parts.AuthenticatedSecret(reasons=[words]), key, identity, random),
    )
