"""The thread reader over the mailbox projection in SQLite; each read is one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import apsw

from projections.mailbox.paging import START, Place, Query, from_token, to_token
from projections.mailbox.ports import MessageRow
from projections.mailbox.sqlite_list import labels_at, list_messages
from projections.mailbox.sqlite_load import load_mailbox, octets
from projections.mailbox.sqlite_reader import Snapshots, as_of
from projections.mailbox.sqlite_show import Shower
from projections.threads.members import Member, Members
from projections.threads.ports import Conversation, ThreadPage, ThreadRow
from schemas.identity import from_bytes
from schemas.labels import ALL, FLAGGED, SEEN
from schemas.parts import Mailbox

_STEP = 200
_NEWEST = 50
"""Messages at the end of a conversation whose authors are told."""


class SqliteThreadReader:
    """Port ThreadReader; for any number of threads, each read on a connection of its own."""

    def __init__(self, live: Callable[[], Path]) -> None:
        """`live` names the file of the live version of the mailbox projection."""
        self._snapshots = Snapshots(live)

    def close(self) -> None:
        """Close the connections that no read uses."""
        self._snapshots.close()

    def list(
        self,
        mailbox_id: str,
        *,
        labels: Sequence[str] = (),
        include_spam: bool = False,
        limit: int = 50,
        page_token: str | None = None,
        at: int | None = None,
    ) -> tuple[ThreadPage, int]:
        """Return a page of conversations, and the head. Raises BadPageToken."""
        query = Query(mailbox_id, frozenset(labels), include_spam, at)
        behind = from_token(query, page_token)
        with self._snapshots.take() as connection:
            reading = _Reading(connection, mailbox_id, at)
            found: list[tuple[bytes, Place]] = []
            met: set[bytes] = set()
            while len(found) <= limit:
                listed, _ = list_messages(
                    connection, reading.mailbox, query, reading.then, behind, _STEP
                )
                for date, identifier, row in listed:
                    behind = Place(date, identifier)
                    root = reading.root_of(row)
                    if root not in met:
                        met.add(root)
                        first = next(m for m in reading.members.of(root) if _matches(m, query))
                        # One whose newest match stands before this page was on an earlier one.
                        if first.row == row:
                            found.append((root, behind))
                            if len(found) > limit:
                                break
                if len(listed) < _STEP:
                    break
            threads = tuple(reading.thread(root, include_spam) for root, _ in found[:limit])
        token = to_token(query, found[limit - 1][1]) if len(found) > limit else None
        return ThreadPage(threads, token), reading.mailbox.head

    def get(
        self,
        mailbox_id: str,
        thread_id: str,
        *,
        include_spam: bool = False,
        limit: int = 100,
        page_token: str | None = None,
        at: int | None = None,
    ) -> tuple[Conversation | None, int]:
        """Return a page of one conversation, and the head. Raises BadPageToken."""
        query = Query(mailbox_id, frozenset(), include_spam, at, thread_id)
        behind = from_token(query, page_token)
        with self._snapshots.take() as connection:
            reading = _Reading(connection, mailbox_id, at)
            root = reading.members.root(octets(thread_id))
            shown = _shown(reading.members.of(root), include_spam)
            if not shown:
                return None, reading.mailbox.head
            oldest_first = shown[::-1]
            if behind != START:
                after = (-behind.internal_date, behind.message_id)
                oldest_first = [m for m in oldest_first if m.order < after]
            page = oldest_first[:limit]
            messages = tuple(reading.message(m) for m in page)
            token = None
            if len(oldest_first) > limit:
                token = to_token(query, Place(page[-1].internal_date, page[-1].message_id))
            thread = reading.thread(root, include_spam)
        return Conversation(thread, messages, token), reading.mailbox.head


def _matches(member: Member, query: Query) -> bool:
    if query.labels:
        return query.labels <= member.labels
    return query.include_spam or not member.hidden


def _shown(members: Sequence[Member], include_spam: bool) -> Sequence[Member]:
    """Return the members that a conversation is told of."""
    open_ones = [m for m in members if include_spam or not m.hidden]
    return open_ones or list(members)


class _Reading:
    """One mailbox in one snapshot."""

    def __init__(self, connection: apsw.Connection, mailbox_id: str, at: int | None) -> None:
        self._connection = connection
        self.mailbox = load_mailbox(connection, mailbox_id)
        self.then = None if at is None else as_of(connection, self.mailbox, at)
        seq = None if self.then is None else self.then.seq
        labels = labels_at(self.mailbox, seq)
        self.members = Members(connection, self.mailbox, labels, seq)
        self._shower = Shower(connection, self.mailbox, labels, seq)

    def root_of(self, row: int) -> bytes:
        return octets(self._shower.thread_of(row))

    def message(self, member: Member) -> MessageRow:
        return self._shower.message(member.row)

    def thread(self, root: bytes, include_spam: bool) -> ThreadRow:
        shown = _shown(self.members.of(root), include_spam)
        first, last = self.message(shown[-1]), self.message(shown[0])
        told = {shown[-1].row: shown[-1], **{m.row: m for m in shown[:_NEWEST][::-1]}}
        people: dict[str, Mailbox] = {}
        for m in told.values():
            for person in self.message(m).author:
                people.setdefault(person.address.casefold(), person)
        return ThreadRow(
            thread_id=from_bytes(root),
            subject=first.subject,
            snippet=last.snippet,
            participants=tuple(people.values()),
            labels=tuple(sorted({x for m in shown for x in m.labels} - {ALL})),
            messages=len(shown),
            unread=sum(SEEN not in m.flags for m in shown),
            starred=any(FLAGGED in m.flags for m in shown),
            has_attachments=any(m.attachments for m in shown),
            first_date=first.internal_date,
            last_date=last.internal_date,
            seq=max(m.seq for m in shown),
        )
