"""Dates of headers, as specified, obsolete, and as seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.dates import format_date, parse_date

CASES = [
    (b"Wed, 1 Jul 2020 01:03:41 -0400", "2020-07-01T05:03:41"),
    (b" Fri, 21 Nov\r\n 1997 09:55:06 -0600", "1997-11-21T15:55:06"),
    (b"21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06"),
    (b"1 Jan 49 00:00 +0000", "2049-01-01T00:00:00"),
    (b"1 Jan 50 00:00 +0000", "1950-01-01T00:00:00"),
    (b"Thu, 22 Aug 0102 12:07:35 +0800", "2002-08-22T04:07:35"),
    (b"1 Jan 120 00:00 +0000", "2020-01-01T00:00:00"),
    (b"Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland)", "1969-02-14T03:02:00"),
    (b"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T15:55:06"),
    (b"Mon, 1 Jan 2001 00:00:00 EST", "2001-01-01T05:00:00"),
    (b"Mon, 1 Jan 2001 00:00:00 PDT", "2001-01-01T07:00:00"),
    (b"Mon, 1 Jan 2001 00:00:00 Z", "2001-01-01T00:00:00"),
    (b"Mon, 1 Jan 2001 00:00:00 A", "2001-01-01T00:00:00"),
    (b"Mon, 1 Jan 2001 00:00:00 MET", "2001-01-01T00:00:00"),
    (b"Mon, 1 Jan 2001 00:00:00", "2001-01-01T00:00:00"),
    (b"Mon, 21 Aug 95 13:30:57 -600", "1995-08-21T19:30:57"),
    (b"Mon, 1 Jan 2001 00:00:00 GMT+02:00", "2000-12-31T22:00:00"),
    (b"Sat, 31 Dec 2016 23:59:60 +0000", "2017-01-01T00:00:00"),
    (b"Someday, 1 January 2001 00:00:00 +0000", "2001-01-01T00:00:00"),
    (b"Wed Jul  1 10:00:00 2020", "2020-07-01T10:00:00"),
    (b"2020-07-01T10:00:00Z", "2020-07-01T10:00:00"),
    (b"2020-07-01 10:00:00.5 +0200", "2020-07-01T08:00:00"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "instant"), CASES)
def test_dates_are_read_in_utc(value: bytes, instant: str) -> None:
    assert parse_date(value) == datetime.fromisoformat(instant).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"yesterday",
        b"31 Feb 2020 00:00:00 +0000",
        b"1 Jul 2020 25:00:00 +0000",
        b"1 Jul 1899 00:00:00 +0000",
        b"1 Jul 2020 00:00:00 +9900",
        b"1 Foo 2020 00:00:00 +0000",
        b"31 Dec 9999 23:59:59 -2300",
        b"1 Jan 2020 00:00:00 +00" + b"0" * 1000,
        b"(" * 1000,
    ],
)
def test_nonsense_is_no_date(value: bytes) -> None:
    assert parse_date(value) in (None, datetime(2020, 1, 1, tzinfo=UTC))


@given(
    st.datetimes(datetime(1900, 1, 2), datetime(9999, 12, 30)),
    st.integers(-23 * 60, 23 * 60),
)
def test_a_date_that_was_written_is_read_again(moment: datetime, minutes: int) -> None:
    aware = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_date(format_date(aware).encode()) == aware


@given(st.binary(max_size=60) | st.text("0123456789:+- JanZ,()", max_size=40).map(str.encode))
def test_any_input_is_a_date_or_none(value: bytes) -> None:
    found = parse_date(value)
    assert found is None or found.tzinfo is UTC
