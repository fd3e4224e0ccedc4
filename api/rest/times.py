"""Times on the wire: ISO 8601 in UTC with milliseconds; microseconds since 1970 inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(micros: int) -> str | None:
    """Return a time such as 2026-01-31T12:00:00.000Z, None outside of the years 1 to 9999."""
    try:
        at = _EPOCH + timedelta(milliseconds=micros // 1000)
    except OverflowError:
        return None
    return at.isoformat(timespec="milliseconds")[:-6] + "Z"


def parse(text: str) -> int:
    """Return a time with a zone in microseconds. Raises ValueError."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("has no zone")
    return (at - _EPOCH) // timedelta(microseconds=1)
