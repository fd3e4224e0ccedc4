"""Opening a file of ours: pragmas by profile, waiting for the write lock, checkpoints.

Two SQLite libraries in one process drop each other's POSIX locks and corrupt the file, so what is
opened here is opened through apsw everywhere.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import apsw

from infra.ports import EngineDown
from infra.sqlite.errors import engine_errors

OLDEST = (3, 51, 3)
"""Before 3.51.3 a checkpoint that races the reset of the WAL can lose a commit."""

WalHook = Callable[[apsw.Connection, str, int], int]
"""Called after a commit with the connection, the schema's name and the WAL's length in pages."""


_READER_PATIENCE = 0.05
"""Seconds that a commit waits for readers of a WAL grown too long."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How a file is kept. Sizes of the WAL are in pages of `page_size` octets."""

    page_size: int
    synchronous: Literal["full", "normal"]
    secure_delete: bool
    checkpoint: int
    """Pages from which the committing thread checkpoints itself."""
    background: int
    """Pages from which a thread beside it does; 0 for none."""
    restart: int
    """Pages from which the committing thread also waits for readers, to start the WAL anew."""
    cache_kib: int


LOG = Profile(
    page_size=16384,
    synchronous="full",
    secure_delete=False,
    checkpoint=4000,
    background=1000,
    restart=16000,
    cache_kib=8192,
)
"""The log and what shares its transactions. A background checkpoint alone lets the WAL grow without
bound under load, an inline one alone adds its fsync to the latency of a commit."""

KEYS = Profile(
    page_size=4096,
    synchronous="full",
    secure_delete=True,
    checkpoint=1000,
    background=0,
    restart=4000,
    cache_kib=4096,
)
"""Keys, which must leave no bytes behind."""

VIEWS = Profile(
    page_size=8192,
    synchronous="normal",
    secure_delete=False,
    checkpoint=4000,
    background=0,
    restart=16000,
    cache_kib=65536,
)
"""Projections: after a power cut an older state with an older cursor, never a broken one."""


def busy_ladder(timeout: float) -> Callable[[int], bool]:
    """Return a busy handler that gives up after `timeout` seconds.

    SQLite's own handler backs off to 100 ms, and whoever has waited longest asks most rarely: with
    three writers it starved one for over a second. Short jittered steps bring that to 0.15 s at the
    same throughput.
    """
    started = 0.0

    def wait(attempt: int) -> bool:
        nonlocal started
        now = time.monotonic()
        if attempt == 0:
            started = now
        if now - started >= timeout:
            return False
        step = 0.0002 if attempt == 0 else 0.0005 if attempt < 200 else 0.002
        time.sleep(step * random.uniform(0.5, 1.5))
        return True

    return wait


def open_connection(
    path: Path,
    profile: Profile,
    *,
    vfs: str | None = None,
    busy_timeout: float = 10.0,
    read_only: bool = False,
) -> apsw.Connection:
    """Open (make, when it is not there) a file by its profile.

    `busy_timeout` is in seconds. A read-only connection sees committed data only and blocks no
    writer. Raises EngineDown.
    """
    version = apsw.sqlite_lib_version()
    if tuple(map(int, version.split("."))) < OLDEST:
        raise EngineDown(f"SQLite {version} can lose commits; install a newer apsw")
    with engine_errors(path):
        connection = apsw.Connection(os.fspath(path), vfs=vfs)
        try:
            connection.set_busy_handler(busy_ladder(busy_timeout))
            _apply(connection, profile, read_only)
        except apsw.Error:
            connection.close()
            raise
    return connection


def _apply(connection: apsw.Connection, profile: Profile, read_only: bool) -> None:
    if not read_only:
        connection.pragma("page_size", profile.page_size)
    mode = connection.pragma("journal_mode", "wal")
    if mode != "wal":
        raise apsw.CantOpenError(f"journal mode is {mode}, not wal")
    connection.pragma("synchronous", profile.synchronous)
    connection.pragma("secure_delete", int(profile.secure_delete))
    connection.pragma("cache_size", -profile.cache_kib)
    connection.pragma("journal_size_limit", profile.checkpoint * profile.page_size)
    # No statement journal or sorter of ours may spill keys or mail into a temporary file.
    connection.pragma("temp_store", "memory")
    connection.pragma("foreign_keys", 1)
    if read_only:
        connection.pragma("query_only", 1)
        connection.wal_autocheckpoint(0)


def checkpoint_inline(
    profile: Profile, busy_timeout: float, wake: Callable[[], None] | None
) -> WalHook:
    """Return the hook that runs after each commit, with the length of the WAL in pages."""

    def committed(connection: apsw.Connection, _database: str, pages: int) -> int:
        try:
            if pages >= profile.restart:
                # A reader that stands still may hold the WAL, but not the writers for long.
                connection.set_busy_handler(busy_ladder(_READER_PATIENCE))
                try:
                    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
                finally:
                    connection.set_busy_handler(busy_ladder(busy_timeout))
            elif pages >= profile.checkpoint:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            elif profile.background and pages >= profile.background and wake is not None:
                wake()
        # The commit is durable whatever becomes of the checkpoint, and an error returned here would
        # say that it failed. The next commit comes by here again.
        except apsw.Error:
            return apsw.SQLITE_OK
        return apsw.SQLITE_OK

    return committed
