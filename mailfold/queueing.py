"""The queue of mail that leaves, as an administrator looks at it and changes it.

What is done to it is an event like any other attempt, so it works whether or not `serve` runs: who
sends the mail reads it from the log.
"""

from __future__ import annotations

from collections.abc import Sequence

from infra.ports import Output
from mailfold.wiring import House
from schemas.events import Attempted
from schemas.topics import MAIL_SUBMITTED
from streams.outbound.queue import Item


def items(house: House) -> Sequence[Item]:
    """Return what waits or is held, the earliest first. Raises EngineDown."""
    house.outbound.follower.catch_up()
    return house.outbound.queue.items()


def find(house: House, name: str) -> Sequence[Item]:
    """Return the submission of that id, or those of the mail of that id. Raises EngineDown."""
    wanted = name.lower()
    return [i for i in items(house) if wanted in (i.id, i.submitted.mail_id)]


def retry(house: House, found: Sequence[Item]) -> None:
    """Have submissions tried now, those that are held too. Raises EngineDown."""
    judge, now = house.outbound.judge, house.clock()
    _append(house, [judge.asked(item, now) for item in found])


def drop(house: House, found: Sequence[Item], reason: str = "admin") -> None:
    """Give submissions up without a report to anybody. Raises EngineDown."""
    judge, now = house.outbound.judge, house.clock()
    _append(house, [judge.dropped(item, reason, now) for item in found])


def drop_erased(house: House, mail_ids: Sequence[str]) -> int:
    """Give up all that is still to be sent of these mails; return how many there were.

    Raises EngineDown.
    """
    wanted = frozenset(mail_ids)
    found = [i for i in items(house) if i.submitted.mail_id in wanted]
    drop(house, found, "erased")
    return len(found)


def _append(house: House, events: Sequence[Attempted]) -> None:
    house.log.append([Output.of(event) for event in events])
    house.outbound.follower.catch_up()
    # Who sends waits for what is submitted.
    house.wake.notify(MAIL_SUBMITTED)
