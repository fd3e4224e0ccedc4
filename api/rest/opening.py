"""Open the content of a mail for somebody who may read it."""

from __future__ import annotations

from dataclasses import dataclass

from api.rest.context import Caller
from api.rest.errors import not_found
from api.rest.shapes import (
    ArcShape,
    Authentication,
    DkimShape,
    DmarcShape,
    Spam,
    SpfShape,
)
from api.services import Services
from infra.ports import Content, PartMissing
from mail.authentication.spf import spf_identity
from mail.segments import join
from mail.trace import as_shown
from projections.mailbox.ports import MessageRow
from schemas.codec import decode_as
from schemas.content import open_received
from schemas.content import original as put_together
from schemas.events import Authenticated, Received, Scored
from schemas.parts import AuthenticatedSecret, ScoredSecret
from schemas.seal import unseal


@dataclass(frozen=True, slots=True)
class Opened:
    """A mail as it came, and how it was judged."""

    original: bytes
    authentication: Authentication
    spam: Spam


async def open_mail(caller: Caller, row: MessageRow) -> Opened:
    """Return the content of a message. Raises ApiError 404 when it is erased, SealError."""
    return await caller.context.threads.engines(_open, caller.services, row.mail_id)


def shown(caller: Caller, row: MessageRow, opened: Opened) -> bytes:
    """Return the message as it is shown: the original with our trace fields on top."""
    return as_shown(opened.original, row.trace, caller.services.settings.authserv_id)


def open_original(services: Services, mail_id: str) -> bytes:
    """Return a mail as it came; calls engines. Raises ApiError 404 when it is erased."""
    content, key = _sealed(services, mail_id)
    return _original(services, content, key)


def _open(services: Services, mail_id: str) -> Opened:
    content, key = _sealed(services, mail_id)
    return Opened(
        _original(services, content, key), _authentication(content, key), _spam(content, key)
    )


def _sealed(services: Services, mail_id: str) -> tuple[Content, bytes]:
    content = services.content.get([mail_id]).get(mail_id)
    key = services.keys.get([mail_id]).get(mail_id)
    if content is None or key is None:
        raise not_found("message")
    return content, key


def _received(content: Content) -> Received:
    return decode_as(Received, content.received.value)


def _original(services: Services, content: Content, key: bytes) -> bytes:
    secret = open_received(_received(content), key)
    try:
        return put_together(secret, services.parts.get, services.fingerprint, join)
    except PartMissing as e:
        # Parts go with the last message that shows them; the row follows at once.
        raise not_found("message") from e


def _helo(content: Content, key: bytes) -> str:
    """Return the domain that SPF judged of a mail without a reverse-path."""
    return spf_identity("", open_received(_received(content), key).helo).domain


def _authentication(content: Content, key: bytes) -> Authentication:
    event = decode_as(Authenticated, content.authenticated)
    secret = unseal(AuthenticatedSecret, event.sealed, key, event.event_id)
    words: dict[str, list[str]] = {}
    for w in secret.reasons:
        words.setdefault(w.check, []).append(w.text)

    def reason(check: str, code: str, ordinal: int = 0) -> str:
        """Return the sentence about a check, the code where there is none."""
        sentences = words.get(check, [])
        return sentences[ordinal] if ordinal < len(sentences) else code

    spf, dmarc = event.spf, event.dmarc
    return Authentication(
        SpfShape(spf.result, spf.domain or _helo(content, key), reason("spf", spf.reason)),
        [
            DkimShape(d.result, d.domain, d.selector, reason("dkim", d.reason, i))
            for i, d in enumerate(event.dkim)
        ],
        DmarcShape(
            dmarc.result,
            dmarc.domain,
            dmarc.policy,
            dmarc.disposition,
            reason("dmarc", dmarc.reason),
        ),
        ArcShape(event.arc.result, reason("arc", event.arc.reason)),
    )


def _spam(content: Content, key: bytes) -> Spam:
    event = decode_as(Scored, content.scored)
    secret = unseal(ScoredSecret, event.sealed, key, event.event_id)
    reasons = secret.reasons or [r.code for r in event.rules]
    return Spam(event.verdict, event.probability, list(reasons))
