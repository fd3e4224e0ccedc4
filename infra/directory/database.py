"""Connections to the directory's database, and when what was read from it is out of date."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, create_engine, event, inspect
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError

from infra.directory.tables import ALIAS, FORMER_ALIAS, METADATA
from infra.ports import Clock, EngineDown, Fault

_SQLITE_SETTINGS = (
    "PRAGMA busy_timeout=5000",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
)


class Database:
    """The database at a SQLAlchemy `url`; its tables are made when they are absent."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._engine = create_engine(url)
        self._clock = clock
        self._lock = threading.Lock()
        self._watch: Any = None
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _set_up_sqlite)
        with self._translated():
            METADATA.create_all(self._engine)
            self._take_over_aliases()
            if self._engine.dialect.name == "sqlite":
                # Nothing is ever written through this connection, so that its data_version
                # changes with every commit of anybody, other processes included.
                self._watch = self._engine.raw_connection()

    def _take_over_aliases(self) -> None:
        """Move what is in the former table of aliases into the one of now."""
        if not inspect(self._engine).has_table(FORMER_ALIAS):
            return
        columns = ", ".join(column.name for column in ALIAS.columns)
        with self._engine.begin() as c:
            c.exec_driver_sql(
                f"insert into {ALIAS.name} ({columns}) select {columns} from {FORMER_ALIAS}"
            )
            c.exec_driver_sql(f"drop table {FORMER_ALIAS}")

    @contextmanager
    def connect(self) -> Generator[Connection]:
        """Give a connection for reading. Raises EngineDown."""
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def begin(self) -> Generator[Connection]:
        """Give a connection in a transaction that commits at the end. Raises EngineDown."""
        with self._translated(), self._engine.begin() as connection:
            yield connection

    def version(self) -> int:
        """Return a number that changes when the data may have changed. Raises EngineDown.

        On SQLite exact; elsewhere it changes every second.
        """
        if self._watch is None:
            return self._clock() // 1_000_000
        with self._translated(), self._lock:
            cursor = self._watch.cursor()
            try:
                cursor.execute("PRAGMA data_version")
                return int(cursor.fetchone()[0])
            finally:
                cursor.close()

    def damage(self) -> str:
        """Read a SQLite file through; return what is wrong with it, "" for nothing."""
        if self._engine.dialect.name != "sqlite":
            return ""
        with self.connect() as c:
            found = str(c.exec_driver_sql("PRAGMA quick_check(1)").scalar())
        return "" if found == "ok" else found

    def close(self) -> None:
        """Give all connections back."""
        with self._lock:
            if self._watch is not None:
                self._watch.close()
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except (OperationalError, InterfaceError) as e:
            raise EngineDown(f"accounts: {type(e.orig).__name__}", _fault(e)) from e
        except DatabaseError as e:
            # The class itself, and none of those below it, is what a damaged file raises.
            if type(e) is not DatabaseError:
                raise
            raise EngineDown(f"accounts: {type(e.orig).__name__}", "damaged") from e


_FAULTS: dict[str, Fault] = {
    "SQLITE_BUSY": "busy",
    "SQLITE_LOCKED": "busy",
    "SQLITE_FULL": "full",
    "SQLITE_IOERR": "disk",
    "SQLITE_CANTOPEN": "denied",
    "SQLITE_READONLY": "denied",
    "SQLITE_PERM": "denied",
}


def _fault(error: DBAPIError) -> Fault:
    # An extended code has the name of its family before it: SQLITE_IOERR_FSYNC.
    words = str(getattr(error.orig, "sqlite_errorname", "")).split("_")
    return _FAULTS.get("_".join(words[:2]), "away")


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for statement in _SQLITE_SETTINGS:
        cursor.execute(statement)
    cursor.close()
