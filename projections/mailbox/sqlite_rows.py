"""The rows of a version without the keys that its store gave out, for comparing two stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import apsw
import msgspec

from projections.mailbox.tables import Value
from projections.ports import BUCKETS, Row
from schemas.identity import from_bytes

_unpack = msgspec.msgpack.decode


# table -> (columns of the key, columns of the values, from). Blobs are told as hexadecimal, packed
# columns opened, so that a difference can be read.
_TABLES: dict[str, tuple[str, str, str]] = {
    "mailbox": ("", "b.head, b.messages, b.unread, b.size, b.ahead", "mailbox b"),
    "label": (
        "x.number",
        "x.id, x.made, x.deleted, x.color, x.total, x.unread, x.last_uid, cast(t.octets as text)",
        "label x join mailbox b on b.row = x.mailbox left join text t on t.row = x.name",
    ),
    "filter": (
        "x.id",
        "x.seq, x.labels, x.archive, x.star, x.read, x.never_spam, cast(t.octets as text)",
        "filter x join mailbox b on b.row = x.mailbox left join text t on t.row = x.query",
    ),
    "message": (
        "x.id",
        "x.mail_id, x.visible, x.thread_id, x.internal_date, x.size, x.flags, x.since, x.seq,"
        " x.received_at, x.attachment_count, x.verdict, x.source, x.authenticated_id, x.scored_id,"
        " x.placements, x.header_hash, t.octets",
        "message x join mailbox b on b.row = x.mailbox left join text t on t.row = x.text",
    ),
    "placed": (
        "x.label, x.id",
        "x.internal_date, x.uid, x.since, (select m.id from message m where m.row = x.message)",
        "placed x join mailbox b on b.row = x.mailbox",
    ),
    "past_placed": (
        "x.label, x.id, x.since",
        "x.internal_date, x.until, x.uid, (select m.id from message m where m.row = x.message)",
        "past_placed x join mailbox b on b.row = x.mailbox",
    ),
    "past_state": (
        "m.id, x.since",
        "x.until, x.flags, x.thread_id",
        "past_state x join message m on m.row = x.message join mailbox b on b.row = x.mailbox",
    ),
    "gone": ("x.label, x.seq, x.uid", "", "gone x join mailbox b on b.row = x.mailbox"),
    "merge": ("x.thread_id, x.seq", "x.into_id", "merge x join mailbox b on b.row = x.mailbox"),
    "feed": (
        "x.seq",
        "x.type, x.recorded_at, x.occurred_at, x.event_id, m.id, x.detail",
        "feed x left join message m on m.row = x.message join mailbox b on b.row = x.mailbox",
    ),
}


def _plain(value: Value) -> object:
    if isinstance(value, bytes):
        return from_bytes(value) if len(value) == 16 else value.hex()
    return value


def _row(table: str, width: int, mailbox_id: bytes, columns: tuple[Value, ...]) -> Row:
    key = cast("tuple[str | int, ...]", tuple(map(_plain, columns[:width])))
    plain = [*map(_plain, columns[width:])]
    text = ""
    if table == "message":
        *plain, _, _, _ = plain
        packed, hashed, opened = cast("tuple[bytes, int | None, bytes | None]", columns[-3:])
        placements: Any = _unpack(packed)
        plain.append(sorted(placements))
        text = "" if opened is None else f"{opened.hex()} {hashed}"
    elif table in ("label", "filter"):
        text = str(plain.pop() or "")
    elif table == "feed":
        detail = cast("bytes | None", columns[-1])
        plain[-1] = None if detail is None else _unpack(detail)
    return Row(from_bytes(mailbox_id), table, key, tuple(plain), text)


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
        width = len(key.split(",")) if key else 0
        columns = ", ".join(c for c in (key, values) if c)
        # By mailbox, so that an index gives the order of messages and nothing large is sorted.
        statement = f"select {columns} from {source} where b.row = ?"
        if key:
            statement += f" order by {key}"
        for row, mailbox_id in chosen:
            for columns_of_row in connection.execute(statement, (row,)):
                yield _row(table, width, mailbox_id, columns_of_row)
