"""Where the toy stage keeps its rows on SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infra.sqlite.file import SqliteFile


class SqliteToyState:
    """The toy's rows in a file that the runner's transactions are of."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        with file.write() as c:
            c.execute("create table if not exists toy(key text primary key, seq int, done text)")

    def load(self, keys: Sequence[str]) -> Mapping[str, tuple[int, frozenset[str]]]:
        """Return the rows of `keys`."""
        found: dict[str, tuple[int, frozenset[str]]] = {}
        with self._file.read() as c:
            for key in keys:
                for seq, done in c.execute("select seq, done from toy where key=?", (key,)):
                    found[key] = (seq, frozenset(done.split()))
        return found

    def save(self, rows: Mapping[str, tuple[int, frozenset[str]]]) -> None:
        """Replace rows."""
        with self._file.write() as c:
            c.executemany(
                "insert or replace into toy values(?,?,?)",
                [(k, seq, " ".join(sorted(done))) for k, (seq, done) in rows.items()],
            )
