"""A full mailbox is refused at the door, for now (RFC 3463 section 3.3, 4.2.2)."""

from __future__ import annotations

import asyncio

import pytest

from infra.ports import EngineDown
from ingress.smtp import replies
from ingress.smtp.paths import Path
from ingress.smtp.recipients import Recipients
from ingress.smtp.replies import Reply
from tests.fakes import FakeClock, FakeDirectory

ANN = Path("ann@example.test", "ann@example.test")


class Shelf:
    """Room that a test sets."""

    def __init__(self, left: int) -> None:
        self.room = left
        self.down = False

    def left(self, mailbox_id: str) -> int:
        assert mailbox_id == "box"
        if self.down:
            raise EngineDown("views")
        return self.room


def resolver(shelf: Shelf) -> tuple[Recipients, FakeClock]:
    clock = FakeClock()
    directory = FakeDirectory({"ann@example.test": "box"})
    return Recipients(directory, clock, hostname="mx.example.test", room=shelf), clock


@pytest.mark.parametrize(("left", "taken"), [(1, True), (0, False), (-5, False)])
def test_a_mailbox_takes_mail_while_there_is_room(left: int, taken: bool) -> None:
    recipients, _ = resolver(Shelf(left))
    found = asyncio.run(recipients.resolve(ANN))
    assert (not isinstance(found, Reply)) == taken
    if not taken:
        assert found is replies.OVER_QUOTA
        assert (replies.OVER_QUOTA.code, replies.OVER_QUOTA.enhanced) == (452, "4.2.2")


def test_whoever_makes_room_gets_mail_at_once() -> None:
    shelf = Shelf(0)
    recipients, _ = resolver(shelf)
    assert asyncio.run(recipients.resolve(ANN)) is replies.OVER_QUOTA
    shelf.room = 1
    assert not isinstance(asyncio.run(recipients.resolve(ANN)), Reply)


def test_a_count_that_cannot_be_read_is_trouble_of_ours() -> None:
    shelf = Shelf(1)
    shelf.down = True
    recipients, _ = resolver(shelf)
    with pytest.raises(EngineDown):
        asyncio.run(recipients.resolve(ANN))
