"""The loop between evaluation and a resolver: evaluate, resolve what is missing, again.

Bounded in rounds, in questions, in the size of the answers and in time; what lies beyond a bound
counts as a DNS failure, so that the verdict rests on nothing but the answers that are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

from mail.authentication.dns import (
    MAX_ANSWER_BYTES,
    MAX_EVIDENCE_BYTES,
    Answer,
    Answers,
    Consulted,
    Missing,
    Question,
    weight,
)
from mail.authentication.evaluate import AuthSettings, Envelope, Evaluation, Verdict

Resolve: TypeAlias = Callable[[Sequence[Question]], Awaitable[Mapping[Question, Answer]]]
"""Answers questions; one that it leaves out counts as timed out."""

AtHand: TypeAlias = Callable[[Question], Answer | None]
"""Answers that need no waiting, as those of a cache."""


@dataclass(frozen=True, slots=True)
class ResolutionLimits:
    """Bounds on what one message may cost in DNS."""

    seconds: float = 20.0
    """RFC 7208 section 4.6.4 asks for at least 20 for SPF."""
    questions: int = 250
    rounds: int = 40
    evidence_bytes: int = MAX_EVIDENCE_BYTES


class Judged(NamedTuple):
    """A verdict and the answers that it rests on."""

    verdict: Verdict
    evidence: dict[Question, Answer]
    """The answers that the evaluation read: `authenticate` with these gives the same verdict."""
    questions: int
    """How many questions were asked."""


async def resolve_and_authenticate(
    raw: bytes,
    envelope: Envelope,
    resolve: Resolve,
    now: datetime,
    settings: AuthSettings | None = None,
    limits: ResolutionLimits | None = None,
    at_hand: AtHand = lambda _: None,
) -> Judged:
    """Judge a message, asking `resolve` for what is needed. Raises nothing but what it raises
    when cancelled: an error of the resolver counts as a failed lookup.

    What `at_hand` knows is not asked, and interrupts no check.
    """
    run = Run(raw, envelope, now, settings, limits, at_hand)
    return await resolved(run, run.next_questions(), resolve)


async def resolved(run: Run, asked: list[Question] | Judged, resolve: Resolve) -> Judged:
    """Bring a run to its end; `asked` is what it said last. Raises what `resolve` raises when
    cancelled."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + run.limits.seconds
    while not isinstance(asked, Judged):
        answers: Mapping[Question, Answer] = {}
        if asked and (left := deadline - clock()) > 0:
            try:
                async with asyncio.timeout(left):
                    answers = await resolve(asked)
            except TimeoutError:
                answers = {}
            except OSError:
                answers = {one: Answer("servfail") for one in asked}
        run.take(asked, answers)
        asked = run.next_questions()
    return asked


def authenticate_from(
    raw: bytes,
    envelope: Envelope,
    known: Answers,
    now: datetime,
    settings: AuthSettings | None = None,
    limits: ResolutionLimits | None = None,
) -> Judged:
    """Judge a message from answers at hand (a zone, kept evidence); no other DNS is asked.

    A question that `known` does not hold counts as timed out.
    """
    run = Run(raw, envelope, now, settings, limits)
    while True:
        asked = run.next_questions()
        if isinstance(asked, Judged):
            return asked
        found = {one: known[one] for one in asked if one in known}
        run.take(asked, found)


class Run:
    """The state of the loop, without the waiting."""

    def __init__(
        self,
        raw: bytes,
        envelope: Envelope,
        now: datetime,
        settings: AuthSettings | None = None,
        limits: ResolutionLimits | None = None,
        at_hand: AtHand = lambda _: None,
    ) -> None:
        self.limits = limits or ResolutionLimits()
        self._at_hand = at_hand
        self._evaluation = Evaluation(raw, envelope, now, settings)
        self._answers = _Known(self._fetch)
        self._consulted = Consulted(self._answers)
        self._rounds = 0
        self._asked = 0
        self._bytes = 0

    def next_questions(self) -> list[Question] | Judged:
        """Evaluate; return the verdict, or what to ask within the bounds."""
        try:
            verdict = self._evaluation.step(self._consulted)
        except Missing as missing:
            self._rounds += 1
            left = self.limits.questions - self._asked
            if self._rounds > self.limits.rounds:
                left = 0
            allowed = list(missing.questions[:left]) if left > 0 else []
            for refused in missing.questions[len(allowed) :]:
                self._keep(refused, Answer("timeout"))
            self._asked += len(allowed)
            return allowed
        return Judged(verdict, dict(self._consulted.used), self._asked)

    def _fetch(self, asked: Question) -> bool:
        """Take an answer that is at hand; say whether there is one."""
        answer = self._at_hand(asked) if self._asked < self.limits.questions else None
        if answer is None:
            return False
        self._asked += 1
        self._keep(asked, answer)
        return True

    def take(self, asked: Sequence[Question], answers: Mapping[Question, Answer]) -> None:
        """Keep the answers to `asked`."""
        for one in asked:
            self._keep(one, answers.get(one, Answer("timeout")))

    def _keep(self, asked: Question, answer: Answer) -> None:
        size = weight(asked, answer)
        left = self.limits.evidence_bytes - self._bytes
        if size > MAX_ANSWER_BYTES or (answer.records and size > left):
            # The evidence of one message is bounded; what does not fit was not seen.
            answer = Answer("servfail")
            size = weight(asked, answer)
        self._bytes += size
        self._answers.keep(asked, answer)


class _Known(Mapping[Question, Answer]):
    """Answers of one run; one that is not there yet is fetched when it is asked for."""

    def __init__(self, fetch: Callable[[Question], bool]) -> None:
        self._kept: dict[Question, Answer] = {}
        self._fetch = fetch

    def keep(self, asked: Question, answer: Answer) -> None:
        self._kept[asked] = answer

    def __contains__(self, key: object) -> bool:
        return key in self._kept or (isinstance(key, Question) and self._fetch(key))

    def __getitem__(self, key: Question) -> Answer:
        if key not in self:
            raise KeyError(key)
        return self._kept[key]

    def get(self, key: Question, default: Answer | None = None) -> Answer | None:  # type: ignore[override]
        return self._kept[key] if key in self else default

    def __iter__(self) -> Iterator[Question]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)
