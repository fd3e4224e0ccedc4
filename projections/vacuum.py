"""Writing a SQLite file anew, so that no free page and no gap in one keeps what was deleted."""

from __future__ import annotations

from pathlib import Path

import apsw


def vacuum(connection: apsw.Connection, path: Path) -> None:
    """Write the file `path` anew, outside of a transaction.

    The copy is made in a file without a name beside it: in memory it would take as much as the
    file is large, and elsewhere it would leave the data folder. It has what is left and nothing
    of what was deleted.
    """
    kept = connection.pragma("temp_store")
    connection.pragma("temp_store_directory", str(path.parent))
    connection.pragma("temp_store", "file")
    try:
        connection.execute("vacuum")
    finally:
        connection.pragma("temp_store", kept)
