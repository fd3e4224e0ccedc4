"""Commands that wait for their time, in the file of the state that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from infra.ports import Due, Output
from infra.sqlite.file import SqliteFile
from infra.sqlite.rows import Column, from_column, to_column

_TABLE = """
create table if not exists timer(
    at integer not null,
    id blob not null,
    topic text not null,
    key blob not null,
    type text not null,
    value blob not null,
    primary key (at, id)
) without rowid;
create unique index if not exists timer_id on timer(id);
"""


class SqliteTimers:
    """Port Timers; writes join the transaction that is open on the file."""

    def __init__(self, file: SqliteFile) -> None:
        """Make the table when it is not there. Raises EngineDown."""
        self._file = file
        with file.write() as c:
            c.execute(_TABLE)

    def set(self, dues: Sequence[Due]) -> None:
        """Keep these; one that is kept already stays as it is. Raises EngineDown."""
        if not dues:
            return
        outputs = [(due.at, Output.of(due.command)) for due in dues]
        with self._file.write() as c:
            c.executemany(
                "insert or ignore into timer values(?,?,?,?,?,?)",
                (
                    (at, to_column(o.event_id), o.topic, to_column(o.key), o.type, o.value)
                    for at, o in outputs
                ),
            )

    def due(self, now: int, limit: int) -> Sequence[Output]:
        """Return up to `limit` commands whose time has come, in their order. Raises EngineDown."""
        with self._file.read() as c:
            rows = c.execute(
                "select topic, key, type, id, value from timer where at<=? order by at, id limit ?",
                (now, limit),
            ).fetchall()
        return [
            Output(topic, from_column(key), kind, from_column(identity), value)
            for topic, key, kind, identity, value in cast(
                "list[tuple[str, Column, str, Column, bytes]]", rows
            )
        ]

    def done(self, command_ids: Sequence[str]) -> None:
        """Forget commands that were given. Raises EngineDown."""
        with self._file.write() as c:
            c.executemany("delete from timer where id=?", ((to_column(i),) for i in command_ids))

    def next(self) -> int | None:
        """Return the earliest time that is waited for. Raises EngineDown."""
        with self._file.read() as c:
            return cast("int | None", c.execute("select min(at) from timer").get)
