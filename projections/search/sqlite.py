"""One version of search in a SQLite file: words, rows and position in one transaction."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from infra.ports import Checkpoint, EngineDown, KeyStore, Position, Record
from projections.faults import engine_errors
from projections.mailbox.opening import open_seals
from projections.mailbox.tables import transaction
from projections.ports import Row, RowSum, Unreadable
from projections.search.fold import Fold
from projections.search.letters import Letters
from projections.search.sqlite_rows import plain_rows, rows_of
from projections.search.sqlite_write import Writer, load_docs, load_mailbox, write_filter
from projections.search.tables import SHARD, connect, words_in, words_of
from projections.sums import sums_of
from projections.vacuum import vacuum
from schemas.codec import CodecError
from schemas.mailbox_events import (
    Delivered,
    LabelDefined,
    LabelRenamed,
    MailboxEvent,
    Restored,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.parts import Digest

# Two processes may follow one version; the slower one never turns the position back.
_POSITION = (
    "insert into position values (?,?)"
    " on conflict(partition) do update set offset = max(offset, excluded.offset)"
)


class SqliteSearchProjection:
    """Writes one version. One thread at a time; any number of processes, one transaction each."""

    def __init__(
        self,
        path: Path,
        keys: KeyStore,
        letters: Letters,
        checkpoint: Checkpoint = lambda _: None,
        shard: int = SHARD,
    ) -> None:
        self._keys = keys
        self._letters = letters
        self._checkpoint = checkpoint
        self._path = path
        self._shard = shard
        # Not above: it takes numpy, 16 MB, and this is the one door to it.
        from projections.search.gathering import Gathering

        self._gathering = Gathering()
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
        EngineDown when this file can't be written or the content can't be read.
        """
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
        digests = self._letters.digests([x for x in ahead if isinstance(x, Delivered | Restored)])
        named = [x for x in ahead if isinstance(x, LabelDefined | LabelRenamed)]
        names = {i: x for i, x in open_seals(named, self._keys).items() if isinstance(x, str)}
        kept = self._gathering.unless_undone()
        with engine_errors(self._path), kept, transaction(self._connection):
            if not still():
                return False
            if ahead:
                self._fold(by_mailbox, digests, names)
                self._checkpoint("search-view.rows")
                self._connection.executemany(_POSITION, list(position.items()))
                self._checkpoint("search-view.position")
        return True

    def pass_by(self, position: Position) -> None:
        """Move the position over offsets that hold no records. Raises EngineDown."""
        with engine_errors(self._path), transaction(self._connection):
            self._connection.executemany(_POSITION, list(position.items()))

    def _fold(
        self,
        by_mailbox: Mapping[str, Sequence[MailboxEvent]],
        digests: Mapping[str, Digest],
        names: Mapping[str, str],
    ) -> None:
        connection = self._connection
        writer = Writer(connection, self._shard, self._gathering)
        for mailbox_id, events in by_mailbox.items():
            mailbox = load_mailbox(connection, mailbox_id)
            if events[-1].seq <= mailbox.head:
                continue
            found = (cast("str | None", getattr(x, "message_id", None)) for x in events)
            ids = {i: None for i in found if i is not None}
            fold = Fold(mailbox, load_docs(connection, ids), digests, names)
            fold.apply(events)
            writer.add(fold)
        # The content is read here, a few mails at a time: a batch may have more of it than fits.
        writer.write(self._letters.documents)
        writer.merge()

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
        """Leave nothing that was deleted in index, file or write-ahead log.

        FTS5 marks a document deleted and keeps its tokens until it merges: `optimize` merges the
        shard, and its filter is made anew. `vacuum` leaves no free page and no gap in one, and the
        checkpoint brings that to the file. Takes time in proportion to the file, unless nothing
        was deleted. Raises EngineDown when a reader is in the way all the time.
        """
        with engine_errors(self._path):
            execute = self._connection.execute
            rows = execute("select number, docs, cleaned from shard where unclean").fetchall()
            unclean = cast("list[tuple[int, int, int]]", rows)
            for number, docs, cleaned in unclean:
                words = words_of(number)
                with transaction(self._connection):
                    execute(f"insert into {words}({words}) values ('optimize')")
                    if docs >= self._shard:
                        left = self._gathering.of(words_in(self._connection, number))
                        write_filter(self._connection, number, left)
                    execute(
                        "update shard set unclean = 2, cleaned = ? where number = ?",
                        (cleaned + 1, number),
                    )
            if unclean:
                vacuum(self._connection, self._path)
            # Not before: whoever comes after a process that died here does all of it again.
            self._connection.executemany(
                "update shard set unclean = 0 where number = ? and unclean = 2 and cleaned = ?",
                [(number, cleaned + 1) for number, _, cleaned in unclean],
            )
            found = execute("pragma wal_checkpoint(truncate)").fetchone()
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
