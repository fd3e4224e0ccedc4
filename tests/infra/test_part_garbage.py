"""Garbage goes, and nothing else: a put and a collection cut into each other at every step."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.parts.files import FileParts, RealDisk
from infra.parts.garbage import FileGarbage
from infra.ports import PartMissing
from infra.sqlite.connection import LOG
from infra.sqlite.file import SqliteFile
from infra.sqlite.references import SqliteReferences
from tests.contracts.log import mail_id
from tests.contracts.parts import part

GRACE = 30_000_000
NAME, DATA = part(1)


class Noted(SqliteReferences):
    """Tells when a reference is about to be noted, and when it is."""

    tell: Callable[[str], None] = staticmethod(lambda _: None)

    def add(self, mail_id: str, names: object) -> None:
        self.tell("put.stored")
        super().add(mail_id, names)  # type: ignore[arg-type]
        self.tell("put.noted")


class Watched(RealDisk):
    """Tells of the steps of a put."""

    tell: Callable[[str], None] = staticmethod(lambda _: None)

    def write_durably(self, path: str, data: bytes) -> None:
        self.tell("put.begun")
        super().write_durably(path, data)
        self.tell("put.written")


class House:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.file = SqliteFile(folder / "log.db", LOG)
        self.references = Noted(self.file)
        self.disk = Watched()
        self.parts = FileParts(folder / "parts", self.references, self.disk)
        self.point: Callable[[str], None] = lambda _: None
        self.garbage = FileGarbage(
            self.parts, self.references, GRACE / 1e6, lambda name: self.point(name)
        )

    def there(self) -> bool:
        try:
            return self.parts.get(NAME) == DATA
        except PartMissing:
            return False


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "house")
    yield made
    made.file.close()


def test_a_part_goes_with_its_last_mail_and_not_at_once(house: House) -> None:
    house.parts.put(mail_id(1), {NAME: DATA})
    house.parts.put(mail_id(2), {NAME: DATA})
    house.garbage.release([mail_id(1)], 0)
    assert house.garbage.next() is None
    house.garbage.release([mail_id(2)], 1000)
    assert house.garbage.next() == 1000 + GRACE
    assert house.garbage.collect(GRACE) == 1000 + GRACE
    assert house.there()
    assert house.garbage.collect(1000 + GRACE) is None
    assert not house.there()


def test_releasing_again_is_the_same(house: House) -> None:
    house.parts.put(mail_id(1), {NAME: DATA})
    house.garbage.release([mail_id(1)], 0)
    house.garbage.release([mail_id(1)], 5)
    assert house.garbage.collect(GRACE) is None
    house.garbage.release([mail_id(1)], 9)
    assert house.garbage.next() is None


def test_a_part_that_is_needed_again_stays(house: House) -> None:
    house.parts.put(mail_id(1), {NAME: DATA})
    house.garbage.release([mail_id(1)], 0)
    house.parts.put(mail_id(2), {NAME: DATA})
    assert house.garbage.collect(GRACE) is None
    assert house.there()


class Stopped(Exception):
    """The collection dies here."""


POINTS = ("begun", "asked", "aside", "last", "unlinked", "done")


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("needed", [False, True])
def test_a_collection_that_dies_anywhere_is_ended_by_the_next(
    house: House, point: str, needed: bool
) -> None:
    house.parts.put(mail_id(1), {NAME: DATA})
    house.garbage.release([mail_id(1)], 0)

    def die(name: str) -> None:
        if name == f"garbage.{point}":
            raise Stopped

    house.point = die
    with pytest.raises(Stopped):
        house.garbage.collect(GRACE)
    house.point = lambda _: None
    if needed:
        house.parts.put(mail_id(2), {NAME: DATA})
        assert house.there()
    house.garbage.collect(GRACE)
    house.garbage.collect(9 * GRACE)
    assert house.there() == needed
    assert house.garbage.next() is None
    assert not list((house.parts._folder).rglob("*.gone"))  # pyright: ignore[reportPrivateUsage]


class Turns:
    """Lets two threads take their steps in an order that is given; afterwards both run free."""

    def __init__(self, order: str) -> None:
        self._order = list(order)
        self._condition = threading.Condition()
        self._ended: set[str] = set()

    def step(self, who: str) -> None:
        with self._condition:
            while self._order and self._order[0] != who and self._order[0] not in self._ended:
                self._condition.wait(5)
            if self._order and self._order[0] == who:
                self._order.pop(0)
            self._condition.notify_all()

    def end(self, who: str) -> None:
        with self._condition:
            self._ended.add(who)
            self._order = [w for w in self._order if w != who]
            self._condition.notify_all()


ORDERS = sorted({"".join(o) for o in itertools.permutations("pppgggg")})


@pytest.mark.parametrize("order", ORDERS)
def test_a_put_is_never_undone_by_a_collection(tmp_path: Path, order: str) -> None:
    house = House(tmp_path / "house")
    house.parts.put(mail_id(1), {NAME: DATA})
    house.garbage.release([mail_id(1)], 0)
    turns = Turns(order)
    missing: list[str] = []
    noted = threading.Event()

    def look(name: str) -> None:
        if noted.is_set() and not house.there():
            missing.append(name)

    def collecting(name: str) -> None:
        look(name)
        turns.step("g")
        look(name)

    house.point = collecting
    house.references.tell = house.disk.tell = lambda _: turns.step("p")  # type: ignore[method-assign]

    def put() -> None:
        turns.step("p")
        house.parts.put(mail_id(2), {NAME: DATA})
        noted.set()
        turns.end("p")

    def collect() -> None:
        turns.step("g")
        house.garbage.collect(GRACE)
        turns.end("g")

    threads = [threading.Thread(target=t) for t in (put, collect)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(20)
    assert missing == []
    assert house.there()
    house.point = lambda _: None
    house.garbage.collect(9 * GRACE)
    assert house.there()
    assert house.garbage.next() is None
    house.file.close()
