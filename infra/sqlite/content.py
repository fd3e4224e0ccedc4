"""Content by mail_id. Beside the log in one file, a Received is not stored twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, cast

import msgspec

from infra.ports import Content, Record
from infra.sqlite.file import SqliteFile
from infra.sqlite.log import SqliteLog
from infra.sqlite.rows import chosen, from_column, having, to_column
from schemas.topics import MAIL_RECEIVED

_TABLE = """
create table if not exists content(
    number integer primary key,
    mail_id blob not null,
    received blob not null,
    authenticated blob not null,
    scored blob not null,
    digest blob not null
);
create unique index if not exists content_mail on content(mail_id);
"""


class Placed(Protocol):
    """How the row of a mail holds its Received."""

    @property
    def file(self) -> SqliteFile:
        """The file that has the rows."""
        ...

    def pack(self, received: Record) -> bytes | int:
        """Return what stands in the row."""
        ...

    def unpack(self, packed: Sequence[bytes | int]) -> Sequence[Record]:
        """Return the records that such stand for, in order."""
        ...


class InLog:
    """The row holds the offset: the log of the same file has the record."""

    def __init__(self, log: SqliteLog) -> None:
        self._log = log

    @property
    def file(self) -> SqliteFile:
        """The file of the log."""
        return self._log.file

    def pack(self, received: Record) -> bytes | int:
        """Return the offset."""
        return received.offset

    def unpack(self, packed: Sequence[bytes | int]) -> Sequence[Record]:
        """Read the log. Raises LookupError when a record is not in it."""
        return self._log.read_at(MAIL_RECEIVED, cast("Sequence[int]", packed))


class InRow:
    """The row holds the record itself: the log is another engine's."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    @property
    def file(self) -> SqliteFile:
        """The file of the rows."""
        return self._file

    def pack(self, received: Record) -> bytes | int:
        """Return the record in MessagePack."""
        return msgspec.msgpack.encode(received)

    def unpack(self, packed: Sequence[bytes | int]) -> Sequence[Record]:
        """Return the records in MessagePack."""
        return [msgspec.msgpack.decode(cast("bytes", one), type=Record) for one in packed]


class SqliteContent:
    """The content store (port ContentStore); writes join the transaction open on its file."""

    def __init__(self, placed: Placed) -> None:
        """Make the table when it is not there. Raises EngineDown."""
        self._placed = placed
        self._file = placed.file
        with self._file.write() as c:
            c.execute(_TABLE)

    def put(self, contents: Mapping[str, Content]) -> Mapping[str, Content]:
        """Store what is absent; return for each mail_id what is stored now. Raises EngineDown."""
        with self._file.write() as c:
            before = c.total_changes()
            c.executemany(
                "insert or ignore into content(mail_id, received, authenticated, scored, digest) "
                "values(?,?,?,?,?)",
                (
                    (
                        to_column(mail_id),
                        self._placed.pack(content.received),
                        content.authenticated,
                        content.scored,
                        content.digest,
                    )
                    for mail_id, content in contents.items()
                ),
            )
            if c.total_changes() - before == len(contents):
                return contents
            return self.get(tuple(contents))

    def remove(self, mail_ids: Sequence[str]) -> None:
        """Forget mails that are erased everywhere. Raises EngineDown."""
        if mail_ids:
            with self._file.write() as c:
                c.executemany(
                    "delete from content where mail_id=?", ((to_column(i),) for i in mail_ids)
                )

    def get(self, mail_ids: Sequence[str]) -> Mapping[str, Content]:
        """Return the content of those that are there. Raises EngineDown."""
        with self._file.read() as c:
            columns = [to_column(mail_id) for mail_id in mail_ids]
            rows = list(
                chosen(
                    c,
                    "select mail_id, received, authenticated, scored, digest from content"
                    " where mail_id in ",
                    columns,
                )
            )
            records = self._placed.unpack([row[1] for row in rows])
        return {
            from_column(mail_id): Content(record, *judgement)
            for (mail_id, _, *judgement), record in zip(rows, records, strict=True)
        }

    def having(self, mail_ids: Collection[str]) -> frozenset[str]:
        """Return those of `mail_ids` that are there. Raises EngineDown."""
        with self._file.read() as c:
            return frozenset(having(c, "content", "mail_id", mail_ids))
