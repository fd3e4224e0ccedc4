from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.ports import KeyStore
from projections.mailbox.sqlite import SqliteMailboxProjection
from projections.mailbox.sqlite_reader import SqliteMailboxReader
from tests.contracts.projection_mailbox import MakeStore, ProjectionContract, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MakeStore]:
    made: list[Store] = []
    numbers = itertools.count()

    def make(keys: KeyStore) -> Store:
        path = tmp_path / f"views-{next(numbers)}.db"
        made.append(Store(SqliteMailboxProjection(path, keys), SqliteMailboxReader(lambda: path)))
        return made[-1]

    yield make
    for one in made:
        one.projection.close()


class TestSqliteMailbox(ProjectionContract):
    pass
