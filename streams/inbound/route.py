"""The route step: a judged mail becomes one Deliver for each mailbox."""

from __future__ import annotations

from schemas.commands import Deliver
from schemas.events import Authenticated, Received, Scored
from schemas.identity import deliver_id


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
