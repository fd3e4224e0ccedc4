"""How far the stages have come beside a log of another engine, in the file of their state."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import cast

from infra.ports import Progress
from infra.sqlite.file import SqliteFile

_TABLE = """
create table if not exists stage_progress(
    log text not null,
    stage text not null,
    partition integer not null,
    folded integer not null,
    consumed integer not null,
    primary key(log, stage, partition)
) without rowid
"""


class SqliteProgress:
    """Satisfies StageFile; rows are written in the transaction of the state that they speak of."""

    def __init__(self, file: SqliteFile, log: str) -> None:
        """`log` names the log that offsets are of: another generation of its topics begins anew.

        Raises EngineDown.
        """
        self._file = file
        self._log = log
        with file.write() as c:
            c.execute(_TABLE)

    def transaction(self) -> AbstractContextManager[object]:
        """Begin a transaction on the file; an inner one joins it."""
        return self._file.write()

    def progress(self, stage: str, partition: int) -> Progress:
        """Return how far a partition has come. Raises EngineDown."""
        with self._file.read() as c:
            row = c.execute(
                "select folded, consumed from stage_progress "
                "where log=? and stage=? and partition=?",
                (self._log, stage, partition),
            ).fetchone()
            return Progress() if row is None else Progress(*cast("tuple[int, int]", row))

    def advance(self, stage: str, partition: int, progress: Progress) -> None:
        """Set how far it has come. Raises EngineDown."""
        with self._file.write() as c:
            c.execute(
                "insert or replace into stage_progress values(?,?,?,?,?)",
                (self._log, stage, partition, progress.folded, progress.consumed),
            )
