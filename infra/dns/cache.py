"""Answers kept for as long as DNS says, as many as a bound allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from mail.authentication.dns import Answer, Question

LONGEST_POSITIVE = 24 * 3600
LONGEST_NEGATIVE = 3 * 3600
"""Seconds; RFC 2308 section 5 caps negative answers at one to three hours."""
FAILURE = 10
"""Seconds for which a failure is not asked again (RFC 2308 section 7 allows five minutes)."""


class AnswerCache:
    """A bounded cache; what was used least recently leaves first."""

    def __init__(self, entries: int, clock: Callable[[], float]) -> None:
        self._entries = entries
        self._clock = clock
        self._kept: OrderedDict[Question, tuple[float, Answer]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, asked: Question) -> Answer | None:
        """Return an answer that still holds."""
        found = self._kept.get(asked)
        if found is None:
            return None
        until, answer = found
        if self._clock() >= until:
            del self._kept[asked]
            return None
        self._kept.move_to_end(asked)
        return answer

    def put(self, asked: Question, answer: Answer) -> None:
        """Keep an answer for its time to live, within the bounds of its kind."""
        if answer.failed:
            seconds = FAILURE
        else:
            longest = LONGEST_POSITIVE if answer.status == "noerror" else LONGEST_NEGATIVE
            seconds = min(answer.ttl, longest)
        if seconds <= 0:
            return
        self._kept[asked] = (self._clock() + seconds, answer)
        self._kept.move_to_end(asked)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)
