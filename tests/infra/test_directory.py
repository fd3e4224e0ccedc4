"""The directory on SQLite."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from infra.directory.sql import SqlDirectory
from infra.ports import EngineDown
from tests.contracts.directory import NOW, DirectoryContract, Open

_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def open_directory(tmp_path: Path) -> Iterator[Open]:
    opened: list[SqlDirectory] = []

    def open_one() -> SqlDirectory:
        opened.append(SqlDirectory(f"sqlite:///{tmp_path}/accounts.db", lambda: NOW, hasher=_QUICK))
        return opened[-1]

    yield open_one
    for directory in opened:
        directory.close()


class TestSqlDirectory(DirectoryContract):
    pass


def test_neither_passwords_nor_tokens_are_in_the_file(open_directory: Open, tmp_path: Path) -> None:
    directory = open_directory()
    directory.add_domain("example.test")
    directory.add_account("ada@example.test", "correct horse")
    token = directory.create_token("ada@example.test", "read", NOW + 1, NOW)
    directory.close()
    kept = b"".join(f.read_bytes() for f in tmp_path.iterdir())
    assert b"correct horse" not in kept
    assert token.encode() not in kept
    assert b"$argon2id$" in kept


def test_login_does_the_same_work_for_an_unknown_account(tmp_path: Path) -> None:
    class Counting(PasswordHasher):
        calls = 0

        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            self.calls += 1
            return super().hash(password, salt=salt)

        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            self.calls += 1
            return super().verify(hash, password)

    hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
    directory = SqlDirectory(f"sqlite:///{tmp_path}/accounts.db", lambda: NOW, hasher=hasher)
    directory.add_domain("example.test")
    directory.add_account("ada@example.test", "x")
    for address in ("ada@example.test", "bob@example.test", "no address", "ada+x@example.test"):
        before = hasher.calls
        directory.login(address, "y")
        assert hasher.calls == before + 1


def test_an_answer_is_remembered_while_nothing_changes(open_directory: Open) -> None:
    directory = open_directory()
    directory.add_domain("example.test")
    directory.add_account("ada@example.test", "x")
    assert directory.resolve("ada@example.test") is directory.resolve("ada@example.test")


def test_threads_may_share_a_directory(open_directory: Open) -> None:
    directory = open_directory()
    directory.add_domain("example.test")
    failures: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for i in range(5):
                address = f"u{n}.{i}@example.test"
                directory.add_account(address, "x")
                assert directory.resolve(address) is not None
        except BaseException as e:  # noqa: BLE001
            failures.append(e)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
    assert len(directory.accounts()) == 20


def test_a_database_that_cant_be_opened_is_an_engine_that_is_down(tmp_path: Path) -> None:
    with pytest.raises(EngineDown):
        SqlDirectory(f"sqlite:///{tmp_path}/absent/accounts.db", lambda: NOW)


def test_aliases_of_the_former_table_are_taken_over(open_directory: Open, tmp_path: Path) -> None:
    directory = open_directory()
    directory.add_domain("example.test")
    directory.add_account("ada@example.test", "x")
    (path,) = tmp_path.glob("*.db")
    with sqlite3.connect(path) as c:
        c.execute(
            "create table alias(alias text primary key, domain text, account text, target text,"
            " created_at integer)"
        )
        row = ("sales@example.test", "example.test", "ada@example.test", "ada@example.test", 1)
        c.execute("insert into alias values(?,?,?,?,?)", row)
    c.close()
    again = open_directory()
    assert [(a.alias, a.target, a.remote) for a in again.aliases()] == [
        ("sales@example.test", "ada@example.test", False)
    ]
    assert again.resolve("sales@example.test") is not None
    assert [a.alias for a in open_directory().aliases()] == ["sales@example.test"]
