"""Copies of mails in SQLite, in the connection and transaction of whoever hands it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import apsw

from infra.ports import EngineDown
from schemas.identity import from_bytes, to_bytes
from streams.lifecycle.copies import Copies

_TABLE = """
create table if not exists copy(
  mail_id blob, mailbox_id blob, held integer not null, primary key(mail_id, mailbox_id)
) without rowid;
"""


class SqliteLifecycleState:
    """Satisfies LifecycleState; one object serves one thread."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        connection.execute(_TABLE)

    def copies(self, mail_ids: Sequence[str]) -> Mapping[str, Copies]:
        """Return the copies of each mail. Raises EngineDown."""
        found: dict[str, Copies] = {i: {} for i in mail_ids}
        try:
            for mail_id, copies in found.items():
                rows = self._connection.execute(
                    "select mailbox_id, held from copy where mail_id = ?", (to_bytes(mail_id),)
                )
                for mailbox_id, held in cast("list[tuple[bytes, int]]", rows.fetchall()):
                    copies[from_bytes(mailbox_id)] = bool(held)
        except (apsw.BusyError, apsw.IOError, apsw.FullError) as e:
            raise EngineDown(f"copies: {type(e).__name__}") from e
        return found

    def save(self, copies: Mapping[str, Copies | None]) -> None:
        """Replace the copies of mails; None for one that has ended. Raises EngineDown."""
        many = self._connection.executemany
        try:
            many(
                "delete from copy where mail_id = ?",
                [(to_bytes(i),) for i, found in copies.items() if found is None],
            )
            many(
                "insert or replace into copy values(?,?,?)",
                [
                    (to_bytes(mail_id), to_bytes(mailbox_id), held)
                    for mail_id, found in copies.items()
                    for mailbox_id, held in (found or {}).items()
                ],
            )
        except (apsw.BusyError, apsw.IOError, apsw.FullError) as e:
            raise EngineDown(f"copies: {type(e).__name__}") from e
