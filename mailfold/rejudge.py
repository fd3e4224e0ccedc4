"""Judge a stored mail again: from the answers that were kept with it, or from DNS as it is now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from infra.ports import PartMissing
from mail.authentication.evaluate import AuthSettings, Verdict
from mail.authentication.resolution import Resolve, authenticate_from, resolve_and_authenticate
from mail.segments import SkeletonError, join
from mailfold.wiring import House
from schemas.codec import decode_as
from schemas.content import open_received, original
from schemas.events import Authenticated, Received
from schemas.parts import AuthenticatedSecret
from schemas.seal import SealError, unseal
from streams.inbound import evidence
from streams.inbound.authenticate import Question, question


class NotStored(Exception):
    """There is no such mail, it is erased, or it was never judged; the text says which."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A mail with the verdict of the day on which it came."""

    asked: Question
    then: Authenticated
    secret: AuthenticatedSecret


def stored(house: House, mail_id: str) -> Stored:
    """Return a stored mail. Raises NotStored."""
    content = house.content.get([mail_id]).get(mail_id)
    key = house.keys.get([mail_id]).get(mail_id)
    if content is None or key is None:
        raise NotStored(f"there is no mail {mail_id}, or it was erased")
    received = decode_as(Received, content.received.value)
    if received.source == "import":
        raise NotStored(f"{mail_id} was imported; nobody here judged it")
    then = decode_as(Authenticated, content.authenticated)
    try:
        hidden = open_received(received, key)
        secret = unseal(AuthenticatedSecret, then.sealed, key, then.event_id)
        raw = original(hidden, house.parts.get, house.fingerprint, join)
    except (SealError, PartMissing, SkeletonError) as error:
        raise NotStored(f"{mail_id} can't be opened: {error}") from error
    return Stored(question(received, hidden, raw, house.settings.hostname), then, secret)


def from_evidence(mail: Stored, settings: AuthSettings) -> Verdict:
    """Return the verdict that the kept answers give; no DNS is asked."""
    kept = evidence.answers(mail.secret.evidence)
    asked = mail.asked
    return authenticate_from(asked.raw, asked.envelope, kept, asked.received_at, settings).verdict


def from_dns(mail: Stored, resolve: Resolve, settings: AuthSettings) -> Verdict:
    """Return the verdict that DNS gives today for the moment at which the mail came."""
    asked = mail.asked
    return asyncio.run(
        resolve_and_authenticate(asked.raw, asked.envelope, resolve, asked.received_at, settings)
    ).verdict


def differences(then: Authenticated, now: Verdict) -> Iterator[str]:
    """Yield a line for each check whose result or reason is another one now."""
    pairs = [
        ("SPF", then.spf.result, then.spf.reason, now.spf.result, now.spf.reason.value),
        ("ARC", then.arc.result, then.arc.reason, now.arc.result, now.arc.reason.value),
        ("DMARC", then.dmarc.result, then.dmarc.reason, now.dmarc.result, now.dmarc.reason.value),
        ("iprev", then.iprev.result, then.iprev.reason, now.iprev.result, now.iprev.reason.value),
    ]
    for number, (old, new) in enumerate(zip(then.dkim, now.dkim, strict=False), 1):
        name = f"DKIM {number} ({new.domain})"
        pairs.append((name, old.result, old.reason, new.result, new.reason.value))
    for check, old_result, old_reason, new_result, new_reason in pairs:
        if (old_result, old_reason) != (new_result, new_reason):
            yield f"{check}: was {old_result} ({old_reason}), is {new_result} ({new_reason})"
    if len(then.dkim) != len(now.dkim):
        yield f"DKIM: was {len(then.dkim)} signatures, is {len(now.dkim)}"
    if then.dmarc.disposition != now.dmarc.disposition:
        yield f"disposition: was {then.dmarc.disposition}, is {now.dmarc.disposition}"
