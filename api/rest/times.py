"""Times on the wire: ISO 8601 in UTC with milliseconds; microseconds since 1970 inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query

from api.rest.errors import invalid

At = Annotated[
    str | None,
    Query(
        description="ISO 8601 time with zone: the mailbox as it was then.",
        max_length=40,
        json_schema_extra={"format": "date-time"},
    ),
]

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


def time_of(at: str | None) -> int | None:
    """Return the time in `at`, None without one. Raises ApiError 400."""
    if at is None:
        return None
    try:
        return parse(at)
    except ValueError as e:
        raise invalid("at: give a time with its zone, such as 2026-01-31T12:00:00Z") from e
