"""One SQLite file as a process uses it: one connection for writing, and who may use it when."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import apsw

from infra.sqlite.connection import Profile, checkpoint_inline, open_connection
from infra.sqlite.errors import engine_errors


class SqliteFile:
    """A file and the one connection through which this object reads and writes it.

    Several stores may share it; their writes join the transaction that the same thread has open.
    Other threads wait for its end.
    """

    def __init__(
        self, path: Path, profile: Profile, *, vfs: str | None = None, busy_timeout: float = 10.0
    ) -> None:
        """Open the file. Raises EngineDown."""
        self.path = path
        self.profile = profile
        self.vfs = vfs
        self._busy_timeout = busy_timeout
        self._lock = threading.RLock()
        self._depth = 0
        self._after: list[Callable[[], None]] = []
        self._undo: list[Callable[[], None]] = []
        self.connection = open_connection(path, profile, vfs=vfs, busy_timeout=busy_timeout)
        self._background = Background(self) if profile.background else None
        wake = self._background.wake if self._background else None
        # apsw keeps one hook: setting ours takes the place of SQLite's autocheckpoint.
        self.connection.set_wal_hook(checkpoint_inline(profile, busy_timeout, wake))

    def open_reader(self) -> apsw.Connection:
        """Return a further connection that only reads. Raises EngineDown."""
        return open_connection(
            self.path,
            self.profile,
            vfs=self.vfs,
            busy_timeout=self._busy_timeout,
            read_only=True,
        )

    @contextmanager
    def read(self) -> Generator[apsw.Connection]:
        """Read, and see what the transaction open in this thread has written. Raises EngineDown."""
        with self._lock, engine_errors(self.path):
            yield self.connection

    @contextmanager
    def write(self) -> Generator[apsw.Connection]:
        """Write in one transaction, durable when the outermost of them ends.

        An exception that leaves any of them undoes all. Raises EngineDown.
        """
        with self._lock:
            if self._depth:
                with engine_errors(self.path):
                    yield self.connection
                return
            with engine_errors(self.path):
                self.connection.execute("begin immediate")
            self._depth = 1
            try:
                with engine_errors(self.path):
                    yield self.connection
                    self.connection.execute("commit")
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._depth = 0
                after, self._after = self._after, []
                self._undo.clear()
            for call in after:
                call()

    def _roll_back(self) -> None:
        self._after.clear()
        for undo in self._undo:
            undo()
        # A full disk or a failed write has made SQLite roll back by itself.
        if not self.connection.get_autocommit():
            with engine_errors(self.path):
                self.connection.execute("rollback")

    def after_commit(self, call: Callable[[], None]) -> None:
        """Within `write`: have `call` called when all of it is durable, and else never."""
        self._after.append(call)

    def after_rollback(self, call: Callable[[], None]) -> None:
        """Within `write`: have `call` called when it is undone, to forget what was remembered."""
        self._undo.append(call)

    def close(self) -> None:
        """Close. The last one to close moves the WAL into the file."""
        if self._background:
            self._background.stop()
        with self._lock, engine_errors(self.path):
            self.connection.close()


class Background:
    """A thread that moves the WAL into the file while writers go on (a passive checkpoint)."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._wanted = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Ask for a checkpoint; the thread is made at the first time."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name=f"checkpoint {self._file.path.name}", daemon=True
            )
            self._thread.start()
        self._wanted.set()

    def _run(self) -> None:
        file = self._file
        connection = open_connection(file.path, file.profile, vfs=file.vfs, busy_timeout=0.0)
        connection.wal_autocheckpoint(0)
        try:
            while True:
                self._wanted.wait()
                self._wanted.clear()
                if self._stopping:
                    return
                try:
                    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                # Another process is at it, or the disk is full: the writer meets the same, and asks
                # again after its next commit.
                except apsw.Error:
                    continue
        finally:
            connection.close()

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
