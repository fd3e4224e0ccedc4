"""The route step: a judged mail becomes a Deliver for each mailbox, a Submitted for each target."""

from __future__ import annotations

from infra.ports import Random
from mail.addresses import canonical_domain, split_address
from schemas.commands import Deliver
from schemas.events import Authenticated, Received, Scored, Submitted
from schemas.identity import deliver_id, submission_id
from schemas.parts import Forward, ReceivedSecret, SubmittedSecret
from schemas.seal import seal


def commands(received: Received, authenticated: Authenticated, scored: Scored) -> list[Deliver]:
    """Return the commands, in the order of the recipients."""
    return [
        Deliver(
            command_id=deliver_id(received.mail_id, mailbox_id),
            mailbox_id=mailbox_id,
            occurred_at=received.occurred_at,
            actor="import" if received.source == "import" else "mx",
            caused_by=scored.event_id,
            mail_id=received.mail_id,
            authenticated_id=authenticated.event_id,
            scored_id=scored.event_id,
            verdict=scored.verdict,
            disposition=authenticated.dmarc.disposition,
            source=received.source,
            size=received.size,
            received_at=received.received_at,
            internal_date=received.internal_date,
            labels=received.labels,
            flags=received.flags,
            raw_hmac=received.raw_hmac,
            reverse_path_hmac=received.reverse_path_hmac,
        )
        for mailbox_id in received.mailboxes
    ]


def submissions(
    received: Received,
    secret: ReceivedSecret,
    key: bytes,
    authenticated: Authenticated,
    scored: Scored,
    random: Random,
) -> list[Submitted]:
    """Return what is to be sent to other hosts, in the order of the recipients."""
    suppressed = _suppressed(authenticated, scored)
    return [
        _submitted(
            forward,
            submission_id(received.mail_id, ordinal),
            received,
            secret.reverse_path,
            key,
            suppressed=suppressed,
            bounceable=forward.by == "forward" and _genuine(secret, authenticated),
            caused_by=scored.event_id,
            random=random,
        )
        for ordinal, forward in enumerate(secret.forwards)
    ]


def _submitted(
    forward: Forward,
    identity: str,
    received: Received,
    reverse_path: str,
    key: bytes,
    *,
    suppressed: str,
    bounceable: bool,
    caused_by: str,
    random: Random,
) -> Submitted:
    return Submitted(
        event_id=identity,
        mail_id=received.mail_id,
        occurred_at=received.occurred_at,
        caused_by=caused_by,
        reason=forward.by,
        via_domain=canonical_domain(split_address(forward.alias)[1]),
        sender_domain=received.sender_domain,
        target_domain=canonical_domain(split_address(forward.address)[1]),
        size=received.size,
        suppressed=suppressed,
        bounceable=bounceable,
        sealed=seal(
            SubmittedSecret(
                reverse_path=reverse_path, forward_path=forward.address, alias=forward.alias
            ),
            key,
            identity,
            random,
        ),
    )


def _suppressed(authenticated: Authenticated, scored: Scored) -> str:
    """Return why a mail is not passed on: whoever passes such mail on is taken for its sender."""
    if scored.verdict in ("spam", "phishing"):
        return scored.verdict
    # One that is only to be quarantined goes into SPAM here, and elsewhere would not.
    if authenticated.dmarc.disposition in ("quarantine", "reject"):
        return "dmarc"
    return ""


def _genuine(secret: ReceivedSecret, authenticated: Authenticated) -> bool:
    """Say whether a failure may be reported to the reverse-path.

    RFC 5321 section 6.1: never to the null one. Section 6.2: only where the report would be of use,
    which it is not to whoever's address was forged.
    """
    return (
        bool(secret.reverse_path)
        and authenticated.spf.result not in ("fail", "softfail")
        and authenticated.dmarc.result != "fail"
    )
