"""The queue in a SQLite file of its own, which holds nothing that the log has not."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import cast

import apsw

from infra.ports import Backlog, Position, Record
from schemas.codec import CodecError, decode_as, encode
from schemas.events import Attempted, Submitted
from schemas.identity import to_bytes
from streams.outbound.queue import Item, State, entered, evolve

_TABLES = """
create table if not exists item(
  id blob primary key,
  mail_id blob not null,
  domain text not null,
  state text not null,
  attempts integer not null,
  next_at integer not null,
  submitted_at integer not null,
  released integer not null,
  outcome text not null,
  code integer not null,
  enhanced text not null,
  reason text not null,
  submitted blob not null          -- empty once it is done
) without rowid;
create index if not exists item_next on item(state, next_at);
create index if not exists item_mail on item(mail_id);
create table if not exists folded(topic text primary key, position text not null) without rowid;
"""
_COLUMNS = "state, attempts, next_at, released, outcome, code, enhanced, reason, submitted"
_Row = tuple[State, int, int, int, str, int, str, str, bytes]

Write = Callable[[], AbstractContextManager[apsw.Connection]]
"""Opens a transaction on the file, for writing."""


class SqliteQueue:
    """Satisfies QueueStore; `write` and `read` open the file, and raise EngineDown."""

    def __init__(self, write: Write, read: Write) -> None:
        self._write = write
        self._read = read
        with write() as c:
            c.execute(_TABLES)

    def position(self, topic: str) -> Position:
        """Return how far a topic is folded."""
        with self._read() as c:
            return _position(c, topic)

    def fold(
        self, topic: str, before: Position, records: Sequence[Record], after: Position
    ) -> bool:
        """Fold records that follow `before` and move the position to `after`, as one."""
        with self._write() as c:
            if _position(c, topic) != _begun(before):
                return False
            for record in records:
                _apply(c, record)
            kept = json.dumps({str(p): offset for p, offset in _begun(after).items()})
            c.execute("insert or replace into folded values(?,?)", (topic, kept))
            return True

    def due(
        self, now: int, ids: Collection[str], domains: Collection[str], limit: int
    ) -> Sequence[Item]:
        """Return up to `limit` items whose time has come, the earliest first."""
        with self._read() as c:
            rows = c.execute(
                f"select {_COLUMNS} from item where state in ('waiting','held') and next_at<=?"
                f" and id not in ({_marks(ids)}) and domain not in ({_marks(domains)})"
                " order by next_at, id limit ?",
                (now, *(to_bytes(i) for i in ids), *domains, limit),
            )
            return [_item(cast("_Row", row)) for row in rows]

    def next(self, now: int) -> int | None:
        """Return the earliest time after `now` that an item waits for."""
        with self._read() as c:
            return cast(
                "int | None",
                c.execute(
                    "select min(next_at) from item where state in ('waiting','held') and next_at>?",
                    (now,),
                ).get,
            )

    def item(self, submission_id: str) -> Item | None:
        """Return an item that is not done."""
        found = self._items("and id=?", (to_bytes(submission_id),))
        return found[0] if found else None

    def items(self) -> Sequence[Item]:
        """Return all items that are not done, the earliest first."""
        return self._items("", ())

    def of_mail(self, mail_id: str) -> Sequence[Item]:
        """Return the items of a mail that are not done."""
        return self._items("and mail_id=?", (to_bytes(mail_id),))

    def backlog(self) -> Backlog:
        """Return the backlog."""
        with self._read() as c:
            depth, held, oldest = cast(
                "tuple[int, int, int]",
                c.execute(
                    "select coalesce(sum(state='waiting'), 0), coalesce(sum(state='held'), 0),"
                    " coalesce(min(case state when 'waiting' then submitted_at end), 0)"
                    " from item where state in ('waiting','held')"
                ).fetchone(),
            )
        return Backlog(depth, held, oldest)

    def _items(self, where: str, values: tuple[object, ...]) -> Sequence[Item]:
        with self._read() as c:
            rows = c.execute(
                f"select {_COLUMNS} from item where state in ('waiting','held') {where}"
                " order by submitted_at, id",
                cast("tuple[bytes, ...]", values),
            )
            return [_item(cast("_Row", row)) for row in rows]


def _marks(values: Iterable[object]) -> str:
    return ",".join("?" for _ in values)


def _begun(position: Position) -> Position:
    """Return a position without the partitions of which nothing is read: {} is the start."""
    return {partition: offset for partition, offset in position.items() if offset}


def _position(c: apsw.Connection, topic: str) -> Position:
    row = c.execute("select position from folded where topic=?", (topic,)).fetchone()
    if row is None:
        return {}
    kept = cast("dict[str, int]", json.loads(cast("str", row[0])))
    return {int(p): offset for p, offset in kept.items()}


def _apply(c: apsw.Connection, record: Record) -> None:
    try:
        event = record.decode()
    except CodecError:
        # What nobody can read asks for nothing; `doctor` and `events` tell of it.
        return
    if isinstance(event, Submitted):
        known = c.execute("select 1 from item where id=?", (to_bytes(event.event_id),))
        if known.fetchone() is None:
            _put(c, entered(event))
    elif isinstance(event, Attempted):
        row = c.execute(
            f"select {_COLUMNS} from item where id=?", (to_bytes(event.submission_id),)
        ).fetchone()
        if row is not None and row[0] != "done":
            _put(c, evolve(_item(cast("_Row", row)), event))


def _put(c: apsw.Connection, item: Item) -> None:
    s = item.submitted
    c.execute(
        "insert or replace into item values(?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            to_bytes(item.id),
            to_bytes(s.mail_id),
            s.target_domain,
            item.state,
            item.attempts,
            item.next_at,
            s.occurred_at,
            item.released,
            item.outcome,
            item.code,
            item.enhanced,
            item.reason,
            b"" if item.state == "done" else encode(s),
        ),
    )


def _item(row: _Row) -> Item:
    state, attempts, next_at, released, outcome, code, enhanced, reason, submitted = row
    return Item(
        submitted=decode_as(Submitted, submitted),
        state=state,
        attempts=attempts,
        next_at=next_at,
        released=bool(released),
        outcome=outcome,
        code=code,
        enhanced=enhanced,
        reason=reason,
    )
