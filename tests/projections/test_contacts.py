"""Contacts: who is found, in which order, and what an erasure takes back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.contacts.people import fold, people_of, score, words_asked, words_of
from projections.contacts.sqlite import SqliteContacts
from projections.contacts.sqlite_reader import SqliteContactReader
from projections.verify import compare
from schemas import mailbox_events as e
from schemas.labels import SENT, SPAM
from schemas.parts import Digest, Mailbox
from tests.contracts.projection_mailbox import keys_of, of_mailbox
from tests.histories import Histories, as_records
from tests.projections.naive import Naive

DAY = 86_400_000_000


class People(Histories):
    """Histories in which many people write, under several names."""

    def _digest(self, message_id: str) -> Digest:
        rng = self.random
        digest = super()._digest(message_id)

        def one() -> Mailbox:
            n = rng.randrange(12)
            name = rng.choice(["", f"Ann Ünder{n}", f"Bo Søren {n}"])
            return Mailbox(name=name, address=f"p{n}.x@d{n % 3}.example.test")

        digest.author[:] = [one()]
        digest.to[:] = [one() for _ in range(rng.randrange(3))]
        return digest


def open_file(path: Path, history: Histories) -> tuple[SqliteContacts, SqliteContactReader]:
    return SqliteContacts(path, keys_of(history)), SqliteContactReader(lambda: path)


def naive_contacts(naive: Naive) -> dict[str, tuple[int, int, int]]:
    """Address to (messages, weight, last), by replaying everything."""
    told: dict[str, e.Delivered | e.Restored] = {}
    spam: dict[str, bool] = {}
    for x in naive.events:
        match x:
            case e.Delivered() | e.Restored():
                told[x.message_id] = x
                spam[x.message_id] = any(p.label == SPAM for p in x.placements)
            case e.Labelled() if x.message_id in told:
                if SPAM in x.labels_added:
                    spam[x.message_id] = True
                elif any(p.label == SPAM for p in x.labels_removed):
                    spam[x.message_id] = False
            case e.Erased():
                told.pop(x.message_id, None)
            case _:
                pass
    found: dict[str, tuple[int, int, int]] = {}
    for message_id, x in told.items():
        digest = naive.digest(x)
        if digest is None or spam[message_id]:
            continue
        for p in people_of(digest, {q.label for q in x.placements}):
            n, w, last = found.get(p.address, (0, 0, 0))
            found[p.address] = (n + 1, w + p.weight, max(last, x.internal_date))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_contacts_are_what_the_messages_that_are_left_tell(tmp_path: Path, seed: int) -> None:
    history = People(seed)
    events = history.events(500)
    projection, reader = open_file(tmp_path / "contacts.db", history)
    rng = random.Random(seed)
    records = as_records(events)
    while records:
        size = rng.randint(1, 60)
        projection.apply(records[:size], lambda: True)
        records = records[size:]
    for box in history.boxes:
        naive = Naive(of_mailbox(events, box.mailbox_id), history.keys)
        wanted = naive_contacts(naive)
        rows, head = reader.find(box.mailbox_id, "", 1000)
        assert head == box.seq
        assert {r.address: (r.messages, r.last) for r in rows} == {
            a: (n, last) for a, (n, _, last) in wanted.items()
        }
        order = [score(wanted[r.address][1], wanted[r.address][2]) for r in rows]
        assert order == sorted(order, reverse=True)
        for query in ("p1", "p1.x@d1", "d2", "example", "under3", "SØREN 4", "bo d1", "zzz"):
            words = words_asked(query)
            found, _ = reader.find(box.mailbox_id, query, 1000)
            assert {r.address for r in found} == {
                r.address
                for r in rows
                if all(any(t.startswith(w) for t in words_of(r.address, r.name)) for w in words)
            }
    reader.close()
    projection.close()


@pytest.mark.parametrize("seed", range(20, 23))
def test_any_cutting_and_a_fresh_fold_give_the_same_rows(tmp_path: Path, seed: int) -> None:
    history = People(seed, erase_keys=False)
    records = as_records(history.events(500))
    whole, _ = open_file(tmp_path / "whole.db", history)
    cut, _ = open_file(tmp_path / "cut.db", history)
    whole.apply(records, lambda: True)
    rng = random.Random(seed)
    start = 0
    while start < len(records):
        size = rng.choice((1, 2, 7, 50))
        cut.apply(records[start : start + size], lambda: True)
        cut.apply(records[start : start + size], lambda: True)
        start += size
    difference = compare(whole, cut)
    assert difference is None, str(difference)
    whole.close()
    cut.close()


def test_of_the_erased_nothing_is_left_in_the_file(tmp_path: Path) -> None:
    history = People(31, mailboxes=1, erase_keys=False)
    events = history.events(2_500)
    path = tmp_path / "contacts.db"
    projection, reader = open_file(path, history)
    projection.apply(as_records(events), lambda: True)
    box = history.boxes[0]
    left = [m for m in box.messages if m.state != "erased"]
    more = [history._erased(box, m) for m in left]  # pyright: ignore[reportPrivateUsage]
    projection.apply(as_records([*events, *more]), lambda: True)
    projection.scrub()
    assert reader.find(box.mailbox_id, "")[0] == []
    reader.close()
    projection.close()
    data = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    for word in (b"example.test", "Ünder".encode(), b"under3", b"soren"):
        assert word not in data


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[SqliteContactReader]:
    projection, reader = open_file(tmp_path / "contacts.db", Histories())
    yield reader
    reader.close()
    projection.close()


def test_what_nobody_has_is_empty(nobody: SqliteContactReader) -> None:
    for name in ("", "nonsense", "00000000-0000-5000-8000-000000000000"):
        assert nobody.find(name, "a") == ([], 0)


FOLDED = [("Ünder", "under"), ("SØREN", "søren"), ("ﬁsh", "fish"), ("Straße", "strasse")]


@pytest.mark.parametrize(("text", "folded"), FOLDED)
def test_case_and_accents_do_not_count(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_a_person_is_found_by_name_local_part_and_domain() -> None:
    words = words_of("ann.b-c@mail.example.test", "Ann Blåbær")
    assert {"ann", "blabær", "ann.b-c", "b", "c", "mail.example.test", "example.test"} <= words
    assert "ann.b-c@mail.example.test" in words
    assert "test" not in words
    assert words_asked(' "Ann" <ann@ ') == ["ann", "ann@"]


def test_whom_one_writes_to_counts_more_than_who_writes() -> None:
    digest = Digest(
        author=[Mailbox(name="A", address="A@x.test")],
        to=[Mailbox(name="", address="b@x.test"), Mailbox(name="", address="broken")],
        subject="",
        snippet="",
    )
    got = {p.address: p.weight for p in people_of(digest, ["INBOX"])}
    sent = {p.address: p.weight for p in people_of(digest, [SENT])}
    assert got["a@x.test"] > got["b@x.test"]
    assert sent["b@x.test"] > got["a@x.test"] > sent["a@x.test"]
    assert got.keys() == {"a@x.test", "b@x.test"}


def test_frequency_and_recency_both_count() -> None:
    now = 1_700_000_000_000_000
    assert score(8, now) > score(4, now)
    assert score(4, now) > score(4, now - DAY)
    assert score(4, now) > score(8, now - 400 * DAY)
