"""The mailbox reader over SQLite: each read is one snapshot of the version that is live."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import apsw

from projections.faults import engine_errors
from projections.mailbox.header_hash import header_hash, header_of
from projections.mailbox.paging import Place, Query, from_token, to_token
from projections.mailbox.ports import FeedEntry, FilterRow, LabelRow, MailboxRow, MessageRow, Page
from projections.mailbox.sqlite_list import Then, labels_at, list_messages
from projections.mailbox.sqlite_load import load_mailbox, octets
from projections.mailbox.sqlite_show import FEED_COLUMNS, Shower, feed_entry
from projections.mailbox.state import Label, MailboxState
from projections.mailbox.tables import connect, transaction
from schemas.identity import from_bytes
from schemas.labels import SYSTEM_LABELS

_FILTERS = (
    "select f.id, f.seq, cast(coalesce(t.octets, x'') as text), f.labels, f.archive, f.star,"
    " f.read, f.never_spam from filter f left join text t on t.row = f.query"
    " where f.mailbox = ? order by f.seq"
)
_JOINED = "from feed f left join message m on m.row = f.message"


class Snapshots:
    """Gives each read a connection with a snapshot of the live version."""

    def __init__(
        self,
        live: Callable[[], Path],
        connect: Callable[[Path], apsw.Connection] = lambda path: connect(path, readonly=True),
    ) -> None:
        """`live` names the file of the live version; it is asked at every read."""
        self._live = live
        self._connect = connect
        self._idle: deque[tuple[Path, apsw.Connection]] = deque()

    @contextmanager
    def take(self) -> Generator[apsw.Connection]:
        """Yield a connection; what is read through it is of one moment. Raises EngineDown."""
        path = self._live()
        with engine_errors(path):
            connection = self._take(path)
            with transaction(connection, "deferred"):
                yield connection
        self._idle.append((path, connection))

    def _take(self, path: Path) -> apsw.Connection:
        while self._idle:
            try:
                kept, connection = self._idle.pop()
            except IndexError:
                break
            if kept == path:
                return connection
            # Another version is live now.
            connection.close()
        return self._connect(path)

    def close(self) -> None:
        """Close the connections that no read uses."""
        while self._idle:
            self._idle.pop()[1].close()


class SqliteMailboxReader:
    """Port MailboxReader; for any number of threads, each read on a connection of its own."""

    def __init__(self, live: Callable[[], Path]) -> None:
        """`live` names the file of the live version; it is asked at every read."""
        self._snapshots = Snapshots(live)
        self._snapshot = self._snapshots.take

    def close(self) -> None:
        """Close the connections that no read uses."""
        self._snapshots.close()

    def head(self, mailbox_id: str) -> int:
        """Return the seq of the last event that readers see."""
        return self.counts(mailbox_id).head

    def counts(self, mailbox_id: str) -> MailboxRow:
        """Return head and counters."""
        with self._snapshot() as connection:
            found = connection.execute(
                "select head, messages, unread, size from mailbox where id = ?",
                (octets(mailbox_id),),
            ).fetchone()
        numbers = cast("tuple[int, int, int, int]", found or (0, 0, 0, 0))
        return MailboxRow(mailbox_id, *numbers)

    def list(
        self,
        mailbox_id: str,
        *,
        labels: Sequence[str] = (),
        include_spam: bool = False,
        limit: int = 50,
        page_token: str | None = None,
        at: int | None = None,
    ) -> tuple[Page, int]:
        """Return a page of messages, and the head. Raises BadPageToken."""
        query = Query(mailbox_id, frozenset(labels), include_spam, at)
        behind = from_token(query, page_token)
        with self._snapshot() as connection:
            mailbox = load_mailbox(connection, mailbox_id)
            then = None if at is None else as_of(connection, mailbox, at)
            found, estimate = list_messages(connection, mailbox, query, then, behind, limit + 1)
            seq = None if then is None else then.seq
            shower = Shower(connection, mailbox, labels_at(mailbox, seq), seq)
            messages = tuple(shower.message(row) for _, _, row in found[:limit])
        token = None
        if len(found) > limit:
            date, identifier, _ = found[limit - 1]
            token = to_token(query, Place(date, identifier))
        elif page_token is None:
            estimate = len(messages)
        return Page(messages, token, max(estimate, len(messages))), mailbox.head

    def get(self, mailbox_id: str, message_id: str) -> tuple[MessageRow | None, int]:
        """Return a visible message of this mailbox, None when there is none, and the head."""
        found, head = self.get_many(mailbox_id, [message_id])
        return found.get(message_id), head

    def get_many(
        self, mailbox_id: str, message_ids: Sequence[str]
    ) -> tuple[Mapping[str, MessageRow], int]:
        """Return the visible ones of messages, of one snapshot, and the head."""
        rows: dict[str, MessageRow] = {}
        with self._snapshot() as connection:
            mailbox = load_mailbox(connection, mailbox_id)
            shower = Shower(connection, mailbox, labels_at(mailbox, None), None)
            for message_id in message_ids:
                found = connection.execute(
                    "select row from message where mailbox = ? and id = ? and visible",
                    (mailbox.row, octets(message_id)),
                ).fetchone()
                if found is not None:
                    rows[message_id] = shower.message(cast("int", found[0]))
        return rows, mailbox.head

    def known(self, mailbox_id: str, message_id: str) -> bool:
        """Say whether a message of this mailbox is visible or expunged."""
        with self._snapshot() as connection:
            return _row_of(connection, mailbox_id, message_id) is not None

    def find_message_id(self, header: str) -> Sequence[tuple[str, str, str]]:
        """Return (mailbox_id, message_id, mail_id) of each message with that Message-ID."""
        with self._snapshot() as connection:
            found = connection.execute(
                "select b.id, m.id, m.mail_id, t.octets"
                " from message m join mailbox b on b.row = m.mailbox join text t on t.row = m.text"
                " where m.header_hash = ?"
                " order by m.row",
                (header_hash(header),),
            ).fetchall()
        rows = cast("list[tuple[bytes, bytes, bytes, bytes]]", found)
        return [
            (from_bytes(box), from_bytes(message), from_bytes(mail))
            for box, message, mail, text in rows
            if header_of(text) == header
        ]

    def labels(self, mailbox_id: str) -> tuple[Sequence[LabelRow], int]:
        """Return system labels in their order, then the user's by name, and the head."""
        with self._snapshot() as connection:
            mailbox = load_mailbox(connection, mailbox_id)
        rows = [_label(label) for label in labels_at(mailbox, None).values()]
        rows.sort(key=_label_order)
        return rows, mailbox.head

    def filters(self, mailbox_id: str) -> tuple[Sequence[FilterRow], int]:
        """Return the filters, the one that was changed last at the end, and the head."""
        with self._snapshot() as connection:
            mailbox = load_mailbox(connection, mailbox_id)
            found = connection.execute(_FILTERS, (mailbox.row,)).fetchall()
        return [_filter(mailbox, columns) for columns in found], mailbox.head

    def history(
        self, mailbox_id: str, since: int, limit: int = 500
    ) -> tuple[Sequence[FeedEntry], int]:
        """Return up to `limit` entries after seq `since`, in order, one a seq, and the head."""
        with self._snapshot() as connection:
            mailbox = load_mailbox(connection, mailbox_id)
            found = connection.execute(
                f"select {FEED_COLUMNS} {_JOINED} where f.mailbox = ? and f.seq > ?"
                " order by f.seq limit ?",
                (mailbox.row, since, limit),
            ).fetchall()
        return [feed_entry(columns) for columns in found], mailbox.head

    def message_history(self, mailbox_id: str, message_id: str) -> Sequence[FeedEntry]:
        """Return the entries of a message, in order; none when unknown here or erased."""
        with self._snapshot() as connection:
            found = connection.execute(
                f"select {FEED_COLUMNS} {_JOINED} where f.message = ? order by f.seq",
                (_row_of(connection, mailbox_id, message_id),),
            ).fetchall()
        return [feed_entry(columns) for columns in found]

    def vanished(self, mailbox_id: str, label: str, since: int) -> tuple[Sequence[int], int]:
        """Return the UIDs that left `label` after seq `since`, ascending, and the head."""
        with self._snapshot() as connection:
            mailbox = load_mailbox(connection, mailbox_id)
            found = connection.execute(
                "select uid from gone where mailbox = ? and label = ? and seq > ? order by uid",
                (mailbox.row, mailbox.numbers.get(label), since),
            ).fetchall()
        return [cast("int", uid) for (uid,) in found], mailbox.head


