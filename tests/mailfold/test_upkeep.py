from __future__ import annotations

import threading
from pathlib import Path

import pytest

from infra.ports import EngineDown
from mailfold.mailboxes import open_mailbox
from mailfold.settings import Settings, load
from mailfold.upkeep import in_background, trim
from mailfold.wiring import House, open_house
from schemas.identity import derived
from schemas.topics import MAILBOX_COMMANDS
from streams.mailbox.retention import KEPT
from streams.topology import MAILBOX


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(data=tmp_path / "data")


def test_old_commands_go_from_an_installation(settings: Settings) -> None:
    with open_house(settings) as house:
        house.prepare()
        open_mailbox(house, derived("box"))
        house.stepping(MAILBOX.name).step()
        now = house.clock()
        house.clock = lambda: now + KEPT - 60_000_000
        trim(house)
        assert house.log.begin(MAILBOX_COMMANDS) == {0: 0}
        house.clock = lambda: now + KEPT + 60_000_000
        trim(house)
        assert house.log.begin(MAILBOX_COMMANDS) == {0: 1}


def test_upkeep_is_done_at_once_and_again_and_an_engine_that_is_down_does_not_end_it(
    settings: Settings,
) -> None:
    done = threading.Semaphore(0)
    waits: list[float] = []
    rounds = iter([EngineDown("away"), None, None])

    def work(house: House) -> None:
        done.release()
        trouble = next(rounds)
        if trouble is not None:
            raise trouble

    in_background(settings, lambda: len(waits) == 3, waits.append, work)
    assert all(done.acquire(timeout=30) for _ in range(3))


def test_upkeep_ends_when_it_is_time_to_stop(settings: Settings) -> None:
    called: list[House] = []
    in_background(settings, lambda: True, lambda _: None, called.append)
    for thread in threading.enumerate():
        if thread.name == "upkeep":
            thread.join(30)
    assert not called
