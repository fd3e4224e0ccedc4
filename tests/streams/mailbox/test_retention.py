from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.ports import Position
from infra.sqlite.connection import LOG
from infra.sqlite.file import SqliteFile
from infra.sqlite.log import SqliteLog
from infra.sqlite.wake import SocketWake
from schemas.identity import derived
from schemas.topics import MAILBOX_COMMANDS, MAILBOX_EVENTS
from streams.mailbox.retention import KEPT, trim_before, trim_commands
from tests.contracts.log import output
from tests.fakes import FakeClock

GROUP = "mailbox"


@pytest.mark.parametrize(
    ("consumed", "young", "before"),
    [
        ({}, {0: 5}, {}),
        ({0: 3}, {0: 5}, {0: 3}),
        ({0: 7}, {0: 5}, {0: 5}),
        ({0: 7, 1: 2}, {0: 5, 1: 5}, {0: 5, 1: 2}),
        ({0: 7, 1: 2}, {0: 5}, {0: 5}),
    ],
)
def test_what_goes_is_consumed_and_old(consumed: Position, young: Position, before: object) -> None:
    assert trim_before(consumed, young) == before


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def log(tmp_path: Path, clock: FakeClock) -> Iterator[SqliteLog]:
    file = SqliteFile(tmp_path / "log.db", LOG)
    wake = SocketWake(tmp_path / "run")
    yield SqliteLog(file, clock, wake)
    file.close()
    wake.close()


def add(log: SqliteLog, topic: str, count: int) -> None:
    first = log.end(topic)[0]
    log.append([output(topic, derived("box"), first + n) for n in range(count)])


def consume(log: SqliteLog, offset: int) -> None:
    with log.transaction() as tx:
        tx.commit_position(GROUP, MAILBOX_COMMANDS, {0: offset})


def test_commands_go_seven_days_after_they_came(log: SqliteLog, clock: FakeClock) -> None:
    add(log, MAILBOX_COMMANDS, 5)
    add(log, MAILBOX_EVENTS, 5)
    consume(log, 5)
    clock.now += KEPT
    trim_commands(log, GROUP, clock.now)
    assert log.begin(MAILBOX_COMMANDS) == {0: 0}
    add(log, MAILBOX_COMMANDS, 5)
    clock.now += 1
    trim_commands(log, GROUP, clock.now)
    assert log.begin(MAILBOX_COMMANDS) == {0: 5}
    assert log.begin(MAILBOX_EVENTS) == {0: 0}


def test_commands_that_were_not_consumed_stay_however_old(log: SqliteLog, clock: FakeClock) -> None:
    add(log, MAILBOX_COMMANDS, 5)
    clock.now += 100 * KEPT
    trim_commands(log, GROUP, clock.now)
    assert log.begin(MAILBOX_COMMANDS) == {0: 0}
    consume(log, 3)
    trim_commands(log, GROUP, clock.now)
    assert log.begin(MAILBOX_COMMANDS) == {0: 3}


def test_a_log_of_old_commands_goes_whole(log: SqliteLog, clock: FakeClock) -> None:
    add(log, MAILBOX_COMMANDS, 4_500)
    consume(log, 4_500)
    clock.now += KEPT + 1
    trim_commands(log, GROUP, clock.now)
    assert log.begin(MAILBOX_COMMANDS) == log.end(MAILBOX_COMMANDS) == {0: 4_500}
    trim_commands(log, GROUP, clock.now)
