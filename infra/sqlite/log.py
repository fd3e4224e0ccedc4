"""The log in SQLite: a table a topic, one sequence of offsets each, positions beside them."""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import cast

import apsw

from infra.ports import Clock, Output, Position, Record, Wake
from infra.sqlite.file import SqliteFile
from infra.sqlite.reader import SqliteReader
from infra.sqlite.rows import PARTITION, RecordRow, chosen, having, to_column, to_record
from schemas.topics import TOPICS

_TABLES = """
create table if not exists log_topic(
    name text primary key,
    next integer not null,         -- offset of the next record
    recorded_at integer not null   -- of the last one, kept when that is trimmed away
);
create table if not exists log_type(id integer primary key, name text not null unique);
create table if not exists log_position(
    consumer text not null,
    topic text not null,
    next integer not null,
    primary key (consumer, topic)
) without rowid;
"""

# The small columns stand before the value, so that reading them touches no overflow page.
_TOPIC_TABLE = """
create table if not exists {table}(
    "offset" integer primary key,
    key blob not null,
    type integer not null,
    event_id blob not null,
    recorded_at integer not null,
    value blob not null
);
"""

_TRIM_STEP = 2000
"""Records deleted in one transaction, so that writers get between."""


def table_of(topic: str) -> str:
    """Return the table of a topic. Raises KeyError for one that is not in the topic table."""
    return "log_" + TOPICS[topic].name.replace(".", "_")


class SqliteTransaction:
    """Outputs, state and positions that get durable together."""

    def __init__(self, log: SqliteLog, connection: apsw.Connection) -> None:
        self._log = log
        self.connection = connection
        """For stores whose tables are in the same file."""

    def append(self, outputs: Sequence[Output]) -> None:
        """Append in order."""
        self._log.append(outputs)

    def commit_position(self, group: str, topic: str, position: Position) -> None:
        """Set how far `group` has come."""
        self.connection.execute(
            "insert into log_position values(?,?,?) on conflict do update set next=excluded.next",
            (group, topic, position.get(PARTITION, 0)),
        )


