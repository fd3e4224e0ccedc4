"""Write what a batch changed, one statement a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import apsw
import msgspec

from projections.mailbox.header_hash import hash_of
from projections.mailbox.sqlite_load import pack_placements
from projections.mailbox.state import NOT_STORED, Changes, Filter, Label, MailboxState, Message
from projections.mailbox.tables import Value
from schemas.identity import to_bytes

_pack = msgspec.msgpack.Encoder().encode
_Values = tuple[Value, ...]

_FORGET = (
    "delete from past_placed where mailbox = ?1 and internal_date = ?2 and id = ?3"
    " and label in (select number from label where mailbox = ?1)"
)
_BLANK = (
    "update feed set occurred_at = null, event_id = null, detail = null, message = null"
    " where message = ?"
)
_WIPE = "update text set octets = zeroblob(length(octets)) where row = ?"
_MAILBOX = (
    "insert into mailbox values (?,?,?,?,?,?,?) on conflict(row) do update set"
    " head = excluded.head, messages = excluded.messages, unread = excluded.unread,"
    " size = excluded.size, ahead = excluded.ahead"
)
_LABEL = "insert or replace into label values (?,?,?,?,?,?,?,?,?,?)"
_NEW = "insert into message values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_STATE = (
    "update message set visible = ?, thread_id = ?, flags = ?, since = ?, seq = ?, placements = ?"
    " where row = ?"
)
_FACTS = (
    "update message set mail_id = ?, internal_date = ?, size = ?, received_at = ?,"
    " attachment_count = ?, verdict = ?, source = ?, authenticated_id = ?, scored_id = ?, text = ?,"
    " header_hash = ? where row = ?"
)
_FILTER = "insert or replace into filter values (?,?,?,?,?,?,?,?,?)"
_NO_FILTER = "delete from filter where mailbox = ? and id = ?"
_UNPLACE = "delete from placed where mailbox = ? and label = ? and internal_date = ? and id = ?"
_PLACE = "insert or replace into placed values (?,?,?,?,?,?,?)"


def _id(identifier: str) -> bytes | None:
    return to_bytes(identifier) if identifier else None


def _facts(message: Message, text: int | None) -> _Values:
    facts = message.facts
    if facts is None:
        return (0, 0, "unknown", "unknown", None, None, None, None)
    return (
        facts.received_at,
        facts.attachment_count,
        facts.verdict,
        facts.source,
        _id(facts.authenticated_id),
        _id(facts.scored_id),
        text,
        hash_of(message.text),
    )


def _label(mailbox: int, label: Label) -> _Values:
    return (
        mailbox,
        label.number,
        label.label_id,
        label.made,
        label.deleted,
        label.text,
        label.color,
        label.total,
        label.unread,
        label.last_uid,
    )


class Writer:
    """Gathers the rows of a batch over all its mailboxes, then writes them."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._erased: list[tuple[int, Message]] = []
        self._mailboxes: list[_Values] = []
        self._labels: list[_Values] = []
        self._filters: list[_Values] = []
        self._no_filters: list[_Values] = []
        self._new: list[_Values] = []
        self._states: list[_Values] = []
        self._facts: list[_Values] = []
        self._unplaced: list[_Values] = []
        self._placed: list[_Values] = []
        self._past_placed: list[_Values] = []
        self._past_states: list[_Values] = []
        self._gone: list[_Values] = []
        self._merges: list[_Values] = []
        self._feed: list[_Values] = []
        self._texts: list[_Values] = []
        self._blanked: list[_Values] = []
        self._next_text = self._next("text")
        self._next_message = self._next("message")
        self._next_mailbox = self._next("mailbox")

    def _next(self, table: str) -> int:
        found = self._connection.execute(f"select max(row) from {table}").fetchone()
        return (int(found[0]) if found is not None and isinstance(found[0], int) else 0) + 1

    def add(self, mailbox: MailboxState, messages: Sequence[Message], changes: Changes) -> None:
        """Take in what a fold changed in one mailbox."""
        if mailbox.row is None:
            mailbox.row = self._next_mailbox
            self._next_mailbox += 1
        box = mailbox.row
        self._mailboxes.append(
            (
                box,
                to_bytes(mailbox.mailbox_id),
                mailbox.head,
                mailbox.messages,
                mailbox.unread,
                mailbox.size,
                mailbox.ahead,
            )
        )
        for label in mailbox.labels.values():
            if label.changed:
                if label.name != label.stored_name:
                    label.text = self._text(label.name.encode(), label.text)
                    label.stored_name = label.name
                self._labels.append(_label(box, label))
        for filter_id, found in changes.filters.items():
            self._filter(box, to_bytes(filter_id), found)
        self._erased.extend((box, m) for m in changes.erased if m.row is not None)
        for message in messages:
            self._message(box, message)
        for past in changes.past_placements:
            message = past.message
            if not message.erased:
                self._past_placed.append(
                    (
                        box,
                        past.label,
                        message.internal_date,
                        to_bytes(message.message_id),
                        past.since,
                        past.until,
                        past.uid,
                        message.row,
                    )
                )
        self._past_states.extend(
            (box, p.message.row, p.since, p.until, " ".join(p.flags), to_bytes(p.thread_id))
            for p in changes.past_states
            if not p.message.erased
        )
        self._gone.extend((box, g.label, g.seq, g.uid) for g in changes.gone)
        self._merges.extend(
            (box, to_bytes(m.thread_id), m.seq, to_bytes(m.into)) for m in changes.merges
        )
        for row in changes.feed:
            message = row.message
            if message is not None and message.erased:
                self._feed.append((box, row.seq, row.type, row.recorded_at, None, None, None, None))
            else:
                self._feed.append(
                    (
                        box,
                        row.seq,
                        row.type,
                        row.recorded_at,
                        row.occurred_at,
                        to_bytes(row.event_id),
                        None if message is None else message.row,
                        _pack(row.detail),
                    )
                )

    def _text(self, octets: bytes, before: int | None) -> int | None:
        """Keep a text in place of another; return its row, None for an empty one."""
        if before is not None:
            self._blanked.append((before,))
        if not octets:
            return None
        row = self._next_text
        self._next_text += 1
        self._texts.append((row, octets))
        return row

    def _filter(self, box: int, identifier: bytes, found: Filter | None) -> None:
        before = self._connection.execute(
            "select query from filter where mailbox = ? and id = ?", (box, identifier)
        ).fetchone()
        query = self._text(
            b"" if found is None else found.query.encode(),
            None if before is None else cast("int | None", before[0]),
        )
        if found is None:
            self._no_filters.append((box, identifier))
            return
        self._filters.append(
            (
                box,
                identifier,
                found.seq,
                query,
                " ".join(found.labels),
                found.archive,
                found.star,
                found.read,
                found.never_spam,
            )
        )

    def _message(self, box: int, message: Message) -> None:
        identifier = to_bytes(message.message_id)
        if message.facts is not None:
            message.text_row = self._text(message.text, message.text_row)
        if message.row is None:
            message.row = self._next_message
            self._next_message += 1
            self._new.append(
                (
                    message.row,
                    box,
                    identifier,
                    to_bytes(message.mail_id),
                    message.visible,
                    _id(message.thread_id),
                    message.internal_date,
                    message.size,
                    " ".join(message.flags),
                    message.since,
                    message.seq,
                    pack_placements(message.placements),
                    *_facts(message, message.text_row),
                )
            )
        elif message.changed:
            self._states.append(
                (
                    message.visible,
                    _id(message.thread_id),
                    " ".join(message.flags),
                    message.since,
                    message.seq,
                    pack_placements(message.placements),
                    message.row,
                )
            )
            if message.facts is not None:
                self._facts.append(
                    (
                        to_bytes(message.mail_id),
                        message.internal_date,
                        message.size,
                        *_facts(message, message.text_row),
                        message.row,
                    )
                )
        before = (message.stored or NOT_STORED).placements
        after = message.placements
        if before == after:
            return
        for number in before:
            if number not in after:
                self._unplaced.append((box, number, message.internal_date, identifier))
        for number, placed in after.items():
            if before.get(number) != placed:
                self._placed.append(
                    (
                        box,
                        number,
                        message.internal_date,
                        identifier,
                        message.row,
                        placed.uid,
                        placed.since,
                    )
                )

    def write(self) -> None:
        """Write all rows, inside the caller's transaction."""
        for box, message in self._erased:
            self._erase(box, message)
        many = self._connection.executemany
        many("insert into text values (?,?)", self._texts)
        many(_WIPE, self._blanked)
        many(_MAILBOX, self._mailboxes)
        many(_LABEL, self._labels)
        many(_NO_FILTER, self._no_filters)
        many(_FILTER, self._filters)
        many(_NEW, self._new)
        many(_STATE, self._states)
        many(_FACTS, self._facts)
        many(_UNPLACE, self._unplaced)
        many(_PLACE, self._placed)
        many("insert into past_placed values (?,?,?,?,?,?,?,?)", self._past_placed)
        many("insert into past_state values (?,?,?,?,?,?)", self._past_states)
        many("insert into gone values (?,?,?,?)", self._gone)
        many("insert or replace into merge values (?,?,?,?)", self._merges)
        many("insert into feed values (?,?,?,?,?,?,?,?)", self._feed)

    def _erase(self, box: int, message: Message) -> None:
        execute = self._connection.execute
        stored = message.stored or NOT_STORED
        identifier = to_bytes(message.message_id)
        for number in stored.placements:
            execute(_UNPLACE, (box, number, stored.internal_date, identifier))
        execute(_FORGET, (box, stored.internal_date, identifier))
        execute(_WIPE, (message.text_row,))
        execute("delete from past_state where message = ?", (message.row,))
        execute(_BLANK, (message.row,))
        execute("delete from message where row = ?", (message.row,))
