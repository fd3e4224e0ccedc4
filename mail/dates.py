"""Dates of mail headers (RFC 5322 section 3.3, obsolete syntax section 4.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

_MONTHS = {
    name: number
    for number, name in enumerate(
        b"jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1
    )
}
# Hours east of UTC of the zones that RFC 5322 section 4.3 names. Single letters and unknown names
# count as -0000 there, since they were used in contradicting ways.
_ZONES = {
    b"est": -5,
    b"edt": -4,
    b"cst": -6,
    b"cdt": -5,
    b"mst": -7,
    b"mdt": -6,
    b"pst": -8,
    b"pdt": -7,
}
_COMMENT = re.compile(rb"\((?:[^()\\]|\\.)*+\)", re.DOTALL)
_ZONE = rb"(?:[ \t]*(?:gmt|utc?)?([+-])(\d{1,2}):?(\d{2})|[ \t]*([a-z]{1,5}))?"
_TIME = rb"(\d{1,2})\s?[:.]\s?(\d{1,2})(?:\s?[:.]\s?(\d{1,2})(?:\.\d{1,9})?)?"
_DATE = re.compile(
    rb"(?:[a-z]{2,12}\.?\s*,?\s*)?(\d{1,2})[\s-]+([a-z]{3})[a-z]{0,6}\.?,?[\s-]+(\d{2,4})"
    rb"(?:,?\s+" + _TIME + _ZONE + rb")?",
    re.IGNORECASE,
)
_ASCTIME = re.compile(
    rb"(?:[a-z]{3}\s+)?([a-z]{3})\s+(\d{1,2})\s+" + _TIME + rb"(?:\s+([a-z]{1,5}))?\s+(\d{4})",
    re.IGNORECASE,
)
_ISO = re.compile(
    rb"(\d{4})-(\d{2})-(\d{2})[t\s]\s*" + _TIME + _ZONE,
    re.IGNORECASE,
)
_MAX_LENGTH = 200


def parse_date(value: bytes) -> datetime | None:
    """Return the instant of a Date field in UTC, None for what is no date. Never raises.

    Comments, missing seconds, two- and three-digit years and zone names are read as RFC 5322
    section 4.3 says; a missing zone is UTC. The order of asctime and of ISO 8601, both seen in
    mail, is understood.
    """
    text = value[:_MAX_LENGTH]
    if b"(" in text:
        text = _COMMENT.sub(b" ", _COMMENT.sub(b" ", text))
    text = b" ".join(text.split())
    try:
        if m := _DATE.match(text):
            day, month, year, *rest = m.groups()
            return _instant(_year(year), _MONTHS.get(month.lower()), day, rest)
        if m := _ISO.match(text):
            year, month, day, *rest = m.groups()
            return _instant(int(year), int(month), day, rest)
        if m := _ASCTIME.match(text):
            month, day, hour, minute, second, zone, year = m.groups()
            rest = [hour, minute, second, None, None, None, zone]
            return _instant(int(year), _MONTHS.get(month.lower()), day, rest)
    except (ValueError, OverflowError):  # no such day, or outside of the calendar
        return None
    return None


def format_date(moment: datetime) -> str:
    """Return an aware datetime as RFC 5322 date-time, in the zone that it has."""
    return format_datetime(moment)


def _year(digits: bytes) -> int:
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    # Three digits; with a leading zero from programs that counted on past 99 and padded.
    return year + 1900 if 100 <= year < 1000 else year


def _instant(year: int, month: int | None, day: bytes, rest: list[bytes | None]) -> datetime | None:
    hour, minute, second, sign, zone_hours, zone_minutes, name = rest
    if month is None or year < 1900:  # RFC 5322 section 3.3
        return None
    offset = timedelta()
    if sign is not None:
        hours, minutes = int(zone_hours or b"0"), int(zone_minutes or b"0")
        if hours > 23 or minutes > 59:
            return None
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if sign == b"-" else 1)
    elif name is not None:
        offset = timedelta(hours=_ZONES.get(name.lower(), 0))
    seconds = int(second or b"0")
    leap = seconds == 60  # section 3.3 allows leap seconds, the calendar here has none
    local = datetime(
        year,
        month,
        int(day),
        int(hour or b"0"),
        int(minute or b"0"),
        59 if leap else seconds,
        tzinfo=timezone(offset),
    )
    return (local + timedelta(seconds=leap)).astimezone(UTC)
