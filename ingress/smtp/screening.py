"""Refusing what DMARC says to reject, before a message is taken.

Only in answer to DATA can a message be refused without a bounce to an address that may be forged
(RFC 9989 section 7.2). What becomes of a message that is taken is decided later, by its verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.ports import Clock
from ingress.arrival import Envelope
from ingress.smtp.replies import Reply, reply
from mail.authentication import evaluate
from mail.authentication.dns import Answer, Question
from mail.authentication.handling import handling, refusal
from mail.authentication.resolution import (
    AtHand,
    Judged,
    ResolutionLimits,
    Resolve,
    resolve_and_authenticate,
)

_LARGE = 256 * 1024
"""Larger messages are hashed off the event loop, octets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """Judges messages while their clients wait."""

    resolve: Resolve
    at_hand: AtHand
    settings: Callable[[], evaluate.AuthSettings]
    limits: ResolutionLimits
    """Bounds on what one message may cost in DNS, time above all: the client waits."""
    hostname: str
    clock: Clock

    async def refused(self, content: bytes, envelope: Envelope) -> Reply | None:
        """Return the reply that refuses a message, None for one to be taken.

        DNS that fails refuses nothing: the result is then no failure but a temporary error.
        """
        judge = self._aside if len(content) > _LARGE else self._judge
        judged = await judge(content, envelope)
        dmarc = judged.verdict.dmarc
        if handling(dmarc, may_reject=True) != "reject":
            return None
        return reply(550, "5.7.1", refusal(dmarc))

    async def _judge(self, content: bytes, envelope: Envelope) -> Judged:
        return await self._authenticate(content, envelope, self.resolve, self.at_hand)

    async def _aside(self, content: bytes, envelope: Envelope) -> Judged:
        loop = asyncio.get_running_loop()

        async def resolve(questions: Sequence[Question]) -> Mapping[Question, Answer]:
            # The resolver lives on the loop of the connections; only the hashing goes elsewhere.
            asked = asyncio.run_coroutine_threadsafe(_awaited(self.resolve, questions), loop)
            return await asyncio.wrap_future(asked)

        def run() -> Judged:
            return asyncio.run(self._authenticate(content, envelope, resolve, lambda _: None))

        return await asyncio.to_thread(run)

    async def _authenticate(
        self, content: bytes, envelope: Envelope, resolve: Resolve, at_hand: AtHand
    ) -> Judged:
        return await resolve_and_authenticate(
            content,
            evaluate.Envelope(
                envelope.client_address or None,
                envelope.helo,
                envelope.reverse_path,
                self.hostname,
            ),
            resolve,
            datetime.fromtimestamp(self.clock() / 1_000_000, UTC),
            self.settings(),
            self.limits,
            at_hand,
        )


async def _awaited(resolve: Resolve, questions: Sequence[Question]) -> Mapping[Question, Answer]:
    return await resolve(questions)
