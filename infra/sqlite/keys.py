"""Keys in keys.db, destroyed so that no file holds their bytes.

A destroyed key is overwritten where it stands. Deleting rows would let SQLite move their
neighbours to other pages, and secure_delete does not clear what a moved row leaves behind; here a
key never moves, since rows are appended in ascending order and never deleted. The tombstone that
remains says nothing but that there was a key.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import apsw

from infra.ports import EngineDown, KeyTaken, Random
from infra.sqlite.connection import KEYS
from infra.sqlite.file import SqliteFile
from infra.sqlite.rows import chosen, from_column, to_column

_TABLES = """
create table if not exists key(number integer primary key, id blob not null, key blob not null);
create unique index if not exists key_id on key(id);
create table if not exists installation(name text primary key, value blob not null);
"""

_SIZE = 32
_DESTROYED = bytes(_SIZE)
"""In place of a destroyed key, and of the same size, so that SQLite overwrites it in place."""


def sync_file(path: Path) -> None:
    """Put a file on disk as it is. Raises EngineDown."""
    # Not for the main file or the -shm: closing those would drop SQLite's POSIX locks on them.
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as e:
        raise EngineDown(f"{path.name}: {e.strerror}") from e


class SqliteKeys:
    """Content, digest and mailbox keys by the identifier of what they seal (port KeyStore)."""

    def __init__(
        self,
        path: Path,
        random: Random = os.urandom,
        *,
        sync: Callable[[Path], None] = sync_file,
        vfs: str | None = None,
        busy_timeout: float = 10.0,
    ) -> None:
        """Open the file, made when it is not there. Raises EngineDown."""
        self._random = random
        self._sync = sync
        self.file = SqliteFile(path, KEYS, vfs=vfs, busy_timeout=busy_timeout)
        with self.file.write() as c:
            c.execute(_TABLES)

    def put(self, keys: Mapping[str, bytes]) -> None:
        """Store keys that the caller made for identifiers that are new. Durable on return.

        Raises KeyTaken, with nothing stored, when one has another key or had one that was
        destroyed; ValueError for a key that has not 32 octets; EngineDown.
        """
        if not keys:
            return
        with self.file.write() as c:
            before = c.total_changes()
            self._insert(c, keys)
            if c.total_changes() - before == len(keys):
                return
            stored = self._select(c, keys)
            taken = [i for i, key in keys.items() if stored.get(i) != key]
            if taken:
                raise KeyTaken(taken)

    def ensure(self, identifiers: Sequence[str]) -> Mapping[str, bytes]:
        """Return the key of each, made and durable where there was none. Raises EngineDown.

        One whose key was destroyed is missing.
        """
        found = self.get(identifiers)
        missing = [i for i in dict.fromkeys(identifiers) if i not in found]
        if not missing:
            return found
        with self.file.write() as c:
            self._insert(c, {i: self._random(_SIZE) for i in missing})
            # Another process may have been first; what stands there counts.
            return {**found, **self._select(c, missing)}

    def _insert(self, c: apsw.Connection, keys: Mapping[str, bytes]) -> None:
        for key in keys.values():
            if len(key) != _SIZE or key == _DESTROYED:
                raise ValueError("a key has 32 octets, not all of them zero")
        c.executemany(
            "insert or ignore into key(id, key) values(?,?)",
            ((to_column(i), key) for i, key in keys.items()),
        )

    def _select(self, c: apsw.Connection, identifiers: Iterable[str]) -> dict[str, bytes]:
        columns = [to_column(i) for i in identifiers]
        rows = chosen(c, "select id, key from key where id in ", columns)
        return {from_column(i): key for i, key in rows if key != _DESTROYED}

    def get(self, identifiers: Sequence[str]) -> Mapping[str, bytes]:
        """Return the keys that exist; a destroyed one is missing. Raises EngineDown."""
        with self.file.read() as c:
            return self._select(c, identifiers)

    def destroy(self, identifiers: Sequence[str]) -> None:
        """Destroy keys so that no file holds their bytes. Durable on return.

        An identifier without a key gets the tombstone alone, and never a key.
        Raises EngineDown when another process holds the WAL: the keys are gone for every reader,
        but call it again until it returns.
        """
        with self.file.write() as c:
            c.executemany(
                "insert into key(id, key) values(?,?) on conflict(id) do update"
                " set key=excluded.key",
                ((to_column(i), _DESTROYED) for i in identifiers),
            )
        # The WAL still has the pages as they were: move it into the file and cut it to nothing.
        with self.file.read() as c:
            c.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            # SQLite does not sync the cut, which loses no data; here it would bring keys back.
            self._sync(Path(f"{self.file.path}-wal"))

    def destroyed(self, identifiers: Sequence[str]) -> frozenset[str]:
        """Return those whose key was destroyed. Raises EngineDown."""
        with self.file.read() as c:
            return frozenset(
                i
                for i in identifiers
                if c.execute("select key from key where id=?", (to_column(i),)).get == _DESTROYED
            )

    def secret(self) -> bytes:
        """Return the installation's secret of 32 octets, made at the first call."""
        with self.file.write() as c:
            c.execute(
                "insert or ignore into installation values('secret', ?)", (self._random(_SIZE),)
            )
            return cast(
                "bytes", c.execute("select value from installation where name='secret'").get
            )

    def close(self) -> None:
        """Close the file."""
        self.file.close()
