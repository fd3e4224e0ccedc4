"""No rate limits at all."""

from __future__ import annotations


class NoLimits:
    """Lets everything pass; what `MAILFOLD_LIMITS=off` chooses."""

    def hit(self, name: str, key: str) -> float:
        """Return 0.0."""
        return 0.0
