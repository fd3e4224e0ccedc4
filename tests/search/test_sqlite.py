from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from projections.search.letters import Letters
from projections.search.sqlite import SqliteSearchProjection
from projections.search.sqlite_reader import SqliteSearchReader
from projections.search.tables import SHARD
from tests.contracts.search import NOW, MakeStore, SearchContract, Store, feed, found
from tests.fakes import FINGERPRINT
from tests.search.mails import HOUR, START, ContentOf, Letterbox, Stores, mail


@pytest.fixture
def shard() -> int:
    return SHARD


@pytest.fixture
def store(tmp_path: Path, shard: int) -> Iterator[MakeStore]:
    made: list[Store] = []
    numbers = itertools.count()

    def make(stores: Stores) -> Store:
        path = tmp_path / f"views-{next(numbers)}.db"
        letters = Letters(ContentOf(stores), stores.keys, stores, FINGERPRINT)
        made.append(
            Store(
                SqliteSearchProjection(path, stores.keys, letters, shard=shard),
                SqliteSearchReader(lambda: path, letters, lambda: NOW),
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.projection.close()


class TestSqliteSearch(SearchContract):
    pass


class TestManyShards(SearchContract):
    @pytest.fixture
    def shard(self) -> int:
        return 3


def test_mail_that_comes_in_no_order_is_found_in_order(tmp_path: Path) -> None:
    box = Letterbox()
    rng = random.Random(9)
    dates = [START + rng.randrange(40) * HOUR for _ in range(120)]
    ids = [box.deliver(mail(f"needle {n % 3}"), date=d) for n, d in enumerate(dates)]
    path = tmp_path / "search.db"
    letters = Letters(ContentOf(box.stores), box.stores.keys, box.stores, FINGERPRINT)
    projection = SqliteSearchProjection(path, box.stores.keys, letters, shard=10)
    made = Store(projection, SqliteSearchReader(lambda: path, letters, lambda: NOW))
    feed(made, box.records(), lambda: 7)
    for query, kept in (("needle", range(3)), ("needle 1", (1,)), ("1 OR is:read", (1,))):
        dated = enumerate(zip(dates, ids, strict=True))
        expected = [(-d, i) for n, (d, i) in dated if n % 3 in kept]
        answer = found(made.reader, box.mailbox_id, query, limit=7)
        assert answer == [i for _, i in sorted(expected)]
    projection.close()


def test_a_search_leaves_no_read_open(store: MakeStore) -> None:
    box = Letterbox()
    for _ in range(30):
        box.deliver(mail("needle"))
    made = store(box.stores)
    feed(made, box.records())
    made.reader.search(box.mailbox_id, "needle OR is:read", limit=3)
    made.reader.search(box.mailbox_id, "needle", limit=3)
    box.deliver(mail("needle"))
    feed(made, box.records())
    assert made.reader.search(box.mailbox_id, "needle", limit=3)[1] == 32
    # It raises when a reader holds the write-ahead log.
    made.projection.scrub()


def test_an_erased_message_leaves_no_token_in_any_file(store: MakeStore, tmp_path: Path) -> None:
    box = Letterbox()
    canary = mail(
        "bodycanary",
        subject="subjectcanary",
        author="Namecanary <localcanary@hostcanary.test>",
        to="tocanary@example.test",
        Cc="cccanary@example.test",
        List_Id="<listcanary.example.test>",
        Message_ID="<idcanary@example.test>",
    )
    for n in range(30):
        box.deliver(mail(f"hay number {n}"))
    one = box.deliver(canary)
    label = box.label("Labelname")
    box.change(one, add=[label])
    for n in range(30):
        box.deliver(mail(f"more hay {n}"))
    made = store(box.stores)
    feed(made, box.records(), lambda: 5)
    assert found(made.reader, box.mailbox_id, "bodycanary") == [one]

    def files() -> bytes:
        return b"".join(p.read_bytes() for p in tmp_path.iterdir()).lower()

    assert b"canary" in files()
    box.erase(one)
    feed(made, box.records())
    assert (
        found(made.reader, box.mailbox_id, "bodycanary OR rfc822msgid:idcanary@example.test") == []
    )
    made.projection.scrub()
    assert b"canary" not in files()
    connection = apsw.Connection(str(tmp_path / "views-0.db"))
    connection.execute("create virtual table temp.terms using fts5vocab(main, words_0, row)")
    terms = {t for (t,) in connection.execute("select term from temp.terms")}
    assert not [t for t in terms if "canary" in str(t)]
    assert "hay" in terms
    connection.close()
    assert len(found(made.reader, box.mailbox_id, "hay")) == 60


def test_the_only_message_of_an_index_can_be_erased(store: MakeStore, tmp_path: Path) -> None:
    box = Letterbox()
    one = box.deliver(mail("canary"))
    made = store(box.stores)
    feed(made, box.records())
    box.erase(one)
    feed(made, box.records())
    made.projection.scrub()
    assert b"canary" not in b"".join(p.read_bytes() for p in tmp_path.iterdir())


def test_verify_sees_words_that_are_missing_from_the_index(
    store: MakeStore, tmp_path: Path
) -> None:
    from projections.verify import compare

    box = Letterbox()
    box.deliver(mail("one"))
    box.deliver(mail("two"))
    live, fresh = store(box.stores), store(box.stores)
    feed(live, box.records())
    feed(fresh, box.records())
    assert compare(live.projection, fresh.projection) is None
    connection = apsw.Connection(str(tmp_path / "views-0.db"))
    connection.execute("delete from words_0 where rowid = (select max(row) from doc)")
    connection.close()
    difference = compare(live.projection, fresh.projection)
    assert difference is not None
    assert (difference.table, difference.kind) == ("doc", "differs")


def test_a_file_from_which_nothing_was_deleted_is_not_written_anew(
    store: MakeStore, tmp_path: Path
) -> None:
    box = Letterbox()
    made = store(box.stores)
    connection = apsw.Connection(str(tmp_path / "views-0.db"))

    def free_pages_after_scrub() -> object:
        made.projection.scrub()
        return connection.pragma("freelist_count")

    # Merges leave free pages, which only `vacuum` takes away.
    while not connection.pragma("freelist_count"):
        box.deliver(mail("hay"))
        feed(made, box.records())
    assert free_pages_after_scrub()
    one = box.deliver(mail("needle"))
    feed(made, box.records())
    box.erase(one)
    feed(made, box.records())
    assert free_pages_after_scrub() == 0
    connection.close()