def _row_of(connection: apsw.Connection, mailbox_id: str, message_id: str) -> int | None:
    found = connection.execute(
        "select row from message where mailbox = (select row from mailbox where id = ?) and id = ?",
        (octets(mailbox_id), octets(message_id)),
    ).fetchone()
    return None if found is None else cast("int", found[0])


def as_of(connection: apsw.Connection, mailbox: MailboxState, at: int) -> Then | None:
    """Return the last seq recorded at or before `at`, None when that is the head.

    It is searched for by halving: recorded_at never runs backwards in a mailbox.
    """
    low, high = Then(0, at), mailbox.head
    while low.seq < high:
        middle = (low.seq + high + 1) // 2
        found = connection.execute(
            "select recorded_at from feed where mailbox = ? and seq = ?", (mailbox.row, middle)
        ).fetchone()
        (recorded_at,) = cast("tuple[int]", found)
        if recorded_at <= at:
            low = Then(middle, recorded_at)
        else:
            high = middle - 1
    return None if low.seq == mailbox.head else low


def _filter(mailbox: MailboxState, columns: tuple[object, ...]) -> FilterRow:
    identifier, seq, query, labels, *actions = cast(
        "tuple[bytes, int, str, str, int, int, int, int]", columns
    )
    return FilterRow(
        from_bytes(identifier),
        query,
        tuple(x for x in labels.split() if _meant(mailbox, x, seq)),
        *map(bool, actions),
    )


def _meant(mailbox: MailboxState, label_id: str, seq: int) -> bool:
    """Whether the label that the event `seq` named is still there."""
    number = mailbox.numbers.get(label_id)
    if number is None:
        return False
    return label_id in SYSTEM_LABELS or mailbox.labels[number].made < seq


def _label(label: Label) -> LabelRow:
    return LabelRow(
        label_id=label.label_id,
        name=label.name,
        color=label.color,
        system=label.label_id in SYSTEM_LABELS,
        total=label.total,
        unread=label.unread,
        uid_next=label.last_uid + 1,
        # RFC 3501 section 2.3.1.1: 32 bits.
        uid_validity=label.made & 0xFFFFFFFF,
    )


def _label_order(row: LabelRow) -> tuple[int, str, str]:
    place = SYSTEM_LABELS.index(row.label_id) if row.system else len(SYSTEM_LABELS)
    return place, row.name.casefold(), row.label_id
