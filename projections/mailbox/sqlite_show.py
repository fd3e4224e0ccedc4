"""Rows of the file as what readers get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import apsw
import msgspec

from projections.mailbox.opening import unpack
from projections.mailbox.ports import FeedEntry, MessageRow
from projections.mailbox.sqlite_load import unpack_placements
from projections.mailbox.state import Label, MailboxState
from projections.mailbox.tables import NOW, Value
from schemas.identity import from_bytes
from schemas.labels import ALL, FLAGGED, SEEN
from schemas.parts import Digest, Source, Verdict

_MESSAGE = (
    "select id, mail_id, thread_id, internal_date, size, flags, since, seq, placements,"
    " received_at, attachment_count, verdict, source, authenticated_id, scored_id, t.octets"
    " from message left join text t on t.row = message.text where message.row = ?"
)
_MERGED = (
    "select into_id from merge where mailbox = ? and thread_id = ? and seq <= ?"
    " order by seq desc limit 1"
)
_PAST_STATE = (
    "select flags, thread_id from past_state where message = ? and since <= ?"
    " order by since desc limit 1"
)
_PAST_PLACED = (
    "select label, uid from past_placed where mailbox = ?1 and internal_date = ?2 and id = ?3"
    " and since <= ?4 and until > ?4"
    " and label in (select number from label where mailbox = ?1)"
)
_LAST_CHANGE = "select max(seq) from feed where message = ? and seq <= ?"

_Message = tuple[
    bytes, bytes, bytes, int, int, str, int, int, bytes,
    int, int, Verdict, Source, bytes | None, bytes | None, bytes | None,
]  # fmt: skip
_NO_TEXT = Digest(author=[], subject="", snippet="")


class Shower:
    """Turns rows of one mailbox into what readers get, in one snapshot.

    `seq` None shows them as they are, else as they were as of that seq.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        mailbox: MailboxState,
        labels: Mapping[str, Label],
        seq: int | None,
    ) -> None:
        self._execute = connection.execute
        self._mailbox = mailbox.row
        self._names = {label.number: label_id for label_id, label in labels.items()}
        self._seq = seq
        self._threads: dict[bytes, str] = {}

    def message(self, row: int) -> MessageRow:
        """Return the visible message in that row."""
        (
            identifier, mail_id, thread_id, internal_date, size, flag_text, since, seq, packed,
            received_at, attachments, verdict, source, authenticated, scored, text,
        ) = cast("_Message", self._execute(_MESSAGE, (row,)).fetchone())  # fmt: skip
        names = self._names
        placed = {n: (p.uid, p.since) for n, p in unpack_placements(packed).items() if n in names}
        then = self._seq
        if then is not None:
            placed = {n: p for n, p in placed.items() if p[1] <= then}
            gone = self._execute(_PAST_PLACED, (self._mailbox, internal_date, identifier, then))
            placed.update((n, (u, 0)) for n, u in cast("Any", gone) if n in names)
            if since > then:
                past = self._execute(_PAST_STATE, (row, then)).fetchone()
                flag_text, thread_id = cast("tuple[str, bytes]", past)
            last = self._execute(_LAST_CHANGE, (row, then)).fetchone()
            (seq,) = cast("tuple[int]", last)
        placements = {names[n]: uid for n, (uid, _) in placed.items()}
        flags = tuple(flag_text.split())
        digest = unpack(text) if text else _NO_TEXT
        return MessageRow(
            message_id=from_bytes(identifier),
            mail_id=from_bytes(mail_id),
            thread_id=self._thread(thread_id),
            labels=tuple(sorted(placements.keys() - {ALL})),
            placements=placements,
            flags=flags,
            is_read=SEEN in flags,
            is_starred=FLAGGED in flags,
            received_at=received_at,
            internal_date=internal_date,
            size=size,
            attachment_count=attachments,
            verdict=verdict,
            source=source,
            authenticated_id=from_bytes(authenticated) if authenticated else "",
            scored_id=from_bytes(scored) if scored else "",
            seq=seq,
            has_text=bool(text),
            author=tuple(digest.author),
            to=tuple(digest.to),
            cc=tuple(digest.cc),
            reply_to=tuple(digest.reply_to),
            subject=digest.subject,
            date=digest.date,
            snippet=digest.snippet,
            attachments=tuple(digest.parts),
            message_id_header=digest.message_id_header,
            in_reply_to=tuple(digest.in_reply_to),
            references=tuple(digest.references),
            list_id=digest.list_id,
            trace=digest.trace,
            truncated=digest.truncated,
            unreadable=digest.unreadable,
        )

    def thread_of(self, row: int) -> str:
        """Return the thread of the visible message in that row, merges resolved."""
        found = self._execute("select since, thread_id from message where row = ?", (row,))
        since, thread_id = cast("tuple[int, bytes]", found.fetchone())
        if self._seq is not None and since > self._seq:
            past = self._execute(_PAST_STATE, (row, self._seq)).fetchone()
            _, thread_id = cast("tuple[str, bytes]", past)
        return self._thread(thread_id)

    def _thread(self, thread_id: bytes) -> str:
        known = self._threads.get(thread_id)
        if known is not None:
            return known
        at = NOW if self._seq is None else self._seq
        # The mailbox stage makes no circle; a fold must end on one all the same.
        current, seen = thread_id, {thread_id}
        while True:
            found = self._execute(_MERGED, (self._mailbox, current, at)).fetchone()
            if found is None:
                break
            current = cast("bytes", found[0])
            if current in seen:
                break
            seen.add(current)
        self._threads[thread_id] = from_bytes(current)
        return self._threads[thread_id]


FEED_COLUMNS = "f.seq, f.type, f.recorded_at, f.occurred_at, f.event_id, m.id, m.mail_id, f.detail"


def feed_entry(columns: tuple[Value, ...]) -> FeedEntry:
    """Return the entry in a row of FEED_COLUMNS."""
    seq, kind, recorded_at, occurred_at, event_id, message_id, mail_id, packed = cast(
        "tuple[int, str, int, int, bytes | None, bytes | None, bytes | None, bytes]", columns
    )
    if event_id is None:
        return FeedEntry(seq, kind)
    detail: dict[str, Any] = msgspec.msgpack.decode(packed)
    # An Erased names its message in itself, for no row of it is left.
    own_message, own_mail = detail.pop("message_id", None), detail.pop("mail_id", None)
    return FeedEntry(
        seq,
        kind,
        occurred_at,
        recorded_at,
        from_bytes(event_id),
        own_message if message_id is None else from_bytes(message_id),
        own_mail if mail_id is None else from_bytes(mail_id),
        detail.pop("thread_id", None),
        detail,
    )
