"""The rows of a version without the keys that its store gave out, for comparing two stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import apsw
import msgspec

from projections.mailbox.tables import Value
from projections.ports import BUCKETS, Row
from schemas.identity import from_bytes

_unpack = msgspec.msgpack.decode

# table -> (columns of the key, columns of the values, from). `sz` is how many tokens FTS5 has of
# each column: a document whose words are not in the index differs from one whose words are.
_TABLES: dict[str, tuple[str, str, str]] = {
    "mailbox": ("", "b.head, b.messages", "mailbox b"),
    "label": (
        "x.number",
        "x.id, x.deleted, x.total, x.name",
        "label x join mailbox b on b.row = x.mailbox",
    ),
    "doc": (
        "x.id",
        "x.mail_id, x.internal_date, x.size, x.bits, x.labels, x.hash,"
        " (select z.sz from words_docsize z where z.id = x.row)",
        "doc x join mailbox b on b.row = x.mailbox",
    ),
    "placed": (
        "x.label, (select d.id from doc d where d.mailbox = x.mailbox and d.row = x.row)",
        "",
        "placed x join mailbox b on b.row = x.mailbox",
    ),
}


def _plain(value: Value) -> object:
    return from_bytes(value) if isinstance(value, bytes) and len(value) == 16 else value


def _row(table: str, width: int, mailbox_id: bytes, columns: tuple[Value, ...]) -> Row:
    key = cast("tuple[str | int, ...]", tuple(map(_plain, columns[:width])))
    values = list(columns[width:])
    text = ""
    if table == "label":
        text = str(values.pop())
    elif table == "doc":
        labels, digest, sizes = cast("tuple[bytes, bytes | None, bytes | None]", values[-3:])
        values[-3:] = []
        if digest is not None:
            text = f"{digest.hex()} {(sizes or b'').hex()}"
        return Row(
            from_bytes(mailbox_id), table, key, (*map(_plain, values), *_unpack(labels)), text
        )
    return Row(from_bytes(mailbox_id), table, key, tuple(map(_plain, values)), text)


def plain_rows(connection: apsw.Connection) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Yield all rows as (bucket, row), in no order and as they are stored."""
    for table, (key, values, source) in _TABLES.items():
        columns = ", ".join(c for c in (key, values) if c)
        for found in connection.execute(f"select b.id, {columns} from {source}"):
            yield cast("bytes", found[0])[-1] % BUCKETS, (table, *found)


def rows_of(connection: apsw.Connection, bucket: int) -> Iterator[Row]:
    """Yield the rows of a bucket ordered by table, mailbox and key, in a form to be read."""
    every = connection.execute("select row, id from mailbox order by id")
    found = cast("Iterator[tuple[int, bytes]]", every)
    chosen = [(row, m) for row, m in found if m[-1] % BUCKETS == bucket]
    for table, (key, values, source) in sorted(_TABLES.items()):
        columns = ", ".join(c for c in (key, values) if c)
        width = 0 if not key else 2 if table == "placed" else 1
        order = ", ".join(str(n + 1) for n in range(width))
        statement = f"select {columns} from {source} where b.row = ?"
        if order:
            statement += f" order by {order}"
        for row, mailbox_id in chosen:
            for columns_of_row in connection.execute(statement, (row,)):
                yield _row(table, width, mailbox_id, columns_of_row)
