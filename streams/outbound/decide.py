"""What follows from an attempt: the events that record it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from infra.ports import MAX_REPLY, Random, Receipt
from mail.addresses import canonical_domain, split_address
from mail.dsn import EXPIRED, permanent
from schemas.events import Attempted, MailEvent, Submitted
from schemas.identity import bounce_id, timed
from schemas.parts import AttemptedSecret, Failure, Outcome, SubmittedSecret
from schemas.seal import seal
from streams.outbound.queue import Item
from streams.outbound.schedule import Schedule

EVER = 0
"""In place of a time: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Turns receipts into events. `hold` is how long what is suppressed is kept, microseconds."""

    schedule: Schedule
    hold: int
    random: Random

    def concluded(
        self, item: Item, secret: SubmittedSecret, key: bytes, receipt: Receipt, arc: str, now: int
    ) -> list[MailEvent]:
        """Return the events of an attempt that was made.

        A bounce comes before the attempt that it reports: when the log takes but the first, the
        attempt is made again, and the bounce of a submission is one and the same.
        """
        attempt = item.attempts + 1
        next_at = None
        if not (receipt.taken or receipt.permanent):
            next_at = self.schedule.next(item.id, item.submitted.occurred_at, attempt, now)
        outcome: Outcome = "delivered"
        if not receipt.taken:
            outcome = "bounced" if next_at is None else "deferred"
        bounce = None
        if outcome == "bounced" and item.submitted.bounceable:
            expired = not receipt.permanent
            bounce = self._bounce(item.submitted, secret, key, receipt, expired, now)
        event = self._attempted(
            item,
            now,
            outcome,
            attempt=attempt,
            code=receipt.code,
            enhanced=receipt.enhanced,
            reason=receipt.reason,
            next_at=next_at or EVER,
            tls_version=receipt.tls_version,
            arc=arc,
            bounce=bounce.event_id if bounce is not None else "",
            key=key,
            told=AttemptedSecret(
                remote_host=receipt.host,
                remote_address=receipt.address,
                reply=_legible(receipt.reply),
            ),
        )
        return [event] if bounce is None else [bounce, event]

    def suppressed(self, item: Item, now: int) -> Attempted:
        """Return the event that holds a submission back."""
        until = item.submitted.occurred_at + self.hold if self.hold else _NEVER
        return self._attempted(
            item, now, "suppressed", reason=item.submitted.suppressed, next_at=until
        )

    def dropped(self, item: Item, reason: str, now: int) -> Attempted:
        """Return the event that gives a submission up."""
        return self._attempted(item, now, "dropped", reason=reason)

    def postponed(self, item: Item, reason: str, now: int) -> Attempted:
        """Return the event of an attempt that an error of ours kept from being made."""
        attempt = item.attempts + 1
        next_at = self.schedule.next(item.id, item.submitted.occurred_at, attempt, now)
        if next_at is None:
            return self._attempted(item, now, "dropped", reason=reason)
        return self._attempted(
            item, now, "deferred", attempt=attempt, reason=reason, next_at=next_at
        )

    def asked(self, item: Item, now: int) -> Attempted:
        """Return the event by which an administrator has a submission tried now."""
        return self._attempted(item, now, "deferred", reason="admin", next_at=now)

    def _attempted(
        self,
        item: Item,
        now: int,
        outcome: Outcome,
        *,
        attempt: int | None = None,
        reason: str = "",
        code: int = 0,
        enhanced: str = "",
        next_at: int = EVER,
        tls_version: str = "",
        arc: str = "",
        bounce: str = "",
        key: bytes = b"",
        told: AttemptedSecret | None = None,
    ) -> Attempted:
        identity = timed(now, self.random(10))
        return Attempted(
            event_id=identity,
            mail_id=item.submitted.mail_id,
            occurred_at=now,
            caused_by=item.id,
            submission_id=item.id,
            attempt=item.attempts if attempt is None else attempt,
            outcome=outcome,
            code=code,
            enhanced=enhanced,
            reason=reason,
            next_at=next_at,
            tls_version=tls_version,
            arc=arc,
            bounce_id=bounce,
            sealed=seal(told, key, identity, self.random) if told is not None else b"",
        )

    def _bounce(
        self,
        submitted: Submitted,
        secret: SubmittedSecret,
        key: bytes,
        receipt: Receipt,
        expired: bool,
        now: int,
    ) -> Submitted:
        identity = bounce_id(submitted.event_id)
        status = EXPIRED if expired else permanent(receipt.enhanced)
        failure = Failure(
            recipient=secret.alias, status=status, code=receipt.code, last_attempt_at=now
        )
        return Submitted(
            event_id=identity,
            mail_id=submitted.mail_id,
            occurred_at=now,
            caused_by=submitted.event_id,
            reason="bounce",
            via_domain=submitted.via_domain,
            target_domain=canonical_domain(split_address(secret.reverse_path)[1]),
            sealed=seal(
                SubmittedSecret(
                    reverse_path="",
                    forward_path=secret.reverse_path,
                    alias=secret.alias,
                    failure=[failure],
                ),
                key,
                identity,
                self.random,
            ),
        )


_NEVER = 1 << 62


def _legible(text: str) -> str:
    # Octets of a host that are no UTF-8 come as lone surrogates, which Avro strings can't hold.
    return text[:MAX_REPLY].encode("utf-8", "replace").decode()
