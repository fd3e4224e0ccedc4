"""When a signing key is published, signs, and is withdrawn (RFC 6376 sections 3.1 and 3.6.1).

A selector is never used again. Its key is published before it signs, since a resolver may have kept
that there is none; it stays published while mail that it signed may still be on its way; then its
record is emptied (p=), which says that the key was revoked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

_DAY = 24 * 3600 * 1_000_000

LEAD = 2 * _DAY
"""From making a key to signing with it, microseconds, where another signs meanwhile."""
KEPT = 7 * _DAY
"""How long a key is published after it signed last, microseconds. RFC 5321 section 4.5.4.1: mail is
tried for 4 to 5 days at least."""

State: TypeAlias = Literal["next", "signing", "published", "empty"]
"""next: published, not in use yet; published: in use no more, and still there to verify; empty: its
record is published with p= and nothing, and its private half is destroyed."""


def states(made: Sequence[int], now: int) -> list[State]:
    """Return the state of each key of one domain and type.

    `made` are the times at which they were made, oldest first; all times are microseconds.
    """
    # The first one has no other to sign in its place meanwhile.
    begins = [time if number == 0 else time + LEAD for number, time in enumerate(made)]
    found: list[State] = []
    for begin, end in zip(begins, [*begins[1:], None], strict=False):
        if end is not None and now >= end + KEPT:
            found.append("empty")
        elif end is not None and now >= end:
            found.append("published")
        else:
            found.append("signing" if now >= begin else "next")
    return found
