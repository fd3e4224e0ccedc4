"""Which mail needs which large part: plain rows, written before the event that names the part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from infra.sqlite.file import SqliteFile
from infra.sqlite.rows import Column, from_column, to_column

_TABLE = """
create table if not exists part_reference(
    part blob not null,
    mail_id blob not null,
    primary key (part, mail_id)
) without rowid;
create index if not exists part_reference_mail on part_reference(mail_id);
create table if not exists part_garbage(
    part blob primary key,
    age integer not null,        -- of the file when it was marked, nanoseconds
    marked_at integer not null   -- microseconds
) without rowid;
"""


class SqliteReferences:
    """References from mails to parts, in log.db or beside another engine's log in state.db."""

    def __init__(self, file: SqliteFile) -> None:
        """Make the table when it is not there. Raises EngineDown."""
        self._file = file
        with file.write() as c:
            c.execute(_TABLE)

    def add(self, mail_id: str, names: Sequence[bytes]) -> None:
        """Note that a mail needs these parts. Durable on return. Raises EngineDown."""
        mail = to_column(mail_id)
        with self._file.write() as c:
            c.executemany(
                "insert or ignore into part_reference values(?,?)", ((n, mail) for n in names)
            )

    def remove(self, mail_id: str) -> Sequence[bytes]:
        """Forget what a mail needs; return the parts that no mail needs now. Raises EngineDown."""
        mail = to_column(mail_id)
        with self._file.write() as c:
            names = [
                cast("bytes", row[0])
                for row in c.execute("select part from part_reference where mail_id=?", (mail,))
            ]
            c.execute("delete from part_reference where mail_id=?", (mail,))
            return [n for n in names if not self.needed(n)]

    def release(
        self, mail_ids: Sequence[str], age_of: Callable[[bytes], int | None], now: int
    ) -> None:
        """Forget what mails need, and mark the parts that no mail needs now. Raises EngineDown.

        `age_of` is asked for the age of each such part; None says that it is gone.
        """
        with self._file.write():
            for mail_id in mail_ids:
                for name in self.remove(mail_id):
                    age = age_of(name)
                    if age is not None:
                        self.mark(name, age, now)

    def mark(self, name: bytes, age: int, now: int) -> None:
        """Mark a part as garbage from now on. Raises EngineDown."""
        with self._file.write() as c:
            c.execute("insert or replace into part_garbage values(?,?,?)", (name, age, now))

    def unmark(self, name: bytes) -> None:
        """Take a mark off. Raises EngineDown."""
        with self._file.write() as c:
            c.execute("delete from part_garbage where part=?", (name,))

    def marked(self, until: int) -> Sequence[tuple[bytes, int]]:
        """Return (part, age) of what was marked at or before `until`. Raises EngineDown."""
        with self._file.read() as c:
            rows = c.execute(
                "select part, age from part_garbage where marked_at<=? order by part", (until,)
            ).fetchall()
        return [cast("tuple[bytes, int]", row) for row in rows]

    def first_mark(self) -> int | None:
        """Return when the part was marked that was marked first. Raises EngineDown."""
        with self._file.read() as c:
            return cast("int | None", c.execute("select min(marked_at) from part_garbage").get)

    def needed(self, name: bytes) -> bool:
        """Say whether any mail needs a part. Raises EngineDown."""
        with self._file.read() as c:
            row = c.execute("select 1 from part_reference where part=? limit 1", (name,))
            return row.fetchone() is not None

    def mails(self, name: bytes) -> Sequence[str]:
        """Return the mails that need a part. Raises EngineDown."""
        with self._file.read() as c:
            rows = c.execute(
                "select mail_id from part_reference where part=? order by mail_id", (name,)
            )
            return [from_column(cast("Column", row[0])) for row in rows]
