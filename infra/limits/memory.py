"""Rate limits counted in this process."""

from __future__ import annotations

import time
from collections.abc import Mapping

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter


class MemoryLimits:
    """Limits given as `{"requests": "1000/minute"}`; a window begins with the first hit in it."""

    def __init__(self, limits: Mapping[str, str]) -> None:
        """Raises ValueError for a limit that can't be read."""
        self._limits: dict[str, RateLimitItem] = {n: parse(text) for n, text in limits.items()}
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def hit(self, name: str, key: str) -> float:
        """Count one; return 0.0 when it is within the limit, else the seconds to wait.

        A name that was not given has no limit.
        """
        item = self._limits.get(name)
        if item is None or self._limiter.hit(item, name, key):
            return 0.0
        return max(0.001, self._limiter.get_window_stats(item, name, key).reset_time - time.time())
