"""What every store of the mailbox projection must do: events in, rows out.

A test module of a store inherits the classes and supplies the fixture `store`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from infra.ports import KeyStore, Record
from projections.consumer import always
from projections.mailbox.ports import (
    BadPageToken,
    FilterRow,
    ForeignPageToken,
    MailboxReader,
    MessageRow,
)
from projections.ports import OutOfOrder, Projection, Unreadable
from projections.verify import compare
from schemas import mailbox_events as e
from schemas.labels import ALL, INBOX, SPAM
from tests.fakes import FakeKeys
from tests.histories import Histories, as_records
from tests.projections.naive import ALL_SOURCES, Naive, View


@dataclass
class Store:
    """A projection and a reader of it."""

    projection: Projection
    reader: MailboxReader


class MakeStore(Protocol):
    """Makes an empty store, any number of times."""

    def __call__(self, keys: KeyStore) -> Store: ...


def feed(store: Store, records: Sequence[Record], sizes: Callable[[], int] = lambda: 500) -> None:
    """Fold records in batches of the sizes drawn."""
    start = 0
    while start < len(records):
        size = sizes()
        store.projection.apply(records[start : start + size], always)
        start += size


def keys_of(history: Histories) -> FakeKeys:
    keys = FakeKeys()
    keys.keys = history.keys
    return keys


def of_mailbox(events: Sequence[e.MailboxEvent], mailbox_id: str) -> list[e.MailboxEvent]:
    return [event for event in events if event.mailbox_id == mailbox_id]


def everything(
    reader: MailboxReader, mailbox_id: str, limit: int = 500, **query: Any
) -> list[MessageRow]:
    """Return all messages of a query, page by page."""
    rows: list[MessageRow] = []
    token: str | None = None
    while True:
        page, _ = reader.list(mailbox_id, limit=limit, page_token=token, **query)
        assert len(page.messages) <= limit
        rows += page.messages
        token = page.next_token
        if token is None:
            return rows


def assert_shown(row: MessageRow, naive: Naive, view: View) -> None:
    """A row equals what the naive model sees of the message."""
    seen = view.messages[row.message_id]
    told = seen.told
    assert row.mail_id == seen.mail_id
    assert row.thread_id == view.thread(seen)
    assert dict(row.placements) == seen.placements
    assert row.labels == tuple(sorted(seen.placements.keys() - {ALL}))
    assert row.flags == tuple(sorted(seen.flags))
    assert row.is_read == ("seen" in seen.flags)
    assert row.is_starred == ("flagged" in seen.flags)
    assert row.seq == seen.seq
    assert (row.internal_date, row.received_at, row.size) == (
        seen.date,
        told.received_at,
        told.size,
    )
    assert (row.verdict, row.source) == (told.verdict, told.source)
    assert (row.authenticated_id, row.scored_id) == (told.authenticated_id, told.scored_id)
    assert row.has_attachments == (told.attachment_count > 0)
    digest = naive.digest(told)
    assert row.has_text == (digest is not None)
    if digest is not None:
        assert row.subject == digest.subject
        assert row.author == tuple(digest.author)
        assert row.attachments == tuple(digest.parts)
        assert row.trace == digest.trace


@contextmanager
def same_rows(left: Projection, right: Projection) -> Generator[None]:
    yield
    difference = compare(left, right)
    assert difference is None, str(difference)


class ProjectionContract:
    """Events in, rows out."""

    @pytest.mark.parametrize("seed", range(6))
    def test_random_histories_read_like_the_naive_model(self, store: MakeStore, seed: int) -> None:
        history = Histories(seed)
        events = history.events(400)
        made = store(keys_of(history))
        feed(made, as_records(events))
        for box in history.boxes:
            naive = Naive(of_mailbox(events, box.mailbox_id), history.keys)
            self._compare_now(made.reader, naive, box.mailbox_id)

    def _compare_now(self, reader: MailboxReader, naive: Naive, mailbox_id: str) -> None:
        head = naive.events[-1].seq
        view = naive.view(head)
        assert reader.head(mailbox_id) == head
        for labels in ALL_SOURCES:
            rows = everything(reader, mailbox_id, labels=labels)
            assert [r.message_id for r in rows] == view.listed(labels)
            for row in rows:
                assert_shown(row, naive, view)
                assert reader.get(mailbox_id, row.message_id) == (row, head)
                assert reader.known(mailbox_id, row.message_id)
            asked = [*(r.message_id for r in rows), mailbox_id]
            assert reader.get_many(mailbox_id, asked) == ({r.message_id: r for r in rows}, head)
        spam_too = everything(reader, mailbox_id, include_spam=True)
        assert [r.message_id for r in spam_too] == view.listed(include_spam=True)
        counts = reader.counts(mailbox_id)
        assert counts.messages == len(view.messages)
        assert counts.unread == sum("seen" not in m.flags for m in view.messages.values())
        assert counts.size == sum(m.told.size for m in view.messages.values())
        self._compare_labels(reader, naive, mailbox_id, view)
        self._compare_filters(reader, mailbox_id, view)
        entries, _ = reader.history(mailbox_id, 0, 10_000)
        assert [(x.seq, x.type, x.message_id) for x in entries] == naive.feed()

    def _compare_filters(self, reader: MailboxReader, mailbox_id: str, view: View) -> None:
        made = {label: row["made"] for label, row in view.labels.items()}
        expected = [
            FilterRow(
                x.filter_id,
                query,
                tuple(sorted(n for n in x.labels if n in made and made[n] < x.seq)),
                x.archive,
                x.star,
                x.read,
                x.never_spam,
            )
            for x, query in view.filters.values()
        ]
        assert list(reader.filters(mailbox_id)[0]) == expected

    def _compare_labels(
        self, reader: MailboxReader, naive: Naive, mailbox_id: str, view: View
    ) -> None:
        told = naive.view(naive.events[-1].seq, keep_erased=True)
        rows, _ = reader.labels(mailbox_id)
        assert {r.label_id for r in rows} == view.labels.keys()
        for row in rows:
            label = told.labels[row.label_id]
            assert (row.name, row.color) == (label["name"], label["color"])
            assert row.total == len(view.listed((row.label_id,), include_spam=True))
            assert row.unread == view.unread(row.label_id)
            assert row.uid_next == label["uid"] + 1
            assert row.uid_validity == label["made"]
            for since in (0, naive.events[-1].seq // 2):
                gone = sorted(u for s, u in told.vanished.get(row.label_id, ()) if s > since)
                assert reader.vanished(mailbox_id, row.label_id, since)[0] == gone

    @pytest.mark.parametrize("seed", range(10, 14))
    def test_the_past_reads_like_the_naive_model(self, store: MakeStore, seed: int) -> None:
        history = Histories(seed, mailboxes=1)
        events = history.events(250)
        made = store(keys_of(history))
        feed(made, as_records(events))
        mailbox_id = history.boxes[0].mailbox_id
        naive = Naive(events, history.keys)
        times = {x.recorded_at for x in random.Random(seed).sample(events, 25)}
        for at in (*times, events[0].recorded_at - 1, events[-1].recorded_at + 1):
            seq = max((x.seq for x in events if x.recorded_at <= at), default=0)
            view = naive.view(seq)
            user = [x for x in view.labels if len(x) == 36]
            for labels in (*ALL_SOURCES, *((x,) for x in user)):
                rows = everything(made.reader, mailbox_id, 7, labels=labels, at=at)
                assert [r.message_id for r in rows] == view.listed(labels)
                for row in rows:
                    assert_shown(row, naive, view)
            spam_too = everything(made.reader, mailbox_id, include_spam=True, at=at)
            assert [r.message_id for r in spam_too] == view.listed(include_spam=True)

    @pytest.mark.parametrize("seed", range(20, 24))
    def test_any_cutting_into_batches_gives_the_same_rows(
        self, store: MakeStore, seed: int
    ) -> None:
        history = Histories(seed, erase_keys=False)
        records = as_records(history.events(400))
        whole, cut = store(keys_of(history)), store(keys_of(history))
        rng = random.Random(seed)
        with same_rows(whole.projection, cut.projection):
            feed(whole, records)
            feed(cut, records, lambda: rng.choice((1, 1, 2, 3, 7, 50)))

    def test_each_event_applied_twice_gives_the_same_rows(self, store: MakeStore) -> None:
        history = Histories(30, erase_keys=False)
        events = history.events(300)
        once, twice = store(keys_of(history)), store(keys_of(history))
        with same_rows(once.projection, twice.projection):
            feed(once, as_records(events))
            # New offsets: not the position but the head of the mailbox must hold them back.
            feed(twice, as_records([x for event in events for x in (event, event)]))
            with pytest.raises(AssertionError, match="position"):
                assert once.projection.position() == twice.projection.position(), "position"

    def test_a_batch_applied_again_changes_nothing(self, store: MakeStore) -> None:
        history = Histories(31)
        records = as_records(history.events(100))
        made = store(keys_of(history))
        feed(made, records)
        before = made.projection.digest()
        feed(made, records[40:90])
        assert made.projection.digest() == before
        assert made.projection.position() == {0: len(records)}

    def test_an_erased_message_is_absent_from_list_past_and_feed(self, store: MakeStore) -> None:
        history = Histories(32, mailboxes=1)
        box = history.boxes[0]
        events = list(history.command(box))
        shown = history.boxes[0].messages[0]
        erased = history._erased(box, shown)  # pyright: ignore[reportPrivateUsage]
        made = store(keys_of(history))
        feed(made, as_records([*events, erased]))
        reader = made.reader
        assert reader.get(box.mailbox_id, shown.message_id) == (None, erased.seq)
        assert not reader.known(box.mailbox_id, shown.message_id)
        assert everything(reader, box.mailbox_id, include_spam=True) == []
        assert (
            everything(reader, box.mailbox_id, include_spam=True, at=events[-1].recorded_at) == []
        )
        assert reader.message_history(box.mailbox_id, shown.message_id) == []
        entries, _ = reader.history(box.mailbox_id, 0)
        assert [x.type for x in entries][1:] == ["Threaded", "Labelled", "Delivered", "Erased"]
        assert all(x.event_id is None and not x.detail for x in entries[1:-1])
        assert entries[-1].message_id == shown.message_id

    def test_without_its_key_a_message_is_listed_without_text(self, store: MakeStore) -> None:
        history = Histories(33, mailboxes=1)
        events = list(history.command(history.boxes[0]))
        made = store(FakeKeys())
        feed(made, as_records(events))
        (row,) = everything(made.reader, history.boxes[0].mailbox_id, include_spam=True)
        assert (row.has_text, row.subject, row.size > 0) == (False, "", True)

    def test_a_message_is_not_seen_before_its_delivered(self, store: MakeStore) -> None:
        history = Histories(34, mailboxes=1)
        *first, _ = history.command(history.boxes[0])
        made = store(keys_of(history))
        feed(made, as_records(first))
        mailbox_id = history.boxes[0].mailbox_id
        assert everything(made.reader, mailbox_id, include_spam=True) == []
        assert made.reader.counts(mailbox_id).messages == 0
        assert made.reader.head(mailbox_id) == len(first)
        labels, _ = made.reader.labels(mailbox_id)
        assert all(x.uid_next == 1 and x.total == 0 for x in labels)

    def test_pages_neither_repeat_nor_skip_while_mail_arrives(self, store: MakeStore) -> None:
        history = Histories(35, mailboxes=1)
        box = history.boxes[0]
        events = list(history.command(box))
        for _ in range(40):
            events += history.deliver(box)
        made = store(keys_of(history))
        records = as_records(events)
        feed(made, records)
        before = [r.message_id for r in everything(made.reader, box.mailbox_id)]
        rows: list[str] = []
        token: str | None = None
        while True:
            page, _ = made.reader.list(box.mailbox_id, limit=5, page_token=token)
            rows += [r.message_id for r in page.messages]
            token = page.next_token
            if token is None:
                break
            events += history.deliver(box, date=box.recorded_at)
            feed(made, as_records(events))
        assert rows == before

    def test_a_token_of_another_query_or_mailbox_is_refused(self, store: MakeStore) -> None:
        history = Histories(36, mailboxes=2)
        events = history.events(200)
        made = store(keys_of(history))
        feed(made, as_records(events))
        here, there = (box.mailbox_id for box in history.boxes)
        page, _ = made.reader.list(here, limit=1, labels=[ALL])
        token = page.next_token
        assert token is not None
        wrong: list[tuple[str, Mapping[str, Any]]] = [
            (there, {"labels": [ALL]}),
            (here, {"labels": [INBOX]}),
            (here, {}),
            (here, {"labels": [ALL], "at": 1}),
        ]
        for mailbox_id, query in wrong:
            with pytest.raises(BadPageToken if mailbox_id == here else ForeignPageToken):
                made.reader.list(mailbox_id, page_token=token, **query)
        for garbled in (
            "",
            "x",
            "é",
            token[:-1],
            token + "A",
            token[:5] + "*" + token[5:],
            "A" * 43,
        ):
            with pytest.raises(BadPageToken):
                made.reader.list(here, labels=[ALL], page_token=garbled)

    def test_a_message_is_found_by_its_message_id_until_it_is_erased(
        self, store: MakeStore
    ) -> None:
        history = Histories(43, mailboxes=2)
        made = store(keys_of(history))
        feed(made, as_records(history.events(400)))
        states = set[str]()
        for box in history.boxes:
            for m in box.messages:
                found = made.reader.find_message_id(m.digest.message_id_header)
                wanted = [] if m.state == "erased" else [(box.mailbox_id, m.message_id, m.mail_id)]
                assert list(found) == wanted
                states.add(m.state)
        assert states == {"live", "expunged", "erased"}

    def test_all_messages_with_the_same_message_id_are_found(self, store: MakeStore) -> None:
        history = Histories(43, mailboxes=2)
        history.message_id_header = "<same@example.test>"
        made = store(keys_of(history))
        feed(made, as_records(history.events(60)))
        found = made.reader.find_message_id("<same@example.test>")
        assert {message_id for _, message_id, _ in found} == {
            m.message_id for box in history.boxes for m in box.messages if m.state != "erased"
        }
        assert made.reader.find_message_id("same@example.test") == []

    def test_what_nobody_has_is_empty_and_no_error(self, store: MakeStore) -> None:
        reader = store(FakeKeys()).reader
        for name in ("00000000-0000-5000-8000-000000000000", "nonsense", ""):
            page, head = reader.list(name)
            assert (page.messages, page.next_token, page.estimate, head) == ((), None, 0, 0)
            assert reader.list(name, labels=["nope"], at=5)[0].messages == ()
            assert reader.get(name, name) == (None, 0)
            assert not reader.known(name, name)
            assert list(reader.labels(name)[0]) == []
            assert list(reader.history(name, 0)[0]) == []
            assert list(reader.message_history(name, name)) == []
            assert list(reader.vanished(name, SPAM, 0)[0]) == []

    def test_another_mailbox_does_not_get_the_message(self, store: MakeStore) -> None:
        history = Histories(37, mailboxes=2)
        made = store(keys_of(history))
        feed(made, as_records(history.events(60)))
        here, there = (box.mailbox_id for box in history.boxes)
        (row, *_) = everything(made.reader, here, include_spam=True)
        assert made.reader.get(there, row.message_id)[0] is None
        assert not made.reader.known(there, row.message_id)
        assert list(made.reader.message_history(there, row.message_id)) == []

    def test_the_feed_pages_by_seq_without_a_gap(self, store: MakeStore) -> None:
        history = Histories(38, mailboxes=1)
        events = history.events(120)
        made = store(keys_of(history))
        feed(made, as_records(events))
        mailbox_id = history.boxes[0].mailbox_id
        seqs: list[int] = []
        while True:
            entries, head = made.reader.history(mailbox_id, seqs[-1] if seqs else 0, 7)
            if not entries:
                break
            seqs += [x.seq for x in entries]
        assert seqs == list(range(1, head + 1))

    def test_a_message_tells_its_own_history(self, store: MakeStore) -> None:
        history = Histories(39, mailboxes=1)
        events = history.events(150)
        made = store(keys_of(history))
        feed(made, as_records(events))
        for m in history.boxes[0].messages:
            own = [x for x in events if getattr(x, "message_id", None) == m.message_id]
            if m.state == "erased" or any(isinstance(x, e.Erased) for x in own):
                continue
            entries = made.reader.message_history(history.boxes[0].mailbox_id, m.message_id)
            assert [(x.seq, x.type) for x in entries] == [(x.seq, type(x).__name__) for x in own]
            assert [x.event_id for x in entries] == [x.event_id for x in own]

    def test_a_seq_that_is_skipped_stops_the_fold_with_nothing_written(
        self, store: MakeStore
    ) -> None:
        history = Histories(40, mailboxes=1)
        events = history.events(30)
        made = store(keys_of(history))
        records = as_records(events)
        with pytest.raises(OutOfOrder):
            made.projection.apply([*records[:10], *records[11:]], always)
        assert made.projection.position() == {}
        assert made.reader.head(history.boxes[0].mailbox_id) == 0

    def test_a_record_that_is_no_event_is_named_and_stops_the_fold(self, store: MakeStore) -> None:
        made = store(FakeKeys())
        bad = Record("mailbox.events", 3, 7, "k", "Delivered", "id", 0, b"\x01")
        with pytest.raises(Unreadable) as caught:
            made.projection.apply([bad], always)
        assert (caught.value.partition, caught.value.offset) == (3, 7)

    def test_nothing_is_written_to_a_version_that_is_not_live_any_more(
        self, store: MakeStore
    ) -> None:
        history = Histories(41)
        made = store(keys_of(history))
        assert not made.projection.apply(as_records(history.events(20)), lambda: False)
        assert made.projection.position() == {}
