"""What to tell a person about an error that stopped a command."""

from __future__ import annotations

from infra.ports import EngineDown, Fault, Fenced
from mailfold.settings import SettingsError
from mailfold.supervisor import SupervisorError
from mailfold.wiring import Incomplete
from projections.consumer import AheadOfLog
from projections.ports import OutOfOrder, Unreadable
from projections.rebuild import NothingKept
from projections.versions import Dropped, NeedsRebuild
from streams.topology import PROJECTIONS

_DO: dict[Fault, str] = {
    "away": "see that it runs and can be reached, then try again",
    "busy": "another process holds it; try again in a moment",
    "full": "the disk is full; make room",
    "disk": "the disk gives errors; look at the system's log",
    "denied": "give the file to the user that runs mailfold",
    "damaged": "the file is damaged; stop mailfold and put the data folder back from a backup",
}
_DAMAGED_VIEW = "the file is damaged; stop mailfold, delete the folder views, and start it again"


def engine_advice(error: EngineDown) -> str:
    """Return one line: what refused, and what to do."""
    if error.fault == "damaged" and error.text.startswith(tuple(p.name for p in PROJECTIONS)):
        return f"{error.text}: {_DAMAGED_VIEW}"
    return f"{error.text}: {_DO[error.fault]}"


def advice(error: Exception) -> str | None:
    """Return one line on what went wrong and what to do; None for a defect of ours."""
    if isinstance(error, EngineDown):
        return engine_advice(error)
    if isinstance(error, SettingsError | SupervisorError | Incomplete | NothingKept | Dropped):
        return str(error)
    if isinstance(error, NeedsRebuild):
        return str(error) + "; `mailfold serve` builds it anew, or `mailfold projection rebuild`"
    if isinstance(error, Unreadable):
        return f"{error} can't be folded; install the version of mailfold that wrote it"
    if isinstance(error, OutOfOrder):
        return f"{error}: events are missing; put the data folder back from a backup"
    if isinstance(error, AheadOfLog):
        return (
            f"{error}, which the log does not reach: it belongs to another log; "
            "stop mailfold, delete the folder views, and start it again"
        )
    if isinstance(error, Fenced):
        return f"{error}; stop the other process"
    return None
