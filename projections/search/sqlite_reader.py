"""Search over SQLite: each answer is one snapshot of the version that is live."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from heapq import heappop, heappush, heapreplace
from pathlib import Path
from time import thread_time
from typing import cast

import apsw

from infra.ports import Clock
from mail.query.language import parse
from mail.query.tokens import tokens
from projections.faults import engine_errors
from projections.mailbox.tables import Value, transaction
from projections.search.excerpt import excerpt, matcher, wanted
from projections.search.letters import Letters
from projections.search.neighbours import holds, row_of
from projections.search.paging import Asked, Place, from_token, to_token
from projections.search.plan import Plan, Planner, within
from projections.search.ports import Found, Hit
from projections.search.sqlite_write import load_mailbox, octets
from projections.search.state import Mailbox
from projections.search.tables import connect, first_row, next_first_row, words_of
from schemas.identity import from_bytes

_COUNTED = 500
"""Matches that are counted; what is beyond is estimated."""
_PATIENCE = 0.005
"""Seconds of CPU from the beginning of a search after which nothing is counted any more."""
_FEW = 300
"""A set of so few messages is walked, and each looked up in the index of words."""

_Row = tuple[int, int, bytes, bytes, int]
"""row, internal date, message_id, mail_id, shard."""

_Walk = Iterator[_Row | None]
"""Rows that match, newest first; None where there was work and no row yet."""

_Ask = tuple[int, Callable[[], Iterator[_Row]]]
"""No row of a shard is above; asks it for its rows, newest first."""

_WORDS = "?words"
"""Stands in a statement for the table of words of a shard."""


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
            # No cursor is left when it returns: one would keep the connection at this snapshot.
            page, more, estimate = _answer(connection, mailbox, plan, behind, limit)
        token = None
        if more:
            _, date, identifier, _, _ = page[-1]
            token = to_token(asked, Place(date, identifier, estimate))
        sought = matcher(wanted(node)) if excerpts else None
        return Found(self._hits(page, sought), token, estimate), mailbox.head

    def _hits(self, page: Sequence[_Row], sought: re.Pattern[str] | None) -> tuple[Hit, ...]:
        ids = [(from_bytes(message), from_bytes(mail)) for _, _, message, mail, _ in page]
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


def _answer(
    connection: apsw.Connection, mailbox: Mailbox, plan: Plan, behind: Place | None, limit: int
) -> tuple[Sequence[_Row], bool, int]:
    """Return the rows of a page, whether there are more, and the estimate."""
    deadline = thread_time() + _PATIENCE
    rows = _walk(connection, mailbox, plan, behind)
    page, more = _page(rows, behind, limit)
    if behind is not None:
        return page, bool(more), behind.estimate
    if not more:
        return page, False, len(page)
    return page, True, _estimate(connection, mailbox, rows, page, more, deadline)


def _walk(connection: apsw.Connection, mailbox: Mailbox, plan: Plan, behind: Place | None) -> _Walk:
    """Return the rows that match, newest first, from the millisecond of `behind` on."""
    high = plan.high
    if behind is not None:
        high = min(high, next_first_row(first_row(behind.internal_date)) - 1)
    values = {**plan.values, "box": mailbox.row, "low": plan.low, "high": high}
    shards: list[tuple[int, int, int | None]] = []
    if plan.of_words:
        found = connection.execute(
            "select number, high, mailbox from shard where high >= :low and low <= :high"
            " and (mailbox is null or mailbox = :box) order by high desc",
            values,
        )
        shards = [cast("tuple[int, int, int | None]", row) for row in found]
    sets = [(mailbox.labels[n].total if n in mailbox.labels else 0, n) for n in plan.sets]
    total, number = min(sets, default=(0, 0))
    if plan.match is not None and (not sets or total > _FEW):
        return _merged(_in_shards(connection, plan, values, shards))
    tables = [words_of(n) for n, _, _ in shards]
    if not sets:
        statement = _statement(plan, "doc d", "d.row", tables, ["d.mailbox = :box"])
        return _rows(connection, statement, values)
    statement = _statement(
        plan,
        "placed p cross join doc d on d.mailbox = p.mailbox and d.row = p.row",
        "p.row",
        tables,
        ["p.mailbox = :box", f"p.label = {number}"],
    )
    rows = _rows(connection, statement, values)
    return rows if plan.match is None else _matching(connection, plan.match, rows)


def _statement(
    plan: Plan, source: str, row: str, tables: Sequence[str], more: Sequence[str]
) -> str:
    """Return a walk over `source` by the column `row`, newest first."""
    conditions = [
        f"{row} <= :high",
        f"{row} >= :low",
        *more,
        *(f"({within(c, tables)})" for c in plan.conditions),
    ]
    return (
        f"select d.row, d.internal_date, d.id, d.mail_id, d.shard from {source}"
        f" where {' and '.join(conditions)} order by {row} desc"
    )


def _rows(
    connection: apsw.Connection, statement: str, values: Mapping[str, Value]
) -> Iterator[_Row]:
    return cast("Iterator[_Row]", iter(connection.execute(statement, values)))


def _in_shards(
    connection: apsw.Connection,
    plan: Plan,
    values: Mapping[str, Value],
    shards: Sequence[tuple[int, int, int | None]],
) -> list[_Ask]:
    """Return for each of (number, no row is above, mailbox) how it is asked for its matches."""
    statement = _statement(
        plan,
        f"{_WORDS} w cross join doc d on d.mailbox = :box and d.row = w.rowid",
        "w.rowid",
        [_WORDS],
        [f"{_WORDS} match :match"],
    )
    mixed, alone = {**values, "match": plan.match}, {**values, "match": plan.alone}

    def rows(shard: int, box: int | None) -> Iterator[_Row]:
        if not plan.may_match(partial(_may_have, connection, shard)):
            return iter(())
        asked = statement.replace(_WORDS, words_of(shard))
        return _rows(connection, asked, mixed if box is None else alone)

    return [(top, partial(rows, n, box)) for n, top, box in shards]


def _may_have(connection: apsw.Connection, shard: int, run: int) -> bool:
    found = connection.execute(
        "select bits from neighbours where id = ?", (row_of(shard, run),)
    ).fetchone()
    return found is None or holds(cast("bytes", found[0]), run)


def _merged(shards: Sequence[_Ask]) -> _Walk:
    """Merge what shards give, newest first; each is asked when its newest row may be next.

    `shards` are by their first descending.
    """
    heap: list[tuple[int, _Row, Iterator[_Row]]] = []
    waiting = deque(shards)
    while heap or waiting:
        while waiting and (not heap or waiting[0][0] >= -heap[0][0]):
            rows = waiting.popleft()[1]()
            for row in rows:
                heappush(heap, (-row[0], row, rows))
                break
            yield None
        if not heap:
            continue
        _, row, rows = heap[0]
        yield row
        following = next(rows, None)
        if following is None:
            heappop(heap)
        else:
            heapreplace(heap, (-following[0], following, rows))


def _matching(connection: apsw.Connection, match: str, rows: Iterator[_Row]) -> Iterator[_Row]:
    """Yield those of a few rows whose words match, each looked up alone."""
    # All first: a statement that is run again while its rows are read ends.
    for row in list(rows):
        words = words_of(row[4])
        found = connection.execute(
            f"select 1 from {words} where {words} match ? and rowid = ?", (match, row[0])
        ).fetchone()
        if found is not None:
            yield row


def _order(row: _Row) -> tuple[int, bytes]:
    return -row[1], row[2]


def _page(rows: _Walk, behind: Place | None, limit: int) -> tuple[list[_Row], list[_Row]]:
    """Return the rows of the page, and what was read behind it; none at the end.

    Rows are in the order of milliseconds: those of one are read whole, then put in order.
    """
    found: list[_Row] = []
    for row in filter(None, rows):
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
    rows: _Walk,
    page: Sequence[_Row],
    more: Sequence[_Row],
    deadline: float,
) -> int:
    """Return how many match: counted as far as that is cheap, then as dense as so far."""
    count = len(page) + len(more)
    last = min(row[0] for row in more)
    for row in rows:
        if row is not None:
            count += 1
            last = row[0]
        if count >= _COUNTED or thread_time() > deadline:
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
