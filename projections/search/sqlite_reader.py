"""Search over SQLite: each answer is one snapshot of the version that is live."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import cast

import apsw

from infra.ports import Clock
from projections.faults import engine_errors
from projections.mailbox.tables import Value, transaction
from projections.search.excerpt import excerpt, matcher, wanted
from projections.search.letters import Letters
from projections.search.paging import Asked, Place, from_token, to_token
from projections.search.plan import Plan, Planner
from projections.search.ports import Found, Hit
from projections.search.query import parse
from projections.search.sqlite_write import load_mailbox, octets
from projections.search.state import Mailbox
from projections.search.tables import connect, first_row, next_first_row
from projections.search.tokens import tokens
from schemas.identity import from_bytes

_COUNTED = 500
"""Matches that are counted; what is beyond is estimated."""
_PATIENCE = 0.01
"""Seconds that counting may take beyond what the page needs."""
_FEW = 300
"""A set of so few messages is walked, and each looked up in the index of words."""

_IN_WORDS = "exists (select 1 from words w where words match ? and w.rowid = d.row)"

_Row = tuple[int, int, bytes, bytes]
"""row, internal date, message_id, mail_id."""


class SqliteSearchReader:
    """Port SearchReader; for any number of threads, each search on a connection of its own."""

    def __init__(self, live: Callable[[], Path], letters: Letters, clock: Clock) -> None:
        """`live` names the file of the live version; it is asked at every search."""
        self._live = live
        self._letters = letters
        self._clock = clock
        self._idle: deque[tuple[Path, apsw.Connection]] = deque()

    @contextmanager
    def _snapshot(self) -> Generator[apsw.Connection]:
        path = self._live()
        with engine_errors(path):
            connection = self._take(path)
            with transaction(connection, "deferred"):
                yield connection
        self._idle.append((path, connection))

    def _take(self, path: Path) -> apsw.Connection:
        while self._idle:
            try:
                kept, connection = self._idle.pop()
            except IndexError:
                break
            if kept == path:
                return connection
            # Another version is live now.
            connection.close()
        return connect(path, readonly=True)

    def close(self) -> None:
        """Close the connections that no search uses."""
        while self._idle:
            self._idle.pop()[1].close()

    def head(self, mailbox_id: str) -> int:
        """Return the seq of the last event that searches see."""
        with self._snapshot() as connection:
            found = connection.execute(
                "select head from mailbox where id = ?", (octets(mailbox_id),)
            ).fetchone()
        return 0 if found is None else cast("int", found[0])

    def search(
        self,
        mailbox_id: str,
        query: str,
        *,
        labels: Sequence[str] = (),
        include_spam: bool = False,
        limit: int = 50,
        page_token: str | None = None,
        excerpts: bool = True,
    ) -> tuple[Found, int]:
        """Return a page of the messages that a query finds, and the head."""
        node = parse(query)
        asked = Asked(mailbox_id, query, frozenset(labels), include_spam)
        behind = from_token(asked, page_token)
        with self._snapshot() as connection:
            mailbox = load_mailbox(connection, mailbox_id)
            if mailbox.row is None:
                return Found((), None, 0), 0
            planner = Planner(mailbox.row, lambda name: _labels(mailbox, name), self._clock())
            numbers = [mailbox.numbers.get(label) for label in sorted(asked.labels)]
            plan = planner.plan(node, numbers, include_spam=include_spam)
            rows = _walk(connection, mailbox, plan, behind)
            page, more = _page(rows, behind, limit)
            if behind is not None:
                estimate = behind.estimate
            else:
                estimate = len(page) + len(more)
                if more:
                    estimate = _estimate(connection, mailbox, rows, page, more)
        token = None
        if more:
            _, date, identifier, _ = page[-1]
            token = to_token(asked, Place(date, identifier, estimate))
        return Found(
            self._hits(page, matcher(wanted(node)) if excerpts else None), token, estimate
        ), mailbox.head

    def _hits(self, page: Sequence[_Row], sought: re.Pattern[str] | None) -> tuple[Hit, ...]:
        ids = [(from_bytes(message), from_bytes(mail)) for _, _, message, mail in page]
        if sought is None:
            return tuple(Hit(message, ()) for message, _ in ids)
        texts = self._letters.texts(ids)
        return tuple(
            Hit(message, excerpt(text, sought))
            for (message, _), text in zip(ids, texts, strict=True)
        )


def _labels(mailbox: Mailbox, name: str) -> Sequence[int]:
    """Return the labels that a name means: without regard to case, accents and punctuation."""
    sought = tokens(name)
    return [
        number
        for label_id, number in mailbox.numbers.items()
        if label_id == name or (sought and tokens(mailbox.labels[number].name) == sought)
    ]


def _walk(
    connection: apsw.Connection, mailbox: Mailbox, plan: Plan, behind: Place | None
) -> Iterator[_Row]:
    """Return the rows that match, newest first, from the millisecond of `behind` on."""
    high = plan.high
    if behind is not None:
        high = min(high, next_first_row(first_row(behind.internal_date)) - 1)
    conditions = [f"({text})" for text, _ in plan.conditions]
    bound = [value for _, values in plan.conditions for value in values]
    sets = [(mailbox.labels[n].total if n in mailbox.labels else 0, n) for n in plan.sets]
    total, number = min(sets, default=(0, 0))
    bindings: list[Value] = []
    if plan.match is not None and (not sets or total > _FEW):
        source = "words w cross join doc d on d.mailbox = ? and d.row = w.rowid"
        conditions = ["words match ?", "w.rowid <= ?", "w.rowid >= ?", *conditions]
        bindings = [mailbox.row, plan.match, high, plan.low, *bound]
        order = "w.rowid"
    elif sets:
        source = "placed p cross join doc d on d.mailbox = p.mailbox and d.row = p.row"
        conditions = ["p.mailbox = ?", "p.label = ?", "p.row <= ?", "p.row >= ?", *conditions]
        bindings = [mailbox.row, number, high, plan.low, *bound]
        order = "p.row"
        if plan.match is not None:
            conditions.append(
                "exists (select 1 from words w where words match ? and w.rowid = d.row)"
            )
            bindings.append(plan.match)
    else:
        source = "doc d"
        conditions = ["d.mailbox = ?", "d.row <= ?", "d.row >= ?", *conditions]
        bindings = [mailbox.row, high, plan.low, *bound]
        order = "d.row"
    statement = (
        f"select d.row, d.internal_date, d.id, d.mail_id from {source}"
        f" where {' and '.join(conditions)} order by {order} desc"
    )
    return cast("Iterator[_Row]", iter(connection.execute(statement, bindings)))


def _order(row: _Row) -> tuple[int, bytes]:
    return -row[1], row[2]


def _page(rows: Iterator[_Row], behind: Place | None, limit: int) -> tuple[list[_Row], list[_Row]]:
    """Return the rows of the page, and what was read behind it; none at the end.

    Rows are in the order of milliseconds: those of one are read whole, then put in order.
    """
    found: list[_Row] = []
    for row in rows:
        if len(found) > limit and row[0] >> 20 != found[-1][0] >> 20:
            found.append(row)
            break
        if behind is None or behind.before(row[1], row[2]):
            found.append(row)
    found.sort(key=_order)
    return found[:limit], found[limit:]


def _estimate(
    connection: apsw.Connection,
    mailbox: Mailbox,
    rows: Iterator[_Row],
    page: Sequence[_Row],
    more: Sequence[_Row],
) -> int:
    """Return how many match: counted as far as that is cheap, then as dense as so far."""
    count = len(page) + len(more)
    deadline = perf_counter() + _PATIENCE
    last = min(row[0] for row in more)
    for row in rows:
        count += 1
        last = row[0]
        if count >= _COUNTED or perf_counter() > deadline:
            break
    else:
        return count
    ends = connection.execute(
        "select (select max(row) from doc where mailbox = ?1),"
        " (select min(row) from doc where mailbox = ?1)",
        (mailbox.row,),
    ).fetchone()
    newest, oldest = cast("tuple[int, int]", ends)
    share = (newest - last) / max(1, newest - oldest)
    guess = int(count / share) if share > 0 else mailbox.messages
    return max(count, min(guess, mailbox.messages))
