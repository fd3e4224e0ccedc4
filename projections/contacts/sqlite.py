"""One version of the contacts projection in a SQLite file: rows and position in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from infra.ports import Checkpoint, EngineDown, KeyStore, Position, Record
from projections.contacts.people import Person, people_of, score, words_of
from projections.contacts.tables import connect
from projections.faults import engine_errors
from projections.mailbox.opening import open_seals, unpack
from projections.mailbox.tables import transaction
from projections.ports import BUCKETS, OutOfOrder, Row, RowSum, Unreadable
from projections.sums import sums_of
from projections.vacuum import vacuum
from schemas import mailbox_events as e
from schemas.codec import CodecError
from schemas.identity import from_bytes, to_bytes
from schemas.labels import SPAM

_POSITION = (
    "insert into position values (?,?)"
    " on conflict(partition) do update set offset = max(offset, excluded.offset)"
)
# Rows without the keys that this store gives out, mailbox first.
_ROWS = {
    "mailbox": "select id, '', head from mailbox",
    "message": "select b.id, m.id, m.counted from message m join mailbox b on b.row = m.mailbox",
    "contact": "select b.id, c.address, c.name, c.messages, c.weight, c.last, c.score"
    " from contact c join mailbox b on b.row = c.mailbox",
    "mention": "select b.id, hex(m.id) || ' ' || c.address, x.weight, x.date, x.name from mention x"
    " join message m on m.row = x.message join contact c on c.row = x.contact"
    " join mailbox b on b.row = m.mailbox",
    "word": "select b.id, c.address || ' ' || w.word from word w"
    " join contact c on c.row = w.contact join mailbox b on b.row = w.mailbox",
}


class SqliteContacts:
    """Writes one version. One thread at a time; any number of processes, one transaction each."""

    def __init__(self, path: Path, keys: KeyStore, checkpoint: Checkpoint = lambda _: None) -> None:
        self._path = path
        self._keys = keys
        self._checkpoint = checkpoint
        with engine_errors(path):
            self._connection = connect(path)
        self._execute = self._connection.execute

    def position(self) -> Position:
        """Return where the next record of mailbox.events is to be read."""
        return dict(cast("Iterator[tuple[int, int]]", self._execute("select * from position")))

    def apply(self, records: Sequence[Record], still: Callable[[], bool]) -> bool:
        """Fold records and the position behind them, in one transaction.

        Raises Unreadable, OutOfOrder, EngineDown.
        """
        position = dict(self.position())
        events: list[e.MailboxEvent] = []
        for record in records:
            if record.offset >= position.get(record.partition, 0):
                position[record.partition] = record.offset + 1
                events.append(_event(record))
        opened = open_seals([x for x in events if isinstance(x, _TELLING)], self._keys)
        with engine_errors(self._path), transaction(self._connection):
            if not still():
                return False
            for event in events:
                self._fold(event, opened)
            self._checkpoint("contacts-view.rows")
            self._connection.executemany(_POSITION, list(position.items()))
            self._checkpoint("contacts-view.position")
        return True

    def _fold(self, event: e.MailboxEvent, opened: Mapping[str, bytes | str]) -> None:
        row = self._one("select row, head from mailbox where id = ?", to_bytes(event.mailbox_id))
        if row is None:
            row = (self._insert("mailbox(id, head)", to_bytes(event.mailbox_id), 0), 0)
        box, head = row
        if event.seq <= head:
            return
        if event.seq != head + 1:
            raise OutOfOrder(event.mailbox_id, head, event.seq)
        match event:
            case e.Delivered() | e.Restored():
                text = opened.get(event.event_id)
                labels = {p.label for p in event.placements}
                people = people_of(unpack(text), labels) if isinstance(text, bytes) else []
                self._forget(event.message_id)
                self._tell(box, event, people, SPAM not in labels)
            case e.Labelled() if SPAM in event.labels_added:
                self._count(event.message_id, False)
            case e.Labelled() if any(p.label == SPAM for p in event.labels_removed):
                self._count(event.message_id, True)
            case e.Erased():
                self._forget(event.message_id)
            case _:
                pass
        self._execute("update mailbox set head = ? where row = ?", (event.seq, box))

    def _tell(
        self, box: int, event: e.Delivered | e.Restored, people: Sequence[Person], counted: bool
    ) -> None:
        message = self._insert(
            "message(id, mailbox, counted)", to_bytes(event.message_id), box, counted
        )
        for address, name, weight in people:
            known = self._one(
                "select row from contact where mailbox = ? and address = ?", box, address
            )
            contact = (
                known[0]
                if known
                else self._insert(
                    "contact(mailbox, address, name, messages, weight, last, score)",
                    *(box, address, "", 0, 0, 0, 0),
                )
            )
            self._execute(
                "insert into mention values (?,?,?,?,?)",
                (message, contact, weight, event.internal_date, name),
            )
            if counted:
                self._refresh(box, contact, address, (weight, event.internal_date, name))

    def _refresh(
        self, box: int, contact: int, address: str, added: tuple[int, int, str] | None = None
    ) -> None:
        """Bring a contact to what its mentions add up to; `added` alone is new, if given."""
        if added is None:
            messages, weight, last = self._sums(contact)
            name = self._name(contact)
        else:
            found = self._one(
                "select messages, weight, last, name from contact where row = ?", contact
            )
            messages, weight, before, name = cast("tuple[int, int, int, str]", found)
            messages, weight, last = messages + 1, weight + added[0], max(before, added[1])
            if added[2] != name and added[2]:
                # The newest name counts, and mail does not always come in its order. To look for
                # it takes as long as there are mentions, so only where there are two names.
                name = added[2] if added[1] > before or not name else self._name(contact)
        self._execute(
            "update contact set messages = ?, weight = ?, last = ?, name = ?, score = ?"
            " where row = ?",
            (messages, weight, last, name, score(weight, last), contact),
        )
        words = words_of(address, name) if messages else set[str]()
        have = {
            str(w) for (w,) in self._execute("select word from word where contact = ?", (contact,))
        }
        many = self._connection.executemany
        many("insert into word values (?,?,?)", [(box, w, contact) for w in words - have])
        many(
            "delete from word where mailbox = ? and word = ? and contact = ?",
            [(box, w, contact) for w in have - words],
        )

    def _sums(self, contact: int) -> tuple[int, int, int]:
        found = self._one(
            "select count(*), coalesce(sum(x.weight), 0), coalesce(max(x.date), 0)"
            " from mention x join message m on m.row = x.message"
            " where x.contact = ? and m.counted",
            contact,
        )
        return cast("tuple[int, int, int]", found)

    def _name(self, contact: int) -> str:
        found = self._one(
            "select x.name from mention x join message m on m.row = x.message"
            " where x.contact = ? and m.counted and x.name <> ''"
            " order by x.date desc, m.id limit 1",
            contact,
        )
        return str(found[0]) if found else ""

    def _mentioned(self, message: int) -> list[tuple[int, int, str]]:
        found = self._execute(
            "select c.mailbox, c.row, c.address from mention x join contact c on c.row = x.contact"
            " where x.message = ?",
            (message,),
        )
        return cast("list[tuple[int, int, str]]", found.fetchall())

    def _count(self, message_id: str, counted: bool) -> None:
        found = self._one("select row from message where id = ?", to_bytes(message_id))
        if found is None:
            return
        self._execute("update message set counted = ? where row = ?", (counted, found[0]))
        for box, contact, address in self._mentioned(found[0]):
            self._refresh(box, contact, address)

    def _forget(self, message_id: str) -> None:
        """Take back what a message added; a contact that nothing tells of goes with it."""
        found = self._one("select row from message where id = ?", to_bytes(message_id))
        if found is None:
            return
        mentioned = self._mentioned(found[0])
        self._execute("delete from mention where message = ?", (found[0],))
        self._execute("delete from message where row = ?", (found[0],))
        for box, contact, address in mentioned:
            self._refresh(box, contact, address)
            self._execute(
                "delete from contact where row = ?1"
                " and not exists (select 1 from mention where contact = ?1)",
                (contact,),
            )

    def _one(self, statement: str, *bindings: Any) -> tuple[Any, ...] | None:
        return self._execute(statement, bindings).fetchone()

    def _insert(self, table: str, *values: Any) -> int:
        marks = ",".join("?" * len(values))
        self._execute(f"insert into {table} values ({marks})", values)
        return self._connection.last_insert_rowid()

    def pass_by(self, position: Position) -> None:
        """Move the position over offsets that hold no records. Raises EngineDown."""
        with engine_errors(self._path), transaction(self._connection):
            self._connection.executemany(_POSITION, list(position.items()))

    @contextmanager
    def hold(self) -> Generator[None]:
        """While held, nobody folds into this version, whatever process it is in."""
        with engine_errors(self._path), transaction(self._connection):
            yield

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """Inside, all reads through this object see the same state."""
        with transaction(self._connection, "deferred"):
            yield

    def digest(self) -> Mapping[int, RowSum]:
        """Return the sum of each bucket that has rows."""
        return sums_of(
            (cast("bytes", row[0])[-1] % BUCKETS, (table, *row))
            for table, statement in _ROWS.items()
            for row in self._execute(statement)
        )

    def rows(self, bucket: int) -> Iterator[Row]:
        """Yield the rows of a bucket, ordered by table, mailbox and key."""
        for table, statement in sorted(_ROWS.items()):
            found = [
                Row(from_bytes(row[0]), table, (_plain(row[1]),), tuple(row[2:]))
                for row in cast("Iterator[tuple[Any, ...]]", self._execute(statement))
                if row[0][-1] % BUCKETS == bucket
            ]
            yield from sorted(found, key=lambda r: (r.mailbox_id, r.key))

    def scrub(self) -> None:
        """Leave nothing that was deleted in file or write-ahead log. Raises EngineDown.

        Index entries move between pages and leave copies, so the file is written anew: it is
        small, for it holds people and no mail.
        """
        with engine_errors(self._path):
            vacuum(self._connection, self._path)
            found = self._execute("pragma wal_checkpoint(truncate)").fetchone()
        if found is None or found[0]:
            raise EngineDown(f"{self._path.name}: readers hold the write-ahead log")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


_TELLING = (e.Delivered, e.Restored)


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _event(record: Record) -> e.MailboxEvent:
    try:
        event = record.decode()
    except CodecError as error:
        raise Unreadable(record.topic, record.partition, record.offset, "undecodable") from error
    if not isinstance(event, e.MailboxEvent):
        raise Unreadable(record.topic, record.partition, record.offset, "foreign-type")
    return event
