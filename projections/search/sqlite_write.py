"""Load what a batch works on, and write what its folds changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, cast

import apsw
import msgspec

from mail.query.document import COLUMNS, Document
from projections.mailbox.tables import Value
from projections.search.fold import Fold
from projections.search.neighbours import rows_of
from projections.search.state import Doc, Facts, Label, Mailbox
from projections.search.tables import (
    FTS_COLUMNS,
    first_row,
    mailbox_token,
    make_words,
    message_id_token,
    next_first_row,
    words_in,
    words_of,
)
from schemas.identity import from_bytes, to_bytes
from schemas.parts import Digest

if TYPE_CHECKING:
    from projections.search.gathering import Gathering

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[int, ...]).decode

Documents = Callable[
    [Iterable[tuple[str, Digest | None]]], Iterator[tuple[Digest | None, Document | None]]
]
"""Makes documents of (mail_id, digest), in order."""

_MAILBOX = (
    "insert into mailbox values (?,?,?,?) on conflict(row) do update set head = excluded.head,"
    " messages = excluded.messages"
)
_DOC = "select row, mail_id, internal_date, size, bits, labels, shard from doc where id = ?"
_WORDS = (
    f"insert into {{}}(rowid, {', '.join(FTS_COLUMNS)}, meta)"
    f" values ({', '.join('?' * (len(COLUMNS) + 2))})"
)
_SHARD = (
    "insert into shard values (?1,?2,?3,?4,?5,0,0,0)"
    " on conflict(number) do update set docs = docs + ?2,"
    " low = min(low, ?3), high = max(high, ?4), mailbox = iif(mailbox = ?5, ?5, null)"
)
_MERGED_PAGES, _MERGED_PAGES_EACH = 64, 4
"""Pages that are merged with a batch, at least and for each new document: a document has one or two
pages, so a full shard is merged before the next one is full, and no batch waits for all of it."""
_TOGETHER = 32
"""Documents whose words are held in memory until they are written."""
_NOTHING = ("",) * len(COLUMNS)


def octets(identifier: str) -> bytes:
    """Return how an identifier is stored; what is none is stored nowhere and gives b""."""
    try:
        return to_bytes(identifier)
    except ValueError:
        return b""


def load_mailbox(connection: apsw.Connection, mailbox_id: str) -> Mailbox:
    """Return the state of a mailbox, an empty one when there is none yet."""
    found = connection.execute(
        "select row, head, messages from mailbox where id = ?", (octets(mailbox_id),)
    ).fetchone()
    if found is None:
        return Mailbox(mailbox_id)
    row, head, messages = cast("tuple[int, int, int]", found)
    mailbox = Mailbox(mailbox_id, row, head, messages)
    for columns in connection.execute(
        "select number, id, name, deleted, total from label where mailbox = ?", (row,)
    ):
        number, label_id, name, deleted, total = cast("tuple[int, str, str, int, int]", columns)
        mailbox.add(Label(number, label_id, name, bool(deleted), total, changed=False))
    return mailbox


def load_docs(connection: apsw.Connection, message_ids: Iterable[str]) -> dict[str, Doc]:
    """Return the documents that there are."""
    docs: dict[str, Doc] = {}
    for message_id in message_ids:
        found = connection.execute(_DOC, (to_bytes(message_id),)).fetchone()
        if found is not None:
            row, mail_id, date, size, bits, labels, shard = cast(
                "tuple[int, bytes, int, int, int, bytes, int]", found
            )
            facts = Facts(bits, _unpack(labels))
            docs[message_id] = Doc(
                message_id, from_bytes(mail_id), date, size, facts, row, shard, facts
            )
    return docs


def write_filter(connection: apsw.Connection, shard: int, gathering: Gathering) -> None:
    """Write the filter of a full shard in place of any that it has."""
    many = connection.executemany
    rows = zip(rows_of(shard), gathering.parts(), strict=True)
    many("insert or replace into neighbours values (?,?)", rows)


class Writer:
    """Gathers what a batch changed over all its mailboxes, then writes it."""

    def __init__(self, connection: apsw.Connection, shard: int, gathering: Gathering) -> None:
        """`shard` is how many documents a table of words takes."""
        self._connection = connection
        self._most = shard
        self._gathering = gathering
        self._folds: list[tuple[int, Fold]] = []
        self._free: dict[int, int] = {}
        self._current = self._room = 0

    def add(self, fold: Fold) -> None:
        """Take in what a fold changed in one mailbox."""
        mailbox = fold.mailbox
        if mailbox.row is None:
            made = self._connection.execute(
                "insert into mailbox values (null, ?, 0, 0) returning row",
                (to_bytes(mailbox.mailbox_id),),
            ).fetchone()
            (mailbox.row,) = cast("tuple[int]", made)
        self._folds.append((mailbox.row, fold))

    def write(self, documents: Documents) -> None:
        """Write all rows, inside the caller's transaction."""
        new: list[tuple[int, Doc]] = []
        placed: list[tuple[Value, ...]] = []
        left: list[tuple[Value, ...]] = []
        many = self._connection.executemany
        for box, fold in self._folds:
            for doc in fold.removed:
                self._remove(box, doc)
            for doc in fold.docs.values():
                if doc.row is None:
                    new.append((box, doc))
                elif doc.facts != doc.stored:
                    before = set[int]() if doc.stored is None else doc.stored.sets()
                    after = doc.facts.sets()
                    left += [(box, number, doc.row) for number in before - after]
                    placed += [(box, number, doc.row) for number in after - before]
                    self._connection.execute(
                        "update doc set bits = ?, labels = ? where mailbox = ? and row = ?",
                        (doc.facts.bits, _pack(doc.facts.labels), box, doc.row),
                    )
        self._insert(new, documents)
        placed += [(box, number, doc.row) for box, doc in new for number in doc.facts.sets()]
        many("delete from placed where mailbox = ? and label = ? and row = ?", left)
        many("insert into placed values (?,?,?)", placed)
        self._heads()

    def merge(self) -> None:
        """Merge some more of a full shard: a word is looked for in each segment of it."""
        connection = self._connection
        new = sum(d.stored is None for _, fold in self._folds for d in fold.docs.values())
        pages = max(_MERGED_PAGES, _MERGED_PAGES_EACH * new)
        found = connection.execute(
            "select number from shard where docs >= ? and not merged order by number limit 1",
            (self._most,),
        ).fetchone()
        if found is None:
            return
        words = words_of(cast("int", found[0]))
        before = connection.total_changes()
        # FTS5: below zero it begins a merge of all; fewer than two changes say that it is done.
        connection.execute(f"insert into {words}({words}, rank) values ('merge', ?)", (-pages,))
        if connection.total_changes() - before < 2:
            connection.execute("update shard set merged = 1 where number = ?", found)

    def _heads(self) -> None:
        many = self._connection.executemany
        boxes = [(row, f.mailbox) for row, f in self._folds]
        many(_MAILBOX, [(row, to_bytes(m.mailbox_id), m.head, m.messages) for row, m in boxes])
        many(
            "insert or replace into label values (?,?,?,?,?,?)",
            [
                (row, x.number, x.label_id, x.name, x.deleted, x.total)
                for row, m in boxes
                for x in m.labels.values()
                if x.changed
            ],
        )

    def _remove(self, box: int, doc: Doc) -> None:
        execute = self._connection.execute
        execute(f"delete from {words_of(doc.shard)} where rowid = ?", (doc.row,))
        execute("update shard set unclean = 1 where number = ?", (doc.shard,))
        execute("delete from doc where mailbox = ? and row = ?", (box, doc.row))
        for number in doc.stored.sets() if doc.stored is not None else ():
            execute(
                "delete from placed where mailbox = ? and label = ? and row = ?",
                (box, number, doc.row),
            )

    def _insert(self, new: Sequence[tuple[int, Doc]], documents: Documents) -> None:
        # FTS5 keeps the rows of a transaction together as long as they ascend.
        for _, doc in sorted(new, key=lambda x: (x[1].internal_date, x[1].message_id)):
            doc.row = self._row(doc.internal_date)
        ordered = sorted(new, key=lambda x: x[1].row or 0)
        made = documents((doc.mail_id, doc.digest) for _, doc in ordered)
        pairs = zip(ordered, made, strict=True)
        left = len(ordered)
        while left:
            some = list(islice(pairs, self._space()))
            self._into_shard(some)
            left -= len(some)

    def _into_shard(
        self, some: Sequence[tuple[tuple[int, Doc], tuple[Digest | None, Document | None]]]
    ) -> None:
        """Insert documents, ascending by row, into the shard that has room for them."""
        shard = self._current
        texts: list[str] = []
        words: list[tuple[Value, ...]] = []
        docs: list[tuple[Value, ...]] = []
        for (box, doc), (_, document) in some:
            meta = mailbox_token(box)
            if document is not None and document.message_id:
                meta += f" {message_id_token(document.message_id)}"
            doc.shard = shard
            columns = _NOTHING if document is None else document.columns
            texts += columns
            words.append((doc.row, *columns, meta))
            docs.append(
                (
                    box,
                    doc.row,
                    to_bytes(doc.message_id),
                    to_bytes(doc.mail_id),
                    doc.internal_date,
                    doc.size,
                    doc.facts.bits,
                    _pack(doc.facts.labels),
                    shard,
                    None if document is None else document.fingerprint(),
                )
            )
        many = self._connection.executemany
        many(_WORDS.format(words_of(shard)), words)
        many("insert into doc values (?,?,?,?,?,?,?,?,?,?)", docs)
        boxes = {box for (box, _), _ in some}
        (box,) = boxes if len(boxes) == 1 else (None,)
        self._connection.execute(_SHARD, (shard, len(some), docs[0][1], docs[-1][1], box))
        self._gathering.add(texts, len(some))
        self._room -= len(some)
        if self._room == 0:
            write_filter(self._connection, shard, self._gathering)

    def _space(self) -> int:
        """Return how many documents go in at once, and see to it that a shard has room."""
        if self._room == 0:
            found = self._connection.execute(
                "select number, docs, cleaned from shard order by number desc limit 1"
            ).fetchone()
            number, docs, cleaned = cast("tuple[int, int, int]", found or (-1, self._most, 0))
            if docs >= self._most:
                number, docs, cleaned = number + 1, 0, 0
                make_words(self._connection, number)
            if not self._gathering.knows(number, docs, cleaned):
                # Another process, or this one before it was started again, has begun the shard.
                words = words_in(self._connection, number) if docs else ()
                self._gathering.begin(number, docs, cleaned, words)
            self._current, self._room = number, self._most - docs
        return min(self._room, _TOGETHER)

    def _row(self, internal_date: int) -> int:
        """Return a row that is free; a millisecond that is full goes on in the next one."""
        low = first_row(internal_date)
        while True:
            high = next_first_row(low)
            row = self._free.get(low)
            if row is None:
                found = self._connection.execute(
                    "select max(row) from doc where row >= ? and row < ?", (low, high)
                ).fetchone()
                last = None if found is None else cast("int | None", found[0])
                row = low if last is None else last + 1
            if row < high:
                self._free[low] = row + 1
                return row
            low = high
