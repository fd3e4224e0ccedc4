"""What a projection says when SQLite refuses one of its files."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import apsw

from infra.ports import EngineDown, Fault

_FAULTS: dict[type[apsw.Error], Fault] = {
    apsw.BusyError: "busy",
    apsw.LockedError: "busy",
    apsw.FullError: "full",
    apsw.IOError: "disk",
    apsw.CantOpenError: "denied",
    apsw.ReadOnlyError: "denied",
    apsw.CorruptError: "damaged",
    apsw.NotADBError: "damaged",
}
_DOWN = tuple(_FAULTS)


def engine_down(path: Path, error: apsw.Error) -> EngineDown:
    """Return what to raise for an error of the file `path`."""
    return EngineDown(f"{path.name}: {type(error).__name__}", _FAULTS.get(type(error), "away"))


@contextmanager
def engine_errors(path: Path) -> Generator[None]:
    """Raise EngineDown for what SQLite says of disk, locks and damage; other errors are ours."""
    try:
        yield
    except _DOWN as e:
        raise engine_down(path, e) from e
