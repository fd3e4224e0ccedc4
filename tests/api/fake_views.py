"""Conversations, contacts and search over the fake mailboxes, simple enough to look through."""

from __future__ import annotations

from collections.abc import Sequence

from mail.query.language import parse
from projections.contacts.ports import ContactRow
from projections.mailbox.ports import BadPageToken, MessageRow
from projections.search.ports import Found, Hit
from projections.threads.ports import Conversation, ThreadPage, ThreadRow
from tests.api.fake_mailboxes import FakeMailboxes


def _row(messages: Sequence[MessageRow]) -> ThreadRow:
    first, last = messages[0], messages[-1]
    return ThreadRow(
        thread_id=first.thread_id,
        subject=first.subject,
        snippet=last.snippet,
        participants=tuple({p.address: p for m in messages for p in m.author}.values()),
        labels=tuple(sorted({x for m in messages for x in m.labels})),
        messages=len(messages),
        unread=sum(not m.is_read for m in messages),
        starred=any(m.is_starred for m in messages),
        has_attachments=any(m.has_attachments for m in messages),
        first_date=first.internal_date,
        last_date=last.internal_date,
        seq=max(m.seq for m in messages),
    )


class FakeThreads:
    def __init__(self, boxes: FakeMailboxes) -> None:
        self._boxes = boxes

    def _all(self, mailbox_id: str) -> dict[str, list[MessageRow]]:
        found: dict[str, list[MessageRow]] = {}
        rows = self._boxes.visible.get(mailbox_id, {}).values()
        for row in sorted(rows, key=lambda r: r.internal_date):
            found.setdefault(row.thread_id, []).append(row)
        return found

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
        rows = sorted(map(_row, self._all(mailbox_id).values()), key=lambda r: -r.last_date)
        rows = [r for r in rows if set(labels) <= set(r.labels)]
        begin = _begin(page_token)
        more = str(begin + limit) if len(rows) > begin + limit else None
        return ThreadPage(tuple(rows[begin : begin + limit]), more), self._boxes.head(mailbox_id)

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
        rows = self._all(mailbox_id).get(thread_id)
        begin = _begin(page_token)
        head = self._boxes.head(mailbox_id)
        if rows is None:
            return None, head
        more = str(begin + limit) if len(rows) > begin + limit else None
        return Conversation(_row(rows), tuple(rows[begin : begin + limit]), more), head


def _begin(token: str | None) -> int:
    if token is not None and not token.isdigit():
        raise BadPageToken(token)
    return int(token or 0)


class FakeContacts:
    def __init__(self, boxes: FakeMailboxes) -> None:
        self._boxes = boxes

    def find(
        self, mailbox_id: str, query: str, limit: int = 10
    ) -> tuple[Sequence[ContactRow], int]:
        found: dict[str, ContactRow] = {}
        for row in self._boxes.visible.get(mailbox_id, {}).values():
            for p in row.author:
                if p.address.startswith(query) or p.name.casefold().startswith(query):
                    found[p.address] = ContactRow(p.address, p.name, 1, row.internal_date)
        return list(found.values())[:limit], self._boxes.head(mailbox_id)


class FakeSearch:
    """Finds a message by words of its subject; labels and pages as the mailbox lists them."""

    def __init__(self, boxes: FakeMailboxes) -> None:
        self._boxes = boxes
        self.behind = 0
        """Events that the index has yet to see."""

    def head(self, mailbox_id: str) -> int:
        return self._boxes.head(mailbox_id) - self.behind

    def search(
        self,
        mailbox_id: str,
        query: str,
        *,
        labels: Sequence[str] = (),
        include_spam: bool = False,
        limit: int = 50,
        page_token: str | None = None,
        excerpts: bool = True,
    ) -> tuple[Found, int]:
        parse(query)
        page, _ = self._boxes.list(
            mailbox_id,
            labels=labels,
            include_spam=include_spam,
            limit=limit,
            page_token=page_token,
        )
        hits = [
            Hit(m.message_id, ("the ", query, " of it") if query in m.snippet else ())
            for m in page.messages
            if query in m.subject
        ]
        return Found(tuple(hits), page.next_token, len(hits)), self.head(mailbox_id)
