"""Dead letters: what a stage could not take, and what waits behind it, key by key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import apsw

from infra.ports import DeadLetter, Record
from infra.sqlite.file import SqliteFile
from infra.sqlite.rows import Column, from_column, to_column

_TABLE = """
create table if not exists dead_letter(
    id integer primary key autoincrement,
    stage text not null,
    topic text not null,
    partition integer not null,
    "offset" integer not null,
    key blob not null,
    type text not null,
    event_id blob not null,
    recorded_at integer not null,
    value blob not null,
    error text not null,
    attempts integer not null,
    first_at integer not null,
    last_at integer not null,
    state text not null,
    unique (stage, topic, partition, "offset")
);
create index if not exists dead_letter_key on dead_letter(stage, key);
"""

_COLUMNS = (
    'id, stage, topic, partition, "offset", key, type, event_id, recorded_at, value, '
    "error, attempts, first_at, last_at, state"
)

_State = Literal["dead", "waiting", "retry"]
_Row = tuple[int, str, str, int, int, Column, str, Column, int, bytes, str, int, int, int, _State]


def _letter(row: _Row) -> DeadLetter:
    id, stage, topic, partition, offset, key, kind, event_id, at, value, *rest = row
    error, attempts, first_at, last_at, state = cast("tuple[str, int, int, int, _State]", rest)
    return DeadLetter(
        id=id,
        stage=stage,
        record=Record(
            topic, partition, offset, from_column(key), kind, from_column(event_id), at, value
        ),
        error=error,
        attempts=attempts,
        first_at=first_at,
        last_at=last_at,
        state=state,
    )


class SqliteDeadLetters:
    """Dead letters in the file of the stages' state (port DeadLetters).

    All calls join the transaction that is open on the file.
    """

    def __init__(self, file: SqliteFile) -> None:
        """Make the table when it is not there. Raises EngineDown."""
        self._file = file
        with file.write() as c:
            c.execute(_TABLE)

    def park(self, stage: str, record: Record, error: str, now: int) -> None:
        """Keep a record; `error` is a code and a type, "" when it only waits behind another.

        A record that is parked already stays as it is. Raises EngineDown.
        """
        key = to_column(record.key)
        with self._file.write() as c:
            # Behind letters that are being tried again it is tried again with them, or nobody
            # would ever come for it.
            retrying = c.execute(
                "select 1 from dead_letter where stage=? and key=? and state='retry' limit 1",
                (stage, key),
            ).fetchone()
            state: _State = "retry" if retrying else "dead" if error else "waiting"
            c.execute(
                'insert into dead_letter(stage, topic, partition, "offset", key, type, event_id, '
                "recorded_at, value, error, attempts, first_at, last_at, state) "
                "values(?,?,?,?,?,?,?,?,?,?,?,?,?,?) on conflict do nothing",
                (
                    stage,
                    record.topic,
                    record.partition,
                    record.offset,
                    key,
                    record.type,
                    to_column(record.event_id),
                    record.recorded_at,
                    record.value,
                    error,
                    1 if error else 0,
                    now,
                    now,
                    state,
                ),
            )

    def blocked(self, stage: str, keys: Sequence[str]) -> frozenset[str]:
        """Return those of `keys` that have records parked. Raises EngineDown."""
        with self._file.read() as c:
            # Nothing is parked nearly always: one look then answers for all keys.
            if c.execute("select 1 from dead_letter where stage=? limit 1", (stage,)).get is None:
                return frozenset()
            return frozenset(
                key
                for key in keys
                if c.execute(
                    "select 1 from dead_letter where stage=? and key=? limit 1",
                    (stage, to_column(key)),
                ).get
            )

    def list(self, stage: str | None = None) -> Sequence[DeadLetter]:
        """Return what is parked, in order. Raises EngineDown."""
        with self._file.read() as c:
            rows = c.execute(
                f"select {_COLUMNS} from dead_letter where ?1 is null or stage=?1 order by id",
                (stage,),
            )
            return [_letter(cast("_Row", row)) for row in rows]

    def retry(self, ids: Sequence[int] | None) -> int:
        """Mark the keys of these letters (None: of all) to be tried again.

        Return how many letters are marked. Raises EngineDown.
        """
        with self._file.write() as c:
            before = c.total_changes()
            if ids is None:
                c.execute("update dead_letter set state='retry'")
            else:
                c.executemany(
                    "update dead_letter set state='retry' where state<>'retry' and (stage, key) in "
                    "(select stage, key from dead_letter where id=?)",
                    ((i,) for i in ids),
                )
            return c.total_changes() - before

    def retryable(self, stage: str) -> Sequence[DeadLetter]:
        """Return the letters of keys marked for another try, in order. Raises EngineDown."""
        with self._file.read() as c:
            rows = c.execute(
                f"select {_COLUMNS} from dead_letter where stage=? and state='retry' order by id",
                (stage,),
            )
            return [_letter(cast("_Row", row)) for row in rows]

    def failed(self, id: int, error: str, now: int) -> None:
        """The letter failed again; its key is blocked as before. Raises EngineDown."""
        with self._file.write() as c:
            c.execute(
                "update dead_letter set error=?, attempts=attempts+1, last_at=? where id=?",
                (error, now, id),
            )
            self._block(c, id)

    def _block(self, c: apsw.Connection, id: int) -> None:
        c.execute(
            "update dead_letter set state=iif(error='', 'waiting', 'dead') where (stage, key) in "
            "(select stage, key from dead_letter where id=?)",
            (id,),
        )

    def done(self, id: int) -> None:
        """The letter was processed; its key is free when none is left. Raises EngineDown."""
        with self._file.write() as c:
            c.execute("delete from dead_letter where id=?", (id,))
