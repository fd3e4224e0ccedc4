from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from infra.ports import Content, Record
from infra.sqlite.connection import LOG
from infra.sqlite.content import InLog, InRow, SqliteContent
from infra.sqlite.file import SqliteFile
from infra.sqlite.log import SqliteLog
from infra.sqlite.wake import SocketWake
from schemas.topics import MAIL_RECEIVED
from tests.contracts.content import ContentStoreContract, Receive, content
from tests.contracts.log import mail_id, output, undone


@pytest.fixture
def log(tmp_path: Path) -> SqliteLog:
    return SqliteLog(SqliteFile(tmp_path / "log.db", LOG), lambda: 5, SocketWake(tmp_path / "run"))


def receive_into(log: SqliteLog) -> Receive:
    def receive(n: int) -> Record:
        log.append([output(MAIL_RECEIVED, mail_id(n), n, 20_000)])
        return log.find(MAIL_RECEIVED, mail_id(n))[0]

    return receive


class TestContentBesideTheLog(ContentStoreContract):
    @pytest.fixture
    def contents(self, log: SqliteLog) -> SqliteContent:
        return SqliteContent(InLog(log))

    @pytest.fixture
    def reopen(self, log: SqliteLog, tmp_path: Path) -> Callable[[], SqliteContent]:
        file = SqliteFile(log.file.path, LOG)
        return lambda: SqliteContent(
            InLog(SqliteLog(file, lambda: 5, SocketWake(tmp_path / "run")))
        )

    @pytest.fixture
    def receive(self, log: SqliteLog) -> Receive:
        return receive_into(log)


class TestContentBesideAnotherLog(ContentStoreContract):
    @pytest.fixture
    def contents(self, tmp_path: Path) -> SqliteContent:
        return SqliteContent(InRow(SqliteFile(tmp_path / "state.db", LOG)))

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], SqliteContent]:
        return lambda: SqliteContent(InRow(SqliteFile(tmp_path / "state.db", LOG)))

    @pytest.fixture
    def receive(self) -> Receive:
        def receive(n: int) -> Record:
            return Record(MAIL_RECEIVED, 3, n, mail_id(n), "Received", mail_id(n), 5, b"x" * 20_000)

        return receive


def test_content_is_written_with_the_transaction_of_the_log(log: SqliteLog) -> None:
    contents = SqliteContent(InLog(log))
    one = receive_into(log)(1)
    with undone(log):
        contents.put({one.key: content(one)})
        assert contents.get([one.key]) == {one.key: content(one)}
    assert contents.get([one.key]) == {}


def test_content_beside_the_log_holds_no_second_copy(log: SqliteLog) -> None:
    contents = SqliteContent(InLog(log))
    one = receive_into(log)(1)
    contents.put({one.key: Content(one, b"a", b"s", b"d")})
    with log.file.read() as c:
        assert c.execute("select typeof(received) from content").get == "integer"


def test_content_that_points_nowhere_is_an_error(log: SqliteLog) -> None:
    contents = SqliteContent(InLog(log))
    nowhere = Record(MAIL_RECEIVED, 0, 99, mail_id(1), "Received", mail_id(1), 5, b"")
    contents.put({nowhere.key: content(nowhere)})
    with pytest.raises(LookupError, match="99"):
        contents.get([nowhere.key])
