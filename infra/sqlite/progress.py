"""How far the stages have come beside a log of another engine, in the file of their state.

Whoever takes a partition over claims it here too. A process that stood still between its outputs
and its state would write rows that are older than those of the new owner, and the log, which
fenced it, could not stop that.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import cast

from infra.ports import Fenced, Progress
from infra.sqlite.file import SqliteFile

_TABLE = """
create table if not exists stage_progress(
    log text not null,
    stage text not null,
    partition integer not null,
    folded integer not null,
    consumed integer not null,
    owner text not null,
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

    def claim(self, stage: str, partition: int, owner: str) -> Progress:
        """Make `owner` the one who may advance a partition; return how far it has come.

        Raises EngineDown.
        """
        with self._file.write() as c:
            row = c.execute(
                "insert into stage_progress values(?,?,?,0,0,?) "
                "on conflict do update set owner=excluded.owner returning folded, consumed",
                (self._log, stage, partition, owner),
            ).fetchone()
            return Progress(*cast("tuple[int, int]", row))

    def advance(self, stage: str, partition: int, owner: str, progress: Progress) -> None:
        """Set how far it has come. Raises Fenced when another has claimed it, EngineDown."""
        with self._file.write() as c:
            c.execute(
                "update stage_progress set folded=?, consumed=? "
                "where log=? and stage=? and partition=? and owner=?",
                (progress.folded, progress.consumed, self._log, stage, partition, owner),
            )
            if c.changes() == 0:
                raise Fenced(f"state of {stage}, partition {partition}")
