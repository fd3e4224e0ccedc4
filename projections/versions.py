"""Versions of a projection, side by side: one is live, one may be in the making, one is kept.

Each version is a file of its own, so a rebuild takes no lock of the live one and an old version
goes by deleting its file. Which one is live stands in a single row: changing it is the swap.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import apsw

from infra.ports import Clock, EngineDown
from projections.faults import engine_down
from projections.ports import Projection

State = Literal["live", "previous", "building"]

KEEP = 7 * 24 * 3600 * 1_000_000
"""A version that was replaced is kept this long, in microseconds."""

_TABLE = """
create table if not exists version(
  name text not null,
  version integer not null,
  state text not null,
  format integer not null,
  since integer not null,
  primary key(name, version)
) without rowid
"""


class NeedsRebuild(Exception):
    """The live version was written by other code than this; `mailfold projection rebuild` it."""


class Dropped(Exception):
    """A version was dropped while it was in the making; begin again."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a projection, in its state since `since` (microseconds)."""

    name: str
    version: int
    state: State
    format: int
    since: int


class Versions:
    """The versions of the projection `name`, for any number of threads and processes."""

    def __init__(
        self,
        path: Path,
        name: str,
        source: str,
        format: int,
        make: Callable[[Path], Projection],
        clock: Clock,
    ) -> None:
        """`path` is the file that says which is live; the versions are made beside it.

        `source` is the topic that is folded, `format` that of tables and fold in this code.
        """
        self.name = name
        self.source = source
        self._path = path
        self._scratch = f"{path.stem}-{name}-scratch-"
        self._unclean = path.with_name(f"{path.stem}-{name}.unclean")
        self._cleaning = path.with_name(f"{path.stem}-{name}.cleaning")
        self._format = format
        self._make = make
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: apsw.Connection | None = None

    @contextmanager
    def _catalogue(self, *, write: bool = False) -> Generator[apsw.Connection]:
        """One transaction on the catalogue, for one thread at a time."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = _open(self._path)
                connection = self._connection
                connection.execute("begin immediate" if write else "begin")
                try:
                    yield connection
                except BaseException:
                    if not connection.get_autocommit():
                        connection.execute("rollback")
                    raise
                connection.execute("commit")
            except apsw.Error as e:
                raise engine_down(self._path, e) from e

    def list(self) -> Sequence[Version]:
        """Return all versions, the live one first."""
        with self._catalogue() as connection:
            return self._list(connection)

    def _list(self, connection: apsw.Connection) -> Sequence[Version]:
        found = connection.execute(
            "select name, version, state, format, since from version where name = ?"
            " order by state <> 'live', version desc",
            (self.name,),
        ).fetchall()
        return [Version(*cast("tuple[str, int, State, int, int]", row)) for row in found]

    def live(self) -> Version:
        """Return the live version; the first one is made, empty, when there is none."""
        found = self.list()
        if found and found[0].state == "live":
            return found[0]
        with self._catalogue(write=True) as connection:
            found = self._list(connection)
            if found and found[0].state == "live":
                return found[0]
            return self._add(connection, "live")

    def live_file(self) -> Path:
        """Return the file that readers read. Raises NeedsRebuild."""
        return self.file(self._readable(self.live()))

    def _readable(self, version: Version) -> Version:
        if version.format != self._format:
            raise NeedsRebuild(f"projection {self.name}: version {version.version} is of old code")
        return version

    def followed(self) -> Sequence[Version]:
        """Return what a consumer folds into: the live version, then the one kept for roll-back.

        Raises NeedsRebuild. The kept one is folded on, so that it can be live again at once, and
        so that what is erased goes from it too.
        """
        found = [v for v in self.list() if v.state != "building"]
        if not found:
            return [self.live()]
        self._readable(found[0])
        return [v for v in found if v.format == self._format]

    def begin(self) -> Version:
        """Return the version in the making, one begun by another run included."""
        with self._catalogue(write=True) as connection:
            for version in self._list(connection):
                if version.state == "building":
                    if version.format == self._format:
                        return version
                    self._remove(connection, version)
            return self._add(connection, "building")

    def swap(self, version: Version) -> None:
        """Make `version` live and keep what was; what was kept before is dropped.

        Raises Dropped when the version is not there any more.
        """
        with self._catalogue(write=True) as connection:
            there = self._list(connection)
            if version.version not in {v.version for v in there}:
                raise Dropped(f"version {version.version} of projection {self.name} was dropped")
            for other in there:
                if other.version == version.version:
                    continue
                if other.state == "live" and other.format == self._format:
                    self._set(connection, other, "previous")
                elif other.state != "building":
                    self._remove(connection, other)
            self._set(connection, version, "live")

    def drop(self, version: Version) -> None:
        """Delete a version that is not live, its file included."""
        with self._catalogue(write=True) as connection:
            if any(v.version == version.version for v in self._list(connection)[1:]):
                self._remove(connection, version)

    def expire(self) -> None:
        """Drop what has been kept long enough."""
        for version in self.list():
            if version.state == "previous" and version.since + KEEP < self._clock():
                self.drop(version)

    def file(self, version: Version) -> Path:
        """Return the file of a version."""
        return self._path.with_name(f"{self._path.stem}-{self.name}-{version.version}.db")

    def open(self, version: Version) -> Projection:
        """Open a version for folding. Raises NeedsRebuild when other code wrote it."""
        return self._make(self.file(self._readable(version)))

    @contextmanager
    def scratch(self) -> Generator[Projection]:
        """Open an empty version that is gone afterwards."""
        self.sweep()
        path = self._path.with_name(f"{self._scratch}{os.getpid()}.db")
        projection = self._make(path)
        try:
            yield projection
        finally:
            projection.close()
            _delete(path)

    def sweep(self) -> None:
        """Delete what `scratch` left behind in processes that died."""
        for left in self._path.parent.glob(f"{self._scratch}*.db"):
            if not _runs(left.stem.removeprefix(self._scratch)):
                _delete(left)

    def mark_unclean(self) -> None:
        """Note, for whatever process comes after this one, that a file may hold what was erased.

        Raises EngineDown.
        """
        try:
            self._unclean.touch()
            _sync(self._unclean.parent)
        except OSError as e:
            raise EngineDown(f"{self._unclean.name}: {e.strerror}") from e

    def unclean(self) -> bool:
        """Say whether a file may hold what was erased."""
        return self._unclean.exists() or self._cleaning.exists()

    @contextmanager
    def cleaning(self) -> Generator[None]:
        """Take the note away when all that is done inside ends well.

        What is noted meanwhile stays noted.
        """
        with suppress(FileNotFoundError):
            self._unclean.replace(self._cleaning)
        try:
            yield
        except BaseException:
            self.mark_unclean()
            raise
        self._cleaning.unlink(missing_ok=True)

    def close(self) -> None:
        """Give resources back."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _add(self, connection: apsw.Connection, state: State) -> Version:
        last = connection.execute(
            "select coalesce(max(version), 0) from version where name = ?", (self.name,)
        ).fetchone()
        (number,) = cast("tuple[int]", last)
        version = Version(self.name, number + 1, state, self._format, self._clock())
        # The file first: a version that is named can be opened.
        self._make(self.file(version)).close()
        connection.execute(
            "insert into version values (?,?,?,?,?)",
            (version.name, version.version, version.state, version.format, version.since),
        )
        return version

    def _set(self, connection: apsw.Connection, version: Version, state: State) -> None:
        connection.execute(
            "update version set state = ?, since = ? where name = ? and version = ?",
            (state, self._clock(), self.name, version.version),
        )

    def _remove(self, connection: apsw.Connection, version: Version) -> None:
        connection.execute(
            "delete from version where name = ? and version = ?", (self.name, version.version)
        )
        _delete(self.file(version))


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(30_000)
    connection.execute("pragma journal_mode = wal")
    # FULL: a swap that was told of must not be forgotten. Swaps are rare.
    connection.execute("pragma synchronous = full")
    connection.execute(_TABLE)
    return connection


def _runs(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _delete(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
