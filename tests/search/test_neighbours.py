from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.query.language import parse
from mail.query.tokens import tokens
from projections.consumer import always
from projections.search.gathering import Gathering
from projections.search.gathering import runs as runs_of_text
from projections.search.letters import Letters
from projections.search.neighbours import holds, may_match, row_of, rows_of, runs
from projections.search.sqlite import SqliteSearchProjection
from projections.search.sqlite_reader import SqliteSearchReader
from tests.contracts.search import NOW, found
from tests.fakes import FINGERPRINT
from tests.search.mails import ContentOf, Letterbox, mail

_WORDS = st.text(min_size=1, max_size=40).map(tokens)


@given(st.lists(_WORDS, max_size=20))
def test_a_run_has_one_hash_whichever_side_makes_it(texts: list[list[str]]) -> None:
    words = [w for text in texts for w in text]
    spaced = "  ".join(words).encode()
    assert runs_of_text(spaced).tolist() == runs(words)


@pytest.mark.parametrize("count", [0, 1, 2, 1000, 300_000])
def test_a_filter_holds_what_was_gathered_and_hardly_anything_else(count: int) -> None:
    words = [f"w{n * n % 999_983}" for n in range(count)]
    parts = list(Gathering.of([" ".join(words)]).parts())
    assert len(parts) == len(rows_of(0))

    def has(run: int) -> bool:
        return holds(parts[row_of(0, run)], run)

    assert all(map(has, runs(words[:2000])))
    assert sum(has(runs((f"x{n}", f"y{n}"))[0]) for n in range(1000)) < 120


@pytest.mark.parametrize(
    ("query", "held", "expected"),
    [
        ('"a b"', ["a b"], True),
        ('"a b"', ["b a"], False),
        ('"a b c"', ["a b", "b c"], False),
        ('"a b c"', ["a b c"], True),
        ("a b", [], True),
        ("subject:a-b", [], False),
        ('"a b" "c d"', ["a b"], False),
        ('"a b" OR "c d"', ["c d"], True),
        ('"a b" OR "c d"', [], False),
        ('-"a b"', [], True),
        ('"a b" OR c', [], True),
        ("a-bcd*", [], True),
        ("a-b-cd*", [], False),
        ("会議室", [], False),
        ("会議", [], True),
    ],
)
def test_a_shard_is_asked_when_it_may_have_the_pairs(
    query: str, held: list[str], expected: bool
) -> None:
    known = {run for text in held for run in runs(text.split())}
    assert may_match(parse(query))(known.__contains__) is expected


class Index:
    """An index of small shards, and processes that follow it."""

    def __init__(self, folder: Path) -> None:
        self.box = Letterbox()
        self.path = folder / "search.db"
        self._letters = Letters(
            ContentOf(self.box.stores), self.box.stores.keys, self.box.stores, FINGERPRINT
        )
        self.processes = [self._process(), self._process()]
        self.reader = SqliteSearchReader(lambda: self.path, self._letters, lambda: NOW)

    def _process(self) -> SqliteSearchProjection:
        return SqliteSearchProjection(self.path, self.box.stores.keys, self._letters, shard=3)

    def feed(self, process: int) -> None:
        self.processes[process].apply(self.box.records(), always)

    def filters(self) -> dict[int, bytes]:
        connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
        rows = connection.execute("select id, bits from neighbours").fetchall()
        connection.close()
        return dict(cast("list[tuple[int, bytes]]", rows))

    def holding(self, two: str) -> list[int]:
        """Return the shards whose filters hold two words that follow one another."""
        (found,) = runs(two.split())
        filters = self.filters()
        return [n for n in range(100) if holds(filters.get(row_of(n, found), b"\0"), found)]

    def close(self) -> None:
        self.reader.close()
        for process in self.processes:
            process.close()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    made = Index(tmp_path)
    yield made
    made.close()


def test_a_filter_has_what_any_process_put_into_its_shard(index: Index) -> None:
    for n in range(20):
        index.box.deliver(mail(f"one{n} two{n}\nthree{n} four{n}"))
        index.feed(n * 7 // 3 % 2)
    for n in range(18):
        assert index.holding(f"two{n} three{n}") == [n // 3]
    assert len(found(index.reader, index.box.mailbox_id, '"one4 two4 three4"')) == 1
    assert found(index.reader, index.box.mailbox_id, '"two4 one4"') == []


def test_what_a_failed_transaction_gathered_is_in_no_filter(index: Index) -> None:
    index.box.deliver(mail("first mail"))
    index.feed(0)
    index.box.deliver(mail("second mail"))
    connection = apsw.Connection(str(index.path))
    connection.execute(
        "create trigger refuse before insert on position begin select raise(abort, 'no'); end"
    )
    with pytest.raises(Exception, match="no"):
        index.feed(0)
    connection.execute("drop trigger refuse")
    connection.close()
    index.box.deliver(mail("third mail"))
    index.feed(0)
    assert index.holding("second mail") == index.holding("third mail") == [0]


@pytest.mark.parametrize("filled", [True, False])
def test_a_filter_keeps_nothing_of_what_was_erased(index: Index, filled: bool) -> None:
    box = index.box
    box.deliver(mail("first mail"))
    one = box.deliver(mail("secret canary"))
    if filled:
        box.deliver(mail("third mail"))
    index.feed(0)
    assert index.holding("secret canary") == ([0] if filled else [])
    box.erase(one)
    index.feed(0)
    # By a process of its own, as `mailfold erase` does.
    index.processes[1].scrub()
    box.deliver(mail("fourth mail"))
    index.feed(0)
    assert index.holding("first mail") == [0]
    assert index.holding("secret canary") == []
