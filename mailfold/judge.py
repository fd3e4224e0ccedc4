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
    Run,
    resolved,
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
        settings = self._settings()
        runs = [
            Run(m.raw, m.envelope, m.received_at, settings, self._limits, self._at_hand)
            for m in mails
        ]
        # Most mail asks for nothing that is not at hand, and so for no task of an event loop.
        begun = [run.next_questions() for run in runs]
        judged = [found for found in begun if isinstance(found, Judged)]
        if len(judged) == len(begun):
            return judged
        return self._loop.run_until_complete(self._all(runs, begun))

    async def _all(
        self, runs: Sequence[Run], begun: Sequence[list[Question] | Judged]
    ) -> Sequence[Judged]:
        shared = _Shared(self._resolve)
        return await asyncio.gather(
            *(resolved(run, asked, shared) for run, asked in zip(runs, begun, strict=True))
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
