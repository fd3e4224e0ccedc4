"""What becomes of a message that has come in whole: the reply to its final dot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from infra.ports import Arrival, Clock, EngineDown, Intake, Random
from ingress.arrival import Envelope, arrival
from ingress.smtp import replies
from ingress.smtp.data_reader import Fault
from ingress.smtp.replies import Reply
from ingress.smtp.screening import Screening
from mail.trace import count_received
from schemas.fingerprint import Fingerprint
from schemas.seal import new_key

MAX_HOPS = 50
"""Received fields of a message. RFC 5321 section 6.3 thinks of 100; mail in use has below 20."""

_LARGE = 256 * 1024
"""Larger messages are cut and sealed off the event loop, octets."""

_MOST_HEADER = 1024 * 1024
"""Hops are counted in so much of a message, octets: a header that is longer is none of use."""

FAULTS: dict[Fault, Reply] = {
    "too-large": replies.TOO_LARGE,
    "bare-line-end": replies.BARE_LINE_END,
    "nul": replies.CONTAINS_NUL,
    "no-memory": replies.OUT_OF_MEMORY,
}
"""The reply for each reason not to take a message."""


class Acceptance:
    """Makes an Arrival of a message and hands it to the intake."""

    def __init__(
        self,
        intake: Intake,
        *,
        fingerprint: Fingerprint,
        random: Random,
        clock: Clock,
        screening: Screening | None = None,
    ) -> None:
        """Without `screening` no message is refused for what its author's domain publishes."""
        self._intake = intake
        self._screening = screening
        self._fingerprint = fingerprint
        self._random = random
        self._clock = clock

    async def accept(self, content: bytes, envelope: Envelope, mailboxes: Sequence[str]) -> Reply:
        """Return 250 when the mail is durable, else why it was not taken."""
        if count_received(content[:_MOST_HEADER]) > MAX_HOPS:
            return replies.LOOP
        if self._screening is not None:
            refused = await self._screening.refused(content, envelope)
            if refused is not None:
                return refused

        def make() -> Arrival:
            return arrival(
                content,
                envelope,
                mailboxes,
                key=new_key(self._random),
                random=self._random,
                clock=self._clock,
                fingerprint=self._fingerprint,
            )

        new = await _run(make, len(content))
        try:
            await self._intake.accept(new)
        except EngineDown:
            return replies.ENGINE_DOWN
        return replies.queued(new.mail_id)


async def _run(make: Callable[[], Arrival], size: int) -> Arrival:
    return await asyncio.to_thread(make) if size > _LARGE else make()
