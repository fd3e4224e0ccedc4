"""Notice that no server answers at all, so that not every question waits for what does not come.

Without it a resolver that is gone costs every batch of mails the whole time-out. While nothing
answers, one question is asked now and then, to find out whether that has changed. It is given a
moment only; the others wait for it, and count as timed out when it brings nothing. The first answer
ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

ENOUGH = 6
"""Questions without an answer, and with no other answered meanwhile, that make an outage."""


class Outage:
    """Whether servers answer; for one event loop."""

    def __init__(self, timeout: float, clock: Callable[[], float]) -> None:
        """`timeout` is how long a question may wait for its answer, in seconds."""
        self._timeout = timeout
        self._moment = timeout / 5
        self._clock = clock
        self._unanswered = 0
        self._tried = 0.0
        self._over: asyncio.Future[None] | None = None

    @property
    def lasts(self) -> bool:
        """Whether nothing answers now."""
        return self._unanswered >= ENOUGH

    async def patience(self) -> float:
        """Return for how many seconds to ask a question, 0 for not at all.

        Waits a moment for one that is asked already.
        """
        if not self.lasts:
            return self._timeout
        now = self._clock()
        if self._over is None or now >= self._tried + self._timeout:
            self._tried = now
            self._over = asyncio.get_running_loop().create_future()
            return self._moment
        left = self._tried + self._moment - now
        if left > 0:
            await asyncio.wait((self._over,), timeout=left)
        return 0.0 if self.lasts else self._timeout

    def answered(self) -> None:
        """Hear that a server gave an answer, whatever it says."""
        self._unanswered = 0
        if self._over is not None and not self._over.done():
            self._over.set_result(None)
        self._over = None

    def unanswered(self) -> None:
        """Hear that a question had no answer in its time."""
        self._unanswered += 1
