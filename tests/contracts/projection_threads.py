"""What every reader of conversations must answer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Protocol

import pytest

from infra.ports import KeyStore
from projections.mailbox.ports import ForeignPageToken
from projections.ports import Projection
from projections.threads.ports import ThreadReader, ThreadRow
from schemas.labels import ALL, INBOX, SPAM, TRASH
from tests.contracts.projection_mailbox import keys_of, of_mailbox
from tests.histories import Histories, as_records
from tests.projections.naive import Naive, View

HIDDEN = {SPAM, TRASH}


class MakeThreads(Protocol):
    def __call__(self, keys: KeyStore) -> tuple[Projection, ThreadReader]: ...


def conversations(view: View) -> dict[str, list[str]]:
    """Messages by conversation, newest first."""
    found: dict[str, list[str]] = {}
    for message_id in view.listed(include_spam=True):
        found.setdefault(view.thread(view.messages[message_id]), []).append(message_id)
    return found


def expected(view: View, labels: Sequence[str], include_spam: bool) -> list[str]:
    """Conversations by their newest message that matches."""
    listed = view.listed(labels, include_spam)
    return list(dict.fromkeys(view.thread(view.messages[m]) for m in listed))


def all_threads(reader: ThreadReader, mailbox_id: str, limit: int, **query: Any) -> list[ThreadRow]:
    rows: list[ThreadRow] = []
    token: str | None = None
    while True:
        page, _ = reader.list(mailbox_id, limit=limit, page_token=token, **query)
        assert len(page.threads) <= limit
        rows += page.threads
        token = page.next_token
        if token is None:
            return rows


def shown(view: View, ids: list[str], include_spam: bool) -> list[str]:
    kept = [i for i in ids if include_spam or not view.messages[i].placements.keys() & HIDDEN]
    return kept or ids


def agree(reader: ThreadReader, naive: Naive, mailbox_id: str, view: View, **at: Any) -> None:
    threads = conversations(view)
    for labels, spam in (((), False), ((), True), ((INBOX,), False), ((TRASH,), False)):
        rows = all_threads(reader, mailbox_id, 7, labels=labels, include_spam=spam, **at)
        assert [r.thread_id for r in rows] == expected(view, labels, spam)
        for row in rows:
            ids = shown(view, threads[row.thread_id], spam)
            seen = [view.messages[i] for i in ids]
            assert row.messages == len(ids)
            assert row.unread == sum("seen" not in m.flags for m in seen)
            assert row.starred == any("flagged" in m.flags for m in seen)
            assert set(row.labels) == {x for m in seen for x in m.placements} - {ALL}
            assert (row.first_date, row.last_date) == (seen[-1].date, seen[0].date)
            assert row.has_attachments == any(m.told.attachment_count for m in seen)
            first, last = naive.digest(seen[-1].told), naive.digest(seen[0].told)
            assert first is not None
            assert last is not None
            assert (row.subject, row.snippet) == (first.subject, last.snippet)
    for thread_id, ids in threads.items():
        messages: list[str] = []
        token = None
        while True:
            found, _ = reader.get(mailbox_id, thread_id, limit=3, page_token=token, **at)
            assert found is not None
            messages += [m.message_id for m in found.messages]
            token = found.next_token
            if token is None:
                break
        assert messages == shown(view, ids, False)[::-1]


class ThreadReaderContract:
    """A test module of a store inherits this and supplies the fixture `threads`."""

    @pytest.mark.parametrize("seed", range(4))
    def test_conversations_read_like_the_naive_model(self, threads: MakeThreads, seed: int) -> None:
        history = Histories(seed)
        events = history.events(300)
        projection, reader = threads(keys_of(history))
        projection.apply(as_records(events), lambda: True)
        for box in history.boxes:
            naive = Naive(of_mailbox(events, box.mailbox_id), history.keys)
            agree(reader, naive, box.mailbox_id, naive.view(naive.events[-1].seq))

    @pytest.mark.parametrize("seed", range(10, 13))
    def test_the_past_reads_like_the_naive_model(self, threads: MakeThreads, seed: int) -> None:
        history = Histories(seed, mailboxes=1)
        events = history.events(200)
        projection, reader = threads(keys_of(history))
        projection.apply(as_records(events), lambda: True)
        mailbox_id = history.boxes[0].mailbox_id
        naive = Naive(events, history.keys)
        for at in {x.recorded_at for x in random.Random(seed).sample(events, 15)}:
            seq = max(x.seq for x in events if x.recorded_at <= at)
            agree(reader, naive, mailbox_id, naive.view(seq), at=at)

    def test_a_merged_conversation_answers_to_its_old_name(self, threads: MakeThreads) -> None:
        history = Histories(5, mailboxes=1)
        events = history.events(300)
        projection, reader = threads(keys_of(history))
        projection.apply(as_records(events), lambda: True)
        box = history.boxes[0]
        merged = [(t, x.thread_id) for x in events for t in getattr(x, "merged", [])]
        assert merged
        for old, new in merged:
            one, _ = reader.get(box.mailbox_id, old, include_spam=True)
            other, _ = reader.get(box.mailbox_id, new, include_spam=True)
            assert (one and one.thread) == (other and other.thread)

    def test_nobody_else_gets_a_conversation(self, threads: MakeThreads) -> None:
        history = Histories(6, mailboxes=2)
        events = history.events(100)
        projection, reader = threads(keys_of(history))
        projection.apply(as_records(events), lambda: True)
        here, there = (box.mailbox_id for box in history.boxes)
        for row in all_threads(reader, here, 50, include_spam=True):
            assert reader.get(there, row.thread_id)[0] is None
        page, _ = reader.list(here, limit=1)
        assert page.next_token is not None
        with pytest.raises(ForeignPageToken):
            reader.list(there, page_token=page.next_token)
        for name in ("nonsense", ""):
            assert reader.get(here, name)[0] is None
            assert reader.list(name)[0].threads == ()
