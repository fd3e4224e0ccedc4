from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.ports import KeyStore
from projections.mailbox.sqlite import SqliteMailboxProjection
from projections.threads.sqlite import SqliteThreadReader
from tests.contracts.projection_threads import MakeThreads, ThreadReaderContract


@pytest.fixture
def threads(tmp_path: Path) -> Iterator[MakeThreads]:
    made: list[tuple[SqliteMailboxProjection, SqliteThreadReader]] = []
    numbers = itertools.count()

    def make(keys: KeyStore) -> tuple[SqliteMailboxProjection, SqliteThreadReader]:
        path = tmp_path / f"views-{next(numbers)}.db"
        made.append((SqliteMailboxProjection(path, keys), SqliteThreadReader(lambda: path)))
        return made[-1]

    yield make
    for projection, reader in made:
        reader.close()
        projection.close()


class TestSqliteThreads(ThreadReaderContract):
    pass
