from __future__ import annotations

import random
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from infra.ports import EngineDown
from infra.sqlite.keys import SqliteKeys
from schemas.identity import derived
from tests.contracts.keys import KeyStoreContract, key, name


@pytest.fixture
def reopen(tmp_path: Path) -> Generator[Callable[[], SqliteKeys]]:
    stores: list[SqliteKeys] = []

    def make() -> SqliteKeys:
        stores.append(SqliteKeys(tmp_path / "keys.db", busy_timeout=0.2))
        return stores[-1]

    yield make
    for s in stores:
        s.close()


@pytest.fixture
def keys(reopen: Callable[[], SqliteKeys]) -> SqliteKeys:
    return reopen()


class TestSqliteKeys(KeyStoreContract):
    @pytest.fixture
    def keys(self, reopen: Callable[[], SqliteKeys]) -> SqliteKeys:
        return reopen()

    @pytest.fixture
    def reopen(self, reopen: Callable[[], SqliteKeys]) -> Callable[[], SqliteKeys]:
        return reopen


def everything_on_disk(folder: Path) -> bytes:
    return b"\n".join(p.read_bytes() for p in sorted(folder.iterdir()))


def found(folder: Path, keys: list[bytes]) -> int:
    data = everything_on_disk(folder)
    return sum(k in data for k in keys)


@pytest.mark.parametrize("seed", range(4))
def test_destroyed_keys_are_in_no_file(tmp_path: Path, keys: SqliteKeys, seed: int) -> None:
    rng = random.Random(seed)
    live: dict[str, bytes] = {}
    gone: list[bytes] = []
    for turn in range(12):
        # In random order of identifiers, so that the index splits its pages everywhere.
        made = {derived("k", str(turn), str(n)): rng.randbytes(32) for n in range(150)}
        keys.put(made)
        live |= made
        victims = rng.sample(sorted(live), 60)
        assert found(tmp_path, [live[v] for v in victims]) == 60
        keys.destroy(victims)
        gone += [live.pop(v) for v in victims]
        assert found(tmp_path, gone) == 0
    assert keys.get(list(live)) == live
    keys.close()
    assert found(tmp_path, gone) == 0


def test_destroying_says_so_when_the_wal_still_has_the_bytes(
    tmp_path: Path, keys: SqliteKeys, reopen: Callable[[], SqliteKeys]
) -> None:
    keys.put({name(1): key(1), name(2): key(2)})
    with reopen().file.read() as c:
        c.execute("begin")
        c.execute("select * from key").fetchall()
        with pytest.raises(EngineDown):
            keys.destroy([name(1)])
        c.execute("rollback")
    assert keys.get([name(1)]) == {}
    keys.destroy([name(1)])
    assert found(tmp_path, [key(1)]) == 0
    assert found(tmp_path, [key(2)]) == 1


def test_an_undone_put_leaves_no_key(tmp_path: Path, keys: SqliteKeys) -> None:
    with pytest.raises(ValueError, match="32 octets"):
        keys.put({name(1): key(1), name(2): b"short"})
    assert keys.get([name(1)]) == {}
