"""Judging mails at once: the asynchronous resolver behind a synchronous stage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from mail.authentication.dns import Answer, Question
from mail.authentication.evaluate import AuthSettings
from mail.authentication.resolution import (
    AtHand,
    Judged,
    ResolutionLimits,
    Resolve,
    resolve_and_authenticate,
)
from streams.inbound.authenticate import Question as MailQuestion


class BatchJudge:
    """Judges a batch of mails concurrently on an event loop of its own.

    Answers are shared within a batch: the same question of many mails is asked once. `settings`
    is called for each batch, so that a domain that is added is protected at once.
    """

    def __init__(
        self,
        resolve: Resolve,
        at_hand: AtHand,
        settings: Callable[[], AuthSettings],
        limits: ResolutionLimits,
    ) -> None:
        self._resolve = resolve
        self._at_hand = at_hand
        self._settings = settings
        self._limits = limits
        self._loop = asyncio.new_event_loop()

    def __call__(self, mails: Sequence[MailQuestion]) -> Sequence[Judged]:
        """Return the verdict of each mail, in order."""
        return self._loop.run_until_complete(self._all(mails)) if mails else ()

    async def _all(self, mails: Sequence[MailQuestion]) -> Sequence[Judged]:
        shared = _Shared(self._resolve)
        settings = self._settings()
        return await asyncio.gather(
            *(
                resolve_and_authenticate(
                    m.raw,
                    m.envelope,
                    shared,
                    m.received_at,
                    settings,
                    self._limits,
                    self._at_hand,
                )
                for m in mails
            )
        )

    def close(self) -> None:
        """Close the event loop."""
        self._loop.close()


class _Shared:
    """One batch's view of the resolver: a question under way is not asked again."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._asked: dict[Question, asyncio.Future[Answer]] = {}

    async def __call__(self, questions: Sequence[Question]) -> Mapping[Question, Answer]:
        new = [q for q in questions if q not in self._asked]
        loop = asyncio.get_running_loop()
        for q in new:
            self._asked[q] = loop.create_future()
        if new:
            found: Mapping[Question, Answer] = {}
            try:
                found = await self._resolve(new)
            finally:
                for q in new:
                    self._asked[q].set_result(found.get(q, Answer("timeout")))
        # Who gives up waiting cancels what it waits for: that must not be the shared answer.
        return {q: await asyncio.shield(self._asked[q]) for q in questions}
