"""Authenticated for a mail that nobody judged here: one that another store kept."""

from __future__ import annotations

from infra.ports import Random
from schemas import parts
from schemas.events import Authenticated, Received
from schemas.identity import event_id
from schemas.seal import seal

REASON = "imported"


def event(received: Received, key: bytes, random: Random) -> Authenticated:
    """Return an Authenticated with the result none for every check."""
    identity = event_id(received.event_id, "authenticated")
    words = parts.Words(check="dmarc", text="The mail was imported; it is not judged again.")
    return Authenticated(
        event_id=identity,
        mail_id=received.mail_id,
        occurred_at=received.occurred_at,
        caused_by=received.event_id,
        spf=parts.Spf(result="none", reason=REASON),
        arc=parts.Arc(result="none", reason=REASON),
        dmarc=parts.Dmarc(result="none", reason=REASON, policy="none", disposition="none"),
        iprev=parts.IpRev(result="none", reason=REASON),
        sealed=seal(parts.AuthenticatedSecret(reasons=[words]), key, identity, random),
    )
