"""Identifiers and records as columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import apsw

from infra.ports import Record
from schemas.identity import from_bytes, to_bytes

Column = bytes | str
"""An identifier in storage: 16 octets for a UUID, its text for any other."""


def to_column(identifier: str) -> Column:
    """Return how an identifier is stored."""
    if len(identifier) != 36:
        return identifier
    try:
        octets = to_bytes(identifier)
    except ValueError:
        return identifier
    # What would come back in another form (capitals, hyphens elsewhere) stays text.
    return octets if from_bytes(octets) == identifier else identifier


def from_column(column: Column) -> str:
    """Return the identifier that is stored so."""
    return column if isinstance(column, str) else from_bytes(column)


RecordRow = tuple[int, Column, str, Column, int, bytes]
"""offset, key, type, event_id, recorded_at, value."""


def to_record(topic: str, row: RecordRow) -> Record:
    """Return the record in a row of a topic."""
    offset, key, kind, event_id, recorded_at, value = row
    return Record(
        topic=topic,
        partition=PARTITION,
        offset=offset,
        key=from_column(key),
        type=kind,
        event_id=from_column(event_id),
        recorded_at=recorded_at,
        value=value,
    )


_ASKED = 500
"""Keys in one statement: SQLite takes at least 999."""


def chosen(
    connection: apsw.Connection, statement: str, values: Sequence[Column | int]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a statement that ends in `in `, for `values`, each given once.

    A statement a value would take and give back the read lock each time, which costs as much again
    as to find the row.
    """
    for start in range(0, len(values), _ASKED):
        some = values[start : start + _ASKED]
        yield from connection.execute(f"{statement}({','.join('?' * len(some))})", some)


def having(connection: apsw.Connection, table: str, column: str, keys: Collection[str]) -> set[str]:
    """Return those of `keys` that are in an indexed column of a table."""
    asked = [to_column(key) for key in keys]
    rows = chosen(connection, f"select {column} from {table} where {column} in ", asked)
    return {from_column(stored) for (stored,) in rows}


PARTITION = 0
"""A topic is one sequence in this engine."""
