"""What the house is told when SQLite refuses."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import apsw

from infra.ports import EngineDown, Fault

_FAULTS: dict[type[apsw.Error], Fault] = {
    apsw.BusyError: "busy",
    apsw.LockedError: "busy",
    apsw.ProtocolError: "busy",
    apsw.InterruptError: "busy",
    apsw.FullError: "full",
    apsw.IOError: "disk",
    apsw.CantOpenError: "denied",
    apsw.ReadOnlyError: "denied",
    apsw.PermissionsError: "denied",
    apsw.NoMemError: "away",
    # A damaged file is not mended by a second try, yet to a sender it is a failure of ours that
    # may pass (RFC 5321 section 4.2.1, 4yz), never a reason to give the mail back.
    apsw.CorruptError: "damaged",
    apsw.NotADBError: "damaged",
}
_DOWN = tuple(_FAULTS)


@contextmanager
def engine_errors(path: Path) -> Generator[None]:
    """Raise EngineDown for what SQLite says of disks, locks and damaged files."""
    try:
        yield
    except _DOWN as e:
        raise EngineDown(f"{path.name}: {type(e).__name__}", _FAULTS[type(e)]) from e
