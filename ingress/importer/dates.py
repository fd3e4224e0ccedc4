"""When a mail arrived, as far as it can be told without its old store's index."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from mail.dates import parse_date
from mail.fields import Header

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME = rb"\d{1,2}:\d{2}(?::\d{2})?"
_MONTH = rb"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"

# asctime as RFC 4155 has it, with the zones that programs add before or after the year.
_ASCTIME = re.compile(
    rb"\b("
    + _MONTH
    + rb")\s+(\d{1,2})\s+("
    + _TIME
    + rb")(?:\s+([a-z]{1,5}|[+-]\d{4}))?(?:\s+[a-z]{1,5})?\s+(\d{4})\b(?:\s+([+-]\d{4}))?",
    re.IGNORECASE,
)
# The order of RFC 5322, seen in From_ lines too.
_ORDINARY = re.compile(
    rb"\b\d{1,2}\s+" + _MONTH + rb"\s+\d{4}\s+" + _TIME + rb"(?:\s+(?:[+-]\d{4}|[a-z]{1,5}))?",
    re.IGNORECASE,
)


def microseconds(moment: datetime) -> int:
    """Return an aware datetime as microseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_line_date(line: bytes) -> int | None:
    """Return the date in a From_ line, microseconds; without a zone it is UTC (RFC 4155)."""
    m = _ASCTIME.search(line)
    if m is not None:
        month, day, time, zone, year, late_zone = m.groups()
        text = b" ".join((day, month, year, time, late_zone or zone or b"+0000"))
    else:
        ordinary = _ORDINARY.search(line)
        if ordinary is None:
            return None
        text = ordinary[0]
    moment = parse_date(text)
    return None if moment is None else _sensible(moment)


def header_date(header: Header) -> int | None:
    """Return the date of the topmost Received field, else that of Date, microseconds."""
    for name in (b"received", b"date"):
        value = header.first(name)
        if value is None:
            continue
        # RFC 5322 section 3.6.7: the date of Received follows the last semicolon.
        moment = parse_date(value.rpartition(b";")[2].strip())
        if moment is not None:
            return _sensible(moment)
    return None


def _sensible(moment: datetime) -> int | None:
    # IMAP dates begin where UNIX time does; what is before is a clock that was never set.
    value = microseconds(moment)
    return value if value >= 0 else None