class SqliteLog:
    """The event log of the embedded profile (port TransactionalLog)."""

    def __init__(self, file: SqliteFile, clock: Clock, wake: Wake) -> None:
        """Make the tables that are not there. Raises EngineDown."""
        self.file = file
        self._clock = clock
        self._wake = wake
        self._types: dict[str, int] = {}
        with file.write() as c:
            c.execute(_TABLES)
            for topic in TOPICS.values():
                table = table_of(topic.name)
                c.execute(_TOPIC_TABLE.format(table=table))
                # A mail_id ascends with time, so its index grows at its end and costs little; a
                # mailbox_id would scatter over it, and nobody asks for all records of a mailbox.
                if topic.key == "mail_id":
                    c.execute(f"create index if not exists {table}_key on {table}(key)")
                c.execute("insert or ignore into log_topic values(?, 0, 0)", (topic.name,))

    # -- writing

    def append(self, outputs: Sequence[Output]) -> None:
        """Append in order, all or none, durable on return (or with the transaction around it)."""
        if not outputs:
            return
        with self.file.write() as c:
            now = self._clock()
            # Order is per topic: records of different topics are in no order to a reader.
            by_topic = sorted(outputs, key=lambda o: o.topic)
            for topic, group in groupby(by_topic, key=lambda o: o.topic):
                self._append(c, topic, list(group), now)
                self.file.after_commit(lambda topic=topic: self._wake.notify(topic))

    def _append(self, c: apsw.Connection, topic: str, outputs: list[Output], now: int) -> None:
        table = table_of(topic)
        first, last = cast(
            "tuple[int, int]",
            c.execute("select next, recorded_at from log_topic where name=?", (topic,)).fetchone(),
        )
        recorded_at = max(now, last)
        c.executemany(
            f"insert into {table} values(?,?,?,?,?,?)",
            (
                (
                    first + n,
                    to_column(o.key),
                    self._type(c, o.type),
                    to_column(o.event_id),
                    recorded_at,
                    o.value,
                )
                for n, o in enumerate(outputs)
            ),
        )
        c.execute(
            "update log_topic set next=?, recorded_at=? where name=?",
            (first + len(outputs), recorded_at, topic),
        )

    def _type(self, c: apsw.Connection, name: str) -> int:
        known = self._types.get(name)
        if known is not None:
            return known
        c.execute("insert or ignore into log_type(name) values(?)", (name,))
        number = cast("int", c.execute("select id from log_type where name=?", (name,)).get)
        self._types[name] = number
        self.file.after_rollback(self._types.clear)
        return number

    @contextmanager
    def transaction(self) -> Generator[SqliteTransaction]:
        """Begin a transaction; state stores of the same file write inside it. Raises EngineDown."""
        with self.file.write() as c:
            yield SqliteTransaction(self, c)

    def trim(self, topic: str, position: Position) -> None:
        """Delete the records of `topic` before a position. Raises EngineDown."""
        before = min(position.get(PARTITION, 0), self.end(topic)[PARTITION])
        while (first := self.begin(topic)[PARTITION]) < before:
            until = min(before, first + _TRIM_STEP)
            with self.file.write() as c:
                c.execute(f'delete from {table_of(topic)} where "offset" < ?', (until,))

    # -- reading

    def reader(self, topic: str, position: Position) -> SqliteReader:
        """Return a reader of `topic` that begins at `position`. Raises EngineDown."""
        return SqliteReader(
            self.file, topic, table_of(topic), position.get(PARTITION, 0), self._wake.listen(topic)
        )

    def end(self, topic: str) -> Position:
        """Return the position behind the last record. Raises EngineDown."""
        with self.file.read() as c:
            row = c.execute("select next from log_topic where name=?", (topic,))
            return {PARTITION: cast("int", row.get)}

    def begin(self, topic: str) -> Position:
        """Return the position of the first record still kept. Raises EngineDown."""
        with self.file.read() as c:
            first = cast(
                "int | None", c.execute(f'select min("offset") from {table_of(topic)}').get
            )
        return self.end(topic) if first is None else {PARTITION: first}

    def position_at(self, topic: str, time: int) -> Position:
        """Return the position of the first record recorded at or after `time` (microseconds)."""
        table = table_of(topic)
        with self.file.read() as c:
            low, high = self.begin(topic)[PARTITION], self.end(topic)[PARTITION]
            # recorded_at never runs backwards within a topic, so no index on it is needed.
            while low < high:
                middle = (low + high) // 2
                at = cast(
                    "int",
                    c.execute(f'select recorded_at from {table} where "offset"=?', (middle,)).get,
                )
                if at >= time:
                    high = middle
                else:
                    low = middle + 1
        return {PARTITION: low}

    def find(self, topic: str, key: str) -> Sequence[Record]:
        """Return all records of a mail, in order. Raises EngineDown.

        Raises ValueError for a topic that is not keyed by mail_id.
        """
        if TOPICS[topic].key != "mail_id":
            raise ValueError(f"{topic} is not keyed by mail_id")
        with self.file.read() as c:
            rows = c.execute(
                'select "offset", key, t.name, event_id, recorded_at, value '
                f"from {table_of(topic)} r join log_type t on t.id = r.type "
                'where key=? order by "offset"',
                (to_column(key),),
            )
            return [to_record(topic, cast("RecordRow", row)) for row in rows]

    def having(self, topic: str, keys: Collection[str]) -> frozenset[str]:
        """Return those of `keys` (mail_ids) that have a record in `topic`. Raises EngineDown."""
        with self.file.read() as c:
            return frozenset(having(c, table_of(topic), "key", keys))

    def read_at(self, topic: str, offsets: Sequence[int]) -> Sequence[Record]:
        """Return the records at some offsets, in order. Raises EngineDown.

        Raises LookupError when one of them is not in the log.
        """
        with self.file.read() as c:
            rows = chosen(
                c,
                'select "offset", key, t.name, event_id, recorded_at, value '
                f"from {table_of(topic)} r cross join log_type t on t.id = r.type "
                'where "offset" in ',
                offsets,
            )
            found = {row[0]: to_record(topic, cast("RecordRow", row)) for row in rows}
        if lost := [offset for offset in offsets if offset not in found]:
            raise LookupError(f"{topic} has no offset {lost[0]}")
        return [found[offset] for offset in offsets]

    def committed(self, group: str, topic: str) -> Position:
        """Return how far a consumer group has come, {} when it never was here."""
        with self.file.read() as c:
            row = c.execute(
                "select next from log_position where consumer=? and topic=?", (group, topic)
            ).fetchone()
        return {} if row is None else {PARTITION: cast("int", row[0])}
