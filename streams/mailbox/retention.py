"""How long commands are kept: until the stage has consumed them, and some days beyond.

No time limit of an engine may do it: a stage that stands still must find its commands.
"""

from __future__ import annotations

from infra.ports import EventLog, Position
from schemas.topics import MAILBOX_COMMANDS

KEPT = 7 * 24 * 3600 * 1_000_000
"""How long a command is kept after it was recorded, microseconds."""


def trim_before(consumed: Position, young: Position) -> Position:
    """Return the position before which records are consumed and old.

    `consumed` is where the stage stands, `young` the first record too young to go. A partition
    that the stage has never committed stays whole.
    """
    return {p: min(offset, young[p]) for p, offset in consumed.items() if p in young}


def trim_commands(log: EventLog, group: str, now: int) -> None:
    """Delete commands that `group` has consumed and that are older than KEPT. Raises EngineDown."""
    # Where the stage stands is read first: it only moves on.
    consumed = log.committed(group, MAILBOX_COMMANDS)
    before = trim_before(consumed, log.position_at(MAILBOX_COMMANDS, now - KEPT))
    if before:
        log.trim(MAILBOX_COMMANDS, before)
