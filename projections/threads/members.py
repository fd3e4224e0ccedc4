"""The messages of a conversation, now or then, merges resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import apsw

from projections.mailbox.sqlite_load import unpack_placements
from projections.mailbox.state import Label, MailboxState
from projections.mailbox.tables import NOW
from schemas.labels import SPAM, TRASH

_NOW = (
    "select row, id, internal_date, flags, thread_id, placements, attachment_count, since, seq,"
    " visible from message where mailbox = ? and thread_id = ?"
)
_THEN = (
    "select m.row, m.id, m.internal_date, p.flags, p.thread_id, m.placements, m.attachment_count,"
    " p.since, m.seq, m.visible from past_state p join message m on m.row = p.message"
    " where p.mailbox = ? and p.thread_id = ? and p.since <= ? and p.until > ?"
)
_PAST_PLACED = (
    "select label from past_placed where mailbox = ?1 and internal_date = ?2 and id = ?3"
    " and since <= ?4 and until > ?4"
    # The key begins with the label: without one, all of the mailbox's past is looked through.
    " and label in (select number from label where mailbox = ?1)"
)
_MERGED_INTO = "select distinct thread_id from merge where mailbox = ? and into_id = ? and seq <= ?"
_INTO = (
    "select into_id from merge where mailbox = ? and thread_id = ? and seq <= ?"
    " order by seq desc limit 1"
)

_Row = tuple[int, bytes, int, str, bytes, bytes, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Member:
    """A visible message of a conversation."""

    row: int
    message_id: bytes
    internal_date: int
    flags: frozenset[str]
    labels: frozenset[str]
    attachments: int
    seq: int

    @property
    def order(self) -> tuple[int, bytes]:
        """The order of lists: newest first, then by identifier."""
        return -self.internal_date, self.message_id

    @property
    def hidden(self) -> bool:
        """Whether it is in SPAM or TRASH."""
        return bool(self.labels & {SPAM, TRASH})


class Members:
    """Finds the members of conversations in one snapshot; `seq` None for now."""

    def __init__(
        self,
        connection: apsw.Connection,
        mailbox: MailboxState,
        labels: dict[str, Label],
        seq: int | None,
    ) -> None:
        self._execute = connection.execute
        self._mailbox = mailbox.row
        self._names = {label.number: label_id for label_id, label in labels.items()}
        self._seq = seq
        self._roots: dict[bytes, bytes] = {}
        self._found: dict[bytes, list[Member]] = {}

    def root(self, thread_id: bytes) -> bytes:
        """Return what a thread has become after merges."""
        if thread_id in self._roots:
            return self._roots[thread_id]
        at = NOW if self._seq is None else self._seq
        current, passed = thread_id, {thread_id}
        while True:
            found = self._execute(_INTO, (self._mailbox, current, at)).fetchone()
            if found is None or found[0] in passed:
                break
            current = cast("bytes", found[0])
            passed.add(current)
        self._roots[thread_id] = current
        return current

    def of(self, root: bytes) -> list[Member]:
        """Return the members of a conversation in the order of lists."""
        if root not in self._found:
            found = [m for t in self._merged(root) for m in self._in(t)]
            self._found[root] = sorted(found, key=lambda m: m.order)
        return self._found[root]

    def _merged(self, root: bytes) -> list[bytes]:
        at = NOW if self._seq is None else self._seq
        threads, queue = [root], [root]
        while queue:
            rows = self._execute(_MERGED_INTO, (self._mailbox, queue.pop(), at)).fetchall()
            for (thread_id,) in cast("list[tuple[bytes]]", rows):
                if thread_id not in threads and self.root(thread_id) == root:
                    threads.append(thread_id)
                    queue.append(thread_id)
        return threads

    def _in(self, thread_id: bytes) -> list[Member]:
        rows = self._execute(_NOW, (self._mailbox, thread_id)).fetchall()
        found = cast("list[_Row]", rows)
        seq = self._seq
        if seq is None:
            return [self._member(r, self._placed(r)) for r in found if r[9]]
        # Those that stand so since before then, and those that stood so then.
        found = [r for r in found if r[7] <= seq]
        past = self._execute(_THEN, (self._mailbox, thread_id, seq, seq)).fetchall()
        found += cast("list[_Row]", past)
        return [self._member(r, placed) for r in found if (placed := self._placed(r))]

    def _placed(self, row: _Row) -> frozenset[str]:
        seq, names = self._seq, self._names
        now = unpack_placements(row[5])
        placed = {n for n, p in now.items() if seq is None or p.since <= seq}
        if seq is not None:
            past = self._execute(_PAST_PLACED, (self._mailbox, row[2], row[1], seq)).fetchall()
            placed.update(cast("int", n) for (n,) in past)
        return frozenset(names[n] for n in placed if n in names)

    def _member(self, row: _Row, labels: frozenset[str]) -> Member:
        return Member(row[0], row[1], row[2], frozenset(row[3].split()), labels, row[6], row[8])
