from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from infra.ports import EngineDown
from infra.sqlite.connection import LOG
from infra.sqlite.file import SqliteFile
from infra.sqlite.log import SqliteLog
from infra.sqlite.wake import SocketWake
from schemas.identity import derived
from schemas.topics import MAIL_RECEIVED, MAILBOX_COMMANDS, MAILBOX_EVENTS
from tests.contracts.log import TransactionalLogContract, mail_id, output, read, read_rest, undone

Open = Callable[..., SqliteLog]


@pytest.fixture
def opened(tmp_path: Path) -> Generator[Open]:
    logs: list[SqliteLog] = []

    def make(clock: Callable[[], int] = lambda: time.time_ns() // 1000) -> SqliteLog:
        file = SqliteFile(tmp_path / "log.db", LOG)
        logs.append(SqliteLog(file, clock, SocketWake(tmp_path / "run")))
        return logs[-1]

    yield make
    for log in logs:
        log.file.close()


@pytest.fixture
def log(opened: Open) -> SqliteLog:
    return opened()


class TestSqliteLog(TransactionalLogContract):
    @pytest.fixture
    def log(self, opened: Open) -> SqliteLog:
        return opened()

    @pytest.fixture
    def reopen(self, opened: Open) -> Open:
        return opened


def test_offsets_begin_at_zero_and_have_no_gaps(log: SqliteLog) -> None:
    log.append([output(MAIL_RECEIVED, mail_id(n), n) for n in range(3)])
    with undone(log) as tx:
        tx.append([output(MAIL_RECEIVED, mail_id(9), 9)])
    log.append([output(MAIL_RECEIVED, mail_id(3), 3)])
    assert [r.offset for r in read(log, MAIL_RECEIVED, 4)] == [0, 1, 2, 3]


def test_a_clock_that_is_set_back_does_not_set_the_log_back(opened: Open) -> None:
    times = itertools.chain([100, 50, 200], itertools.repeat(10))
    log = opened(lambda: next(times))
    for n in range(4):
        log.append([output(MAIL_RECEIVED, mail_id(n), n)])
    assert [r.recorded_at for r in read(log, MAIL_RECEIVED, 4)] == [100, 100, 200, 200]


def test_trimming_keeps_offsets_times_and_the_end(opened: Open) -> None:
    times = iter([100, 50])
    log = opened(lambda: next(times))
    key = derived("mailbox")
    log.append([output(MAILBOX_COMMANDS, key, n) for n in range(10)])
    log.trim(MAILBOX_COMMANDS, {0: 4})
    assert log.begin(MAILBOX_COMMANDS) == {0: 4}
    assert [r.offset for r in read_rest(log, MAILBOX_COMMANDS, {})] == [4, 5, 6, 7, 8, 9]
    log.trim(MAILBOX_COMMANDS, {0: 12})
    assert log.begin(MAILBOX_COMMANDS) == log.end(MAILBOX_COMMANDS) == {0: 10}
    log.append([output(MAILBOX_COMMANDS, key, 10)])
    (record,) = read_rest(log, MAILBOX_COMMANDS, {})
    assert (record.offset, record.recorded_at) == (10, 100)


def test_records_of_a_mailbox_are_not_searched_for(log: SqliteLog) -> None:
    with pytest.raises(ValueError, match="keyed by mail_id"):
        log.find(MAILBOX_EVENTS, derived("mailbox"))


def test_a_type_named_in_a_transaction_that_failed_is_named_again(log: SqliteLog) -> None:
    given = output(MAIL_RECEIVED, mail_id(1), 1)
    with undone(log) as tx:
        tx.append([given])
    log.append([given])
    assert read(log, MAIL_RECEIVED, 1)[0].type == "Received"


def test_state_in_the_same_file_is_written_with_the_outputs(log: SqliteLog) -> None:
    log.file.connection.execute("create table state(n)")
    with undone(log) as tx:
        tx.append([output(MAIL_RECEIVED, mail_id(1), 1)])
        log.file.connection.execute("insert into state values(1)")
    with log.transaction() as tx:
        tx.connection.execute("insert into state values(2)")
    with log.file.read() as c:
        assert c.execute("select n from state").fetchall() == [(2,)]


def test_a_large_batch_ends_before_it_fills_the_memory(log: SqliteLog) -> None:
    log.append([output(MAIL_RECEIVED, mail_id(n), n, 500_000) for n in range(50)])
    reader = log.reader(MAIL_RECEIVED, {})
    first = reader.poll(50, 0.0)
    assert 0 < len(first) < 50
    assert len(first) + len(reader.poll(50, 0.0)) == 50
    reader.close()


def test_a_writer_that_does_not_get_the_lock_says_so(tmp_path: Path) -> None:
    one = SqliteFile(tmp_path / "log.db", LOG)
    two = SqliteFile(tmp_path / "log.db", LOG, busy_timeout=0.05)
    with one.write(), pytest.raises(EngineDown), two.write():
        raise AssertionError("two writers at once")
    one.close()
    two.close()


def test_a_reader_reads_while_a_transaction_is_open(opened: Open) -> None:
    one, two = opened(), opened()
    one.append([output(MAIL_RECEIVED, mail_id(1), 1)])
    with one.transaction() as tx:
        tx.append([output(MAIL_RECEIVED, mail_id(2), 2)])
        assert len(read_rest(two, MAIL_RECEIVED, {})) == 1
