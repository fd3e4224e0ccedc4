from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from infra.sqlite.connection import LOG
from infra.sqlite.dead import SqliteDeadLetters
from infra.sqlite.file import SqliteFile
from tests.contracts.dead import STAGE, DeadLettersContract, record
from tests.contracts.log import Stop


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    return SqliteFile(tmp_path / "log.db", LOG)


class TestSqliteDeadLetters(DeadLettersContract):
    @pytest.fixture
    def dead(self, file: SqliteFile) -> SqliteDeadLetters:
        return SqliteDeadLetters(file)

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], SqliteDeadLetters]:
        return lambda: SqliteDeadLetters(SqliteFile(tmp_path / "log.db", LOG))


def test_letters_are_parked_with_the_transaction_around_them(file: SqliteFile) -> None:
    dead = SqliteDeadLetters(file)
    with suppress(Stop), file.write():
        dead.park(STAGE, record("a", 1), "damaged", 77)
        raise Stop
    assert list(dead.list()) == []
