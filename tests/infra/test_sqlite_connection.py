from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from infra.ports import EngineDown
from infra.sqlite import connection as opening
from infra.sqlite.connection import KEYS, LOG, VIEWS, Profile, open_connection
from infra.sqlite.file import SqliteFile
from tests.contracts.log import Stop

# Synchronous as SQLite numbers it: 1 is normal, 2 is full.
PRAGMAS = [
    (LOG, {"page_size": 16384, "journal_mode": "wal", "synchronous": 2, "secure_delete": 0}),
    (KEYS, {"page_size": 4096, "journal_mode": "wal", "synchronous": 2, "secure_delete": 1}),
    (VIEWS, {"page_size": 8192, "journal_mode": "wal", "synchronous": 1, "secure_delete": 0}),
]


@pytest.mark.parametrize(("profile", "expected"), PRAGMAS)
def test_a_file_is_opened_by_its_profile(
    tmp_path: Path, profile: Profile, expected: dict[str, int | str]
) -> None:
    for _ in range(2):
        c = open_connection(tmp_path / "x.db", profile)
        c.execute("create table if not exists t(n)")
        assert {name: c.pragma(name) for name in expected} == expected
        c.close()


def test_a_reading_connection_writes_nothing(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "x.db", LOG)
    file.connection.execute("create table t(n)")
    reader = file.open_reader()
    with pytest.raises(apsw.ReadOnlyError):
        reader.execute("insert into t values(1)")
    reader.close()
    file.close()


def test_a_library_that_can_lose_commits_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening.apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(EngineDown, match=r"3\.51\.2"):
        open_connection(tmp_path / "x.db", LOG)


@pytest.mark.parametrize("content", [b"x" * 5000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_an_engine_that_is_down(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "x.db").write_bytes(content)
    with pytest.raises(EngineDown):
        SqliteFile(tmp_path / "x.db", LOG)


def test_a_folder_that_is_not_there_is_an_engine_that_is_down(tmp_path: Path) -> None:
    with pytest.raises(EngineDown):
        SqliteFile(tmp_path / "nowhere" / "x.db", LOG)


def fill(file: SqliteFile, commits: int) -> None:
    for _ in range(commits):
        with file.write() as c:
            c.execute("insert into t values(randomblob(20000))")


def wal_pages(file: SqliteFile) -> int:
    return Path(f"{file.path}-wal").stat().st_size // file.profile.page_size


def test_the_wal_stays_bounded_while_readers_come_and_go(tmp_path: Path) -> None:
    profile = replace(LOG, page_size=4096, checkpoint=100, background=0, restart=200)
    file = SqliteFile(tmp_path / "x.db", profile)
    file.connection.execute("create table t(b)")
    stopping = threading.Event()

    def read() -> None:
        reader = file.open_reader()
        while not stopping.is_set():
            reader.execute("select count(*), max(b) from t").fetchall()
        reader.close()

    threads = [threading.Thread(target=read) for _ in range(2)]
    for t in threads:
        t.start()
    fill(file, 400)
    stopping.set()
    for t in threads:
        t.join()
    # 400 commits of 6 pages each would be 2,400.
    assert wal_pages(file) < 600
    file.close()


def test_a_reader_that_stands_still_stops_no_writer(tmp_path: Path) -> None:
    profile = replace(LOG, page_size=4096, checkpoint=20, background=0, restart=40)
    file = SqliteFile(tmp_path / "x.db", profile)
    file.connection.execute("create table t(b)")
    reader = file.open_reader()
    reader.execute("begin")
    reader.execute("select count(*) from t").fetchall()
    fill(file, 12)
    assert wal_pages(file) > 40
    reader.execute("rollback")
    fill(file, 12)
    with file.read() as c:
        assert c.execute("select count(*) from t").get == 24
    assert wal_pages(file) < 150
    reader.close()
    file.close()


def test_a_thread_checkpoints_beside_the_writer(tmp_path: Path) -> None:
    profile = replace(LOG, page_size=4096, checkpoint=100_000, background=10, restart=200_000)
    file = SqliteFile(tmp_path / "x.db", profile)
    file.connection.execute("create table t(b)")
    fill(file, 20)
    waiting = threading.Event()
    for _ in range(500):
        if file.path.stat().st_size > 40_000:
            break
        waiting.wait(0.02)
    assert file.path.stat().st_size > 40_000
    file.close()


def test_two_threads_write_one_after_the_other(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "x.db", LOG)
    file.connection.execute("create table t(n)")

    def write() -> None:
        for _ in range(50):
            with file.write() as c:
                n = c.execute("select count(*) from t").get
                c.execute("insert into t values(?)", (n,))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    with file.read() as c:
        assert c.execute("select count(distinct n) from t").get == 200
    file.close()


def test_what_is_called_after_a_commit_is_not_called_after_a_rollback(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "x.db", LOG)
    called: list[str] = []
    with suppress(Stop), file.write():
        file.after_commit(lambda: called.append("committed"))
        file.after_rollback(lambda: called.append("undone"))
        raise Stop
    assert called == ["undone"]
    with file.write():
        with file.write():
            file.after_commit(lambda: called.append("committed"))
        assert called == ["undone"]
    assert called == ["undone", "committed"]
    file.close()
