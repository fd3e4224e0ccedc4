"""Reading a topic in order, on a connection of its own, woken and not polling."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import cast

from infra.ports import Listener, Position, Record
from infra.sqlite.errors import engine_errors
from infra.sqlite.file import SqliteFile
from infra.sqlite.rows import PARTITION, RecordRow, to_record

_BATCH_BYTES = 16 * 1024 * 1024
"""A batch ends behind this many octets of values, so that large mails don't fill the memory."""


class SqliteReader:
    """A reader of one topic (port Reader); for one thread."""

    def __init__(
        self, file: SqliteFile, topic: str, table: str, offset: int, listener: Listener
    ) -> None:
        self._path = file.path
        self._topic = topic
        self._next = offset
        self._listener = listener
        self._connection = file.open_reader()
        self._select = (
            'select "offset", key, t.name, event_id, recorded_at, value '
            f"from {table} r cross join log_type t on t.id = r.type "
            'where "offset" >= ? order by "offset" limit ?'
        )

    @property
    def position(self) -> Position:
        """Where the next record is read."""
        return {PARTITION: self._next}

    def poll(self, limit: int, timeout: float) -> Sequence[Record]:
        """Return up to `limit` records; wait at most `timeout` seconds when there is none.

        Raises EngineDown.
        """
        until = time.monotonic() + timeout
        while True:
            # Waiting takes the notifications, and reading comes after it: what is committed
            # between the two is notified again.
            records = self._read(limit)
            remaining = until - time.monotonic()
            if records or remaining <= 0:
                return records
            self._listener.wait(remaining)

    def _read(self, limit: int) -> Sequence[Record]:
        records: list[Record] = []
        size = 0
        with engine_errors(self._path):
            rows = self._connection.execute(self._select, (self._next, limit))
            for row in rows:
                record = to_record(self._topic, cast("RecordRow", row))
                records.append(record)
                size += len(record.value)
                if size >= _BATCH_BYTES:
                    # An unfinished statement would hold its snapshot and with it the WAL.
                    rows.close()
                    break
        if records:
            self._next = records[-1].offset + 1
        return records

    def close(self) -> None:
        """Give the reader's resources back."""
        self._listener.close()
        self._connection.close()
