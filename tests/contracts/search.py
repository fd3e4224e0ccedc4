"""What every engine of search must do: events and content in, messages found.

A test module of an engine inherits the classes and supplies the fixture `store`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from infra.ports import Record
from mail.query.language import parse
from projections.consumer import always
from projections.ports import OutOfOrder, Projection, Unreadable
from projections.search.ports import BadPageToken, BadQuery, SearchReader
from projections.verify import compare
from schemas import mailbox_events as e
from schemas.labels import ALL, FLAGGED, INBOX, SEEN, SPAM, TRASH
from tests.histories import as_records
from tests.projections.naive import Naive as NaiveMailbox
from tests.search.mails import HOUR, START, Letterbox, MailHistories, Stores, mail
from tests.search.naive import Message, Naive

NOW = START + 1000 * HOUR


@dataclass
class Store:
    """A projection and a reader of it. `refresh` makes what was folded visible to searches."""

    projection: Projection
    reader: SearchReader
    refresh: Callable[[], None] = lambda: None


class MakeStore(Protocol):
    """Makes an empty store, any number of times; its clock stands at NOW."""

    def __call__(self, stores: Stores) -> Store: ...


def feed(store: Store, records: Sequence[Record], sizes: Callable[[], int] = lambda: 500) -> None:
    """Fold records in batches of the sizes drawn."""
    start = 0
    while start < len(records):
        size = sizes()
        store.projection.apply(records[start : start + size], always)
        start += size
    store.refresh()


def found(reader: SearchReader, mailbox_id: str, query: str, **more: Any) -> list[str]:
    """Return all messages of a query, page by page."""
    limit = more.pop("limit", 50)
    ids: list[str] = []
    token: str | None = None
    while True:
        page, _ = reader.search(
            mailbox_id, query, limit=limit, page_token=token, excerpts=False, **more
        )
        assert len(page.hits) <= limit
        ids += [h.message_id for h in page.hits]
        assert page.estimate >= len(page.hits)
        token = page.next_token
        if token is None:
            return ids


POOL = [
    mail("Lunch at noon?\n", subject="Lunch", author="Bob Stone <bob@stone.example>"),
    mail("The quarterly report is attached.\n", subject="Report Q3", to="team@example.test"),
    mail("Ça va, Zoé? Über alles.\n", subject="Déjà vu", Cc="Zoé <zoe@cafe.example>"),
    mail("会議室の予定を確認してください。\n", subject="会議の予定"),
    mail("an e-mail about the e-mail server mx1.mail.example.test\n", subject="re: order #12"),
    mail("회의 일정을 확인하세요\n", List_Id="Dev <dev.lists.example.test>"),
]
QUERIES = (
    "lunch",
    "report -lunch",
    "uber OR zoe",
    "予定",
    "is:unread",
    "is:read",
    "is:starred mail",
    "in:inbox",
    "in:spam",
    "in:trash lunch",
    "in:anywhere report",
    "-in:inbox",
    "label:sent OR is:starred OR 会議",
    "larger:10K",
    "smaller:5000 to:demo",
    "list:dev.lists",
    "from:bob -is:read",
    "cc:zoe",
    "subject:re",
)


class SearchContract:
    """Events and content in, messages found."""

    @pytest.mark.parametrize("seed", range(5))
    def test_random_histories_are_found_as_the_naive_model_finds_them(
        self, store: MakeStore, seed: int
    ) -> None:
        history = MailHistories(seed, POOL)
        events = history.events(300)
        made = store(history.stores)
        rng = random.Random(seed)
        feed(made, as_records(events), lambda: rng.choice((1, 3, 50, 200)))
        for box in history.boxes:
            own = [x for x in events if x.mailbox_id == box.mailbox_id]
            view = NaiveMailbox(own, history.keys).view(own[-1].seq)
            messages = [
                Message.of(history.raws[i], i, m.date, m.told.size, m.placements, m.flags)
                for i, m in view.messages.items()
            ]
            names = {i: row["name"] for i, row in view.labels.items() if len(i) == 36}
            naive = Naive(messages, NOW, names)
            asked = [*QUERIES, *(f'label:"{n}"' for n in names.values())]
            assert made.reader.head(box.mailbox_id) == box.seq
            for query in asked:
                node = parse(query)
                assert found(made.reader, box.mailbox_id, query, limit=7) == naive.search(node)
                for labels in ([INBOX], [SPAM], [ALL], [*names][:1], ["nope"]):
                    if labels:
                        assert found(
                            made.reader, box.mailbox_id, query, labels=labels
                        ) == naive.search(node, labels=labels), (query, labels)
                assert found(made.reader, box.mailbox_id, query, include_spam=True) == naive.search(
                    node, include_spam=True
                )

    @pytest.mark.parametrize("seed", range(20, 23))
    def test_any_cutting_into_batches_gives_the_same_rows(
        self, store: MakeStore, seed: int
    ) -> None:
        history = MailHistories(seed, POOL, erase_keys=False)
        records = as_records(history.events(300))
        whole, cut = store(history.stores), store(history.stores)
        rng = random.Random(seed)
        feed(whole, records)
        feed(cut, records, lambda: rng.choice((1, 1, 2, 3, 7, 50)))
        difference = compare(whole.projection, cut.projection)
        assert difference is None, str(difference)

    def test_each_event_applied_twice_gives_the_same_rows(self, store: MakeStore) -> None:
        history = MailHistories(30, POOL, erase_keys=False)
        events = history.events(200)
        once, twice = store(history.stores), store(history.stores)
        feed(once, as_records(events))
        feed(twice, as_records([x for event in events for x in (event, event)]))
        difference = compare(once.projection, twice.projection)
        assert difference is None, str(difference)

    def test_a_rebuild_after_erasures_equals_the_live_store(self, store: MakeStore) -> None:
        history = MailHistories(31, POOL)
        live, rebuilt = store(history.stores), store(history.stores)
        events: list[e.MailboxEvent] = []
        for _ in range(10):
            new = history.events(30)
            events += new
            feed(live, as_records(events))
        feed(rebuilt, as_records(events))
        difference = compare(live.projection, rebuilt.projection)
        assert difference is None, str(difference)

    def test_what_came_and_went_within_one_batch_leaves_the_same_rows(
        self, store: MakeStore
    ) -> None:
        box = Letterbox()
        one = box.deliver(mail("one"), flags=[FLAGGED])
        box.erase(one)
        whole, cut = store(box.stores), store(box.stores)
        feed(whole, box.records())
        feed(cut, box.records(), lambda: 1)
        difference = compare(whole.projection, cut.projection)
        assert difference is None, str(difference)

    def test_a_seq_that_is_skipped_stops_the_fold(self, store: MakeStore) -> None:
        box = Letterbox()
        box.deliver(mail("one"))
        box.deliver(mail("two"))
        made = store(box.stores)
        records = box.records()
        with pytest.raises(OutOfOrder):
            made.projection.apply([records[0], records[2]], always)
        made.refresh()
        assert made.projection.position() == {}
        assert made.reader.head(box.mailbox_id) == 0

    def test_a_record_that_is_no_event_stops_the_fold(self, store: MakeStore) -> None:
        made = store(Stores())
        bad = Record("mailbox.events", 3, 7, "k", "Delivered", "id", 0, b"\x01")
        with pytest.raises(Unreadable):
            made.projection.apply([bad], always)

    def test_nothing_is_written_to_a_version_that_is_not_live_any_more(
        self, store: MakeStore
    ) -> None:
        box = Letterbox()
        box.deliver(mail("one"))
        made = store(box.stores)
        assert not made.projection.apply(box.records(), lambda: False)
        assert made.projection.position() == {}

    def test_pages_neither_repeat_nor_skip_while_mail_arrives(self, store: MakeStore) -> None:
        box = Letterbox()
        before = [box.deliver(mail("needle"), date=START + n % 7) for n in range(40)]
        made = store(box.stores)
        feed(made, box.records())
        ids: list[str] = []
        token: str | None = None
        while True:
            page, _ = made.reader.search(box.mailbox_id, "needle", limit=3, page_token=token)
            ids += [h.message_id for h in page.hits]
            token = page.next_token
            if token is None:
                break
            box.deliver(mail("needle"))
            feed(made, box.records())
        assert sorted(ids) == sorted(before)

    def test_messages_of_one_moment_are_in_the_order_of_their_identifiers(
        self, store: MakeStore
    ) -> None:
        box = Letterbox()
        ids = [box.deliver(mail("needle"), date=START + n % 2) for n in range(30)]
        made = store(box.stores)
        feed(made, box.records())
        expected = [*sorted(ids[1::2]), *sorted(ids[::2])]
        for limit in (1, 4, 50):
            assert found(made.reader, box.mailbox_id, "needle", limit=limit) == expected

    def test_the_estimate_is_exact_for_what_is_few(self, store: MakeStore) -> None:
        box = Letterbox()
        for n in range(60):
            box.deliver(mail("needle" if n % 2 else "hay"))
        made = store(box.stores)
        feed(made, box.records())
        first, _ = made.reader.search(box.mailbox_id, "needle", limit=10)
        assert first.estimate == 30
        second, _ = made.reader.search(
            box.mailbox_id, "needle", limit=10, page_token=first.next_token
        )
        assert second.estimate == 30

    def test_a_token_of_another_search_is_refused(self, store: MakeStore) -> None:
        box = Letterbox()
        for _ in range(4):
            box.deliver(mail("needle"))
        made = store(box.stores)
        feed(made, box.records())
        page, _ = made.reader.search(box.mailbox_id, "needle", limit=1)
        token = page.next_token
        assert token is not None
        for garbled in ("", "x", "é", token[:-1], token + "A", "A" * 48):
            with pytest.raises(BadPageToken):
                made.reader.search(box.mailbox_id, "needle", page_token=garbled)
        with pytest.raises(BadPageToken):
            made.reader.search(box.mailbox_id, "needles", page_token=token)
        with pytest.raises(BadPageToken):
            made.reader.search(box.mailbox_id, "needle", labels=[INBOX], page_token=token)

    def test_what_nobody_has_is_empty_and_no_error(self, store: MakeStore) -> None:
        made = store(Stores())
        for name in ("00000000-0000-5000-8000-000000000000", "nonsense", ""):
            page, head = made.reader.search(name, "needle")
            assert (page.hits, page.next_token, page.estimate, head) == ((), None, 0, 0)
            assert made.reader.head(name) == 0

    def test_another_mailbox_is_not_searched(self, store: MakeStore) -> None:
        stores = Stores()
        here, there = Letterbox("here", stores), Letterbox("there", stores)
        mine = here.deliver(mail("needle"))
        there.deliver(mail("needle"))
        made = store(stores)
        feed(made, as_records([*here.events, *there.events]))
        for query in ("needle", "-nothing", "needle OR is:read", "is:unread", "larger:1"):
            assert found(made.reader, here.mailbox_id, query) == [mine]

    def test_a_mistake_in_the_query_has_its_place(self, store: MakeStore) -> None:
        box = Letterbox()
        made = store(box.stores)
        with pytest.raises(BadQuery) as caught:
            made.reader.search(box.mailbox_id, "lunch larger:much")
        assert caught.value.position == 13

    def test_labels_and_flags_change_without_the_words(self, store: MakeStore) -> None:
        box = Letterbox()
        one = box.deliver(mail("needle"))
        work = box.label("Work/Straße")
        made = store(box.stores)
        feed(made, box.records())

        def now(query: str) -> bool:
            feed(made, box.records())
            return found(made.reader, box.mailbox_id, query) == [one]

        assert now("needle is:unread in:inbox")
        assert not now("needle label:work-strasse")
        box.change(one, add=[work], flags=[SEEN, FLAGGED])
        assert now("needle label:work-strasse is:read is:starred")
        assert now(f"label:{work}")
        box.change(one, add=[TRASH], remove=[INBOX, ALL, work])
        assert not now("needle")
        assert now("needle in:trash")
        assert not now("needle in:trash in:inbox")

    def test_an_expunged_message_is_not_found_until_it_is_restored(self, store: MakeStore) -> None:
        history = MailHistories(50, POOL[:1], mailboxes=1)
        box = history.boxes[0]
        events = history.events(150)
        made = store(history.stores)
        feed(made, as_records(events))
        live = {m.message_id for m in box.messages if m.state == "live"}
        assert set(found(made.reader, box.mailbox_id, "lunch in:anywhere")) == live
        assert any(isinstance(x, e.Restored) for x in events)

    def test_an_excerpt_shows_the_match(self, store: MakeStore) -> None:
        box = Letterbox()
        box.deliver(mail("word " * 300 + "a Nëedle, I said; needle! " + "word " * 300))
        made = store(box.stores)
        feed(made, box.records())
        (hit,) = made.reader.search(box.mailbox_id, "needle")[0].hits
        assert hit.excerpt[1::2] == ("Nëedle", "needle")
        assert "a Nëedle, I said; needle! word" in "".join(hit.excerpt)
        assert len("".join(hit.excerpt)) <= 200
        (hit,) = made.reader.search(box.mailbox_id, "from:ann")[0].hits
        assert hit.excerpt == ()

    def test_a_large_part_in_the_parts_store_is_searched(self, store: MakeStore) -> None:
        box = Letterbox()
        one = box.deliver(mail("hay\n" * 60_000 + "needle\n"))
        assert box.stores.parts
        made = store(box.stores)
        feed(made, box.records())
        assert found(made.reader, box.mailbox_id, "needle") == [one]

    def test_without_its_content_a_message_is_found_by_its_digest(self, store: MakeStore) -> None:
        box = Letterbox()
        one = box.deliver(mail("needle", subject="pin"))
        box.stores.contents.clear()
        made = store(box.stores)
        feed(made, box.records())
        assert found(made.reader, box.mailbox_id, "needle") == []
        assert found(made.reader, box.mailbox_id, "pin") == [one]

    def test_without_its_key_a_message_is_found_by_its_rows_alone(self, store: MakeStore) -> None:
        box = Letterbox()
        one = box.deliver(mail("needle", subject="pin"))
        del box.stores.keys.keys[one]
        made = store(box.stores)
        feed(made, box.records())
        assert found(made.reader, box.mailbox_id, "needle OR pin") == []
        assert found(made.reader, box.mailbox_id, "is:unread") == [one]

    def test_more_addresses_than_a_digest_holds_are_found(self, store: MakeStore) -> None:
        box = Letterbox()
        many = ", ".join(f"p{n}@many.example" for n in range(300))
        one = box.deliver(mail("x", to=many))
        made = store(box.stores)
        feed(made, box.records())
        assert found(made.reader, box.mailbox_id, "to:p299@many.example") == [one]

    def test_dates_before_1970_and_far_ahead_have_their_place(self, store: MakeStore) -> None:
        box = Letterbox()
        dates = (-(10**15), -1, 0, START, 9 * 10**18)
        ids = [box.deliver(mail("needle"), date=d) for d in dates]
        made = store(box.stores)
        feed(made, box.records())
        assert found(made.reader, box.mailbox_id, "needle", limit=2) == ids[::-1]
        assert found(made.reader, box.mailbox_id, "before:1970-01-01") == ids[1::-1]
        assert found(made.reader, box.mailbox_id, "after:1970-01-01") == ids[:1:-1]
        assert found(made.reader, box.mailbox_id, "newer_than:9999y") == ids[::-1]
        assert found(made.reader, box.mailbox_id, "newer_than:99999y") == ids[::-1]
