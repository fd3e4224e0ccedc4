"""Reading a file through to see whether it is whole."""

from __future__ import annotations

from pathlib import Path

import apsw

from infra.sqlite.errors import engine_errors


def library_version() -> str:
    """Return the version of SQLite in use."""
    return apsw.sqlite_lib_version()


def damage(path: Path) -> str:
    """Read all pages of a SQLite file; return what is wrong with them, "" for nothing.

    Writers go on meanwhile. Raises EngineDown.
    """
    with engine_errors(path):
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(10_000)
            found = str(connection.execute("pragma quick_check(1)").get)
        finally:
            connection.close()
    return "" if found == "ok" else found
