"""The authenticate step: a verdict and its evidence become an event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.ports import Random
from mail.authentication.evaluate import Envelope, Verdict
from mail.authentication.resolution import Judged
from schemas import parts
from schemas.events import Authenticated, Received
from schemas.identity import event_id
from schemas.seal import seal
from streams.inbound.evidence import kept

MAX_NAME = 255
"""Characters of a domain or selector (RFC 1035 section 2.3.4)."""

MAX_EVIDENCE = 64 * 1024
"""Octets of DNS answers that an event carries at most."""


@dataclass(frozen=True, slots=True)
class Question:
    """One mail to be judged."""

    raw: bytes
    envelope: Envelope
    received_at: datetime


Judge = Callable[[Sequence[Question]], Sequence[Judged]]
"""Judges mails, all at once, so that one slow answer delays no other mail of the batch."""


def question(
    received: Received, secret: parts.ReceivedSecret, raw: bytes, authserv_id: str
) -> Question:
    """Return what is asked about a received mail. An import has no client: SPF has no say."""
    return Question(
        raw,
        Envelope(secret.client_address or None, secret.helo, secret.reverse_path, authserv_id),
        datetime.fromtimestamp(received.received_at / 1_000_000, UTC),
    )


def event(received: Received, judged: Judged, key: bytes, random: Random) -> Authenticated:
    """Return the Authenticated event of a judged mail, its reasons and evidence sealed."""
    v = judged.verdict
    identity = event_id(received.event_id, "authenticated")
    evidence, truncated = _bounded(kept(judged.evidence))
    return Authenticated(
        event_id=identity,
        mail_id=received.mail_id,
        occurred_at=received.occurred_at,
        caused_by=received.event_id,
        spf=parts.Spf(
            result=v.spf.result,
            reason=v.spf.reason.value,
            # A HELO name may be that of somebody's own machine.
            domain=_name(v.spf.domain) if v.spf.identity == "mailfrom" else "",
            identity=v.spf.identity,
        ),
        dkim=[
            parts.Dkim(
                result=d.result,
                reason=d.reason.value,
                domain=_name(d.domain),
                selector=_name(d.selector),
                algorithm=_name(d.algorithm),
                aligned=d.aligned,
            )
            for d in v.dkim
        ],
        arc=parts.Arc(
            result=v.arc.result,
            reason=v.arc.reason.value,
            sealers=[_name(s) for s in v.arc.sealers],
        ),
        dmarc=parts.Dmarc(
            result=v.dmarc.result,
            reason=v.dmarc.reason.value,
            domain=_name(v.dmarc.domain),
            policy=v.dmarc.requested if v.dmarc.policy else "none",
            disposition=v.dmarc.disposition,
            spf_aligned=v.dmarc.spf_aligned,
            dkim_aligned=v.dmarc.dkim_aligned,
        ),
        iprev=parts.IpRev(result=v.iprev.result, reason=v.iprev.reason.value),
        sealed=seal(
            parts.AuthenticatedSecret(
                reasons=_words(v),
                results=_legible(v.results_header),
                evidence=evidence,
                truncated=truncated,
            ),
            key,
            identity,
            random,
        ),
    )


def _words(v: Verdict) -> list[parts.Words]:
    checks = [("spf", v.spf.words), *(("dkim", d.words) for d in v.dkim), ("arc", v.arc.words)]
    checks += [("dmarc", v.dmarc.words), ("iprev", v.iprev.words)]
    return [parts.Words(check=c, text=_legible(t)) for c, t in checks]


def _name(text: str) -> str:
    # What a signature that could not be read has in place of a name may be anything at all.
    return _legible(text[:MAX_NAME])


def _legible(text: str) -> str:
    # Lone surrogates stand for octets that are no UTF-8, which Avro strings have to be.
    return text.encode("utf-8", "replace").decode()


def _bounded(evidence: list[parts.DnsAnswer]) -> tuple[list[parts.DnsAnswer], bool]:
    left = MAX_EVIDENCE
    taken: list[parts.DnsAnswer] = []
    for answer in evidence:
        left -= len(answer.name) + 64 + sum(len(r) + 8 for r in answer.records)
        if left < 0:
            return taken, True
        taken.append(answer)
    return taken, False
