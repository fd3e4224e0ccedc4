from __future__ import annotations

import time
from pathlib import Path

import pytest

from infra.sqlite.connection import LOG
from infra.sqlite.file import SqliteFile
from infra.sqlite.lag import SqliteLag
from infra.sqlite.log import SqliteLog
from infra.sqlite.wake import SocketWake
from schemas.topics import MAIL_RECEIVED
from tests.contracts.log import mail_id, output


@pytest.fixture
def log(tmp_path: Path) -> SqliteLog:
    return SqliteLog(SqliteFile(tmp_path / "log.db", LOG), lambda: 5, SocketWake(tmp_path / "run"))


def settled(lag: SqliteLag) -> int:
    time.sleep(0.03)
    return lag.lag()


def test_lag_is_what_the_group_has_before_it(log: SqliteLog) -> None:
    lag = SqliteLag(log.file, "inbound")
    assert settled(lag) == 0
    log.append([output(MAIL_RECEIVED, mail_id(n), n) for n in range(5)])
    assert settled(lag) == 5
    with log.transaction() as tx:
        tx.commit_position("inbound", MAIL_RECEIVED, {0: 3})
    assert settled(lag) == 2
    lag.close()


def test_lag_waits_for_no_writer(log: SqliteLog) -> None:
    lag = SqliteLag(log.file, "inbound")
    with log.transaction() as tx:
        tx.append([output(MAIL_RECEIVED, mail_id(1), 1)])
        assert settled(lag) == 0
    assert settled(lag) == 1
    lag.close()


def test_lag_never_raises(log: SqliteLog) -> None:
    lag = SqliteLag(log.file, "inbound")
    log.append([output(MAIL_RECEIVED, mail_id(1), 1)])
    assert settled(lag) == 1
    lag.close()
    assert settled(lag) == 1
