"""One version of the mailbox projection in a SQLite file: rows and position in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from infra.ports import Checkpoint, EngineDown, KeyStore, Position, Record
from projections.faults import engine_errors
from projections.mailbox.fold import Fold, Opened, concerns
from projections.mailbox.opening import open_seals
from projections.mailbox.sqlite_load import load_mailbox, load_messages
from projections.mailbox.sqlite_rows import plain_rows, rows_of
from projections.mailbox.sqlite_write import Writer
from projections.mailbox.tables import connect, transaction
from projections.ports import Row, RowSum, Unreadable
from projections.sums import sums_of
from schemas.codec import CodecError
from schemas.mailbox_events import MailboxEvent

# Two processes may follow one version; the slower one never turns the position back.
_POSITION = (
    "insert into position values (?,?)"
    " on conflict(partition) do update set offset = max(offset, excluded.offset)"
)


class SqliteMailboxProjection:
    """Writes one version. One thread at a time; any number of processes, one transaction each."""

    def __init__(self, path: Path, keys: KeyStore, checkpoint: Checkpoint = lambda _: None) -> None:
        self._keys = keys
        self._checkpoint = checkpoint
        self._path = path
        with engine_errors(path):
            self._connection = connect(path)

    def position(self) -> Position:
        """Return where the next record of mailbox.events is to be read."""
        with engine_errors(self._path):
            found = self._connection.execute("select * from position")
            return dict(cast("Iterator[tuple[int, int]]", found))

    def apply(self, records: Sequence[Record], still: Callable[[], bool]) -> bool:
        """Fold records and the position behind them, in one transaction.

        Returns False, with nothing written, when `still()` is false inside the transaction.
        Raises Unreadable for a record that can't be decoded, OutOfOrder for a seq that is skipped,
        EngineDown when the file can't be written.
        """
        # Decoding and opening come first: the write lock is held for what needs it.
        by_mailbox: dict[str, list[MailboxEvent]] = {}
        position = dict(self.position())
        ahead: list[MailboxEvent] = []
        for record in records:
            if record.offset < position.get(record.partition, 0):
                continue
            position[record.partition] = record.offset + 1
            event = _event(record)
            by_mailbox.setdefault(event.mailbox_id, []).append(event)
            ahead.append(event)
        opened = open_seals(ahead, self._keys)
        with engine_errors(self._path), transaction(self._connection):
            if not still():
                return False
            if ahead:
                self._fold(by_mailbox, opened)
                self._checkpoint("mailbox-view.rows")
                self._connection.executemany(_POSITION, list(position.items()))
                self._checkpoint("mailbox-view.position")
        return True

    def pass_by(self, position: Position) -> None:
        """Move the position over offsets that hold no records. Raises EngineDown."""
        with engine_errors(self._path), transaction(self._connection):
            self._connection.executemany(_POSITION, list(position.items()))

    def _fold(self, by_mailbox: Mapping[str, Sequence[MailboxEvent]], opened: Opened) -> None:
        connection = self._connection
        writer = Writer(connection)
        for mailbox_id, events in by_mailbox.items():
            mailbox = load_mailbox(connection, mailbox_id)
            if events[-1].seq <= mailbox.head:
                continue
            ids = {i: None for i in map(concerns, events) if i is not None}
            fold = Fold(mailbox, load_messages(connection, mailbox, ids), opened)
            changes = fold.apply(events)
            writer.add(mailbox, list(fold.messages.values()), changes)
        writer.write()

    @contextmanager
    def hold(self) -> Generator[None]:
        """While held, nobody folds into this version, whatever process it is in."""
        with engine_errors(self._path), transaction(self._connection):
            yield

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """Inside, all reads through this object see the same state."""
        with engine_errors(self._path), transaction(self._connection, "deferred"):
            yield

    def digest(self) -> Mapping[int, RowSum]:
        """Return the sum of each bucket that has rows."""
        return sums_of(plain_rows(self._connection))

    def rows(self, bucket: int) -> Iterator[Row]:
        """Yield the rows of a bucket, ordered by table, mailbox and key."""
        return rows_of(self._connection, bucket)

    def scrub(self) -> None:
        """Leave nothing that was deleted in file or write-ahead log.

        secure_delete has overwritten it in the pages; the checkpoint brings these to the file and
        cuts the log off. Raises EngineDown when a reader is in the way all the time.
        """
        with engine_errors(self._path):
            found = self._connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        if found is None or found[0]:
            raise EngineDown(f"{self._path.name}: readers hold the write-ahead log")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _event(record: Record) -> MailboxEvent:
    try:
        event = record.decode()
    except CodecError as e:
        raise Unreadable(record.topic, record.partition, record.offset, "undecodable") from e
    if not isinstance(event, MailboxEvent):
        raise Unreadable(record.topic, record.partition, record.offset, "foreign-type")
    return event
