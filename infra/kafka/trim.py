"""Commands are trimmed behind the stage that consumed them, and not for some days.

No time limit of Kafka's own may do it: a stage that stands still must find its commands.
"""

from __future__ import annotations

from infra.kafka.log import KafkaLog
from infra.ports import Position
from schemas.topics import MAILBOX_COMMANDS

KEPT = 7 * 24 * 3600 * 1_000_000
"""How long a command is kept after it was recorded, microseconds."""


def trim_commands(log: KafkaLog, stage: str, now: int) -> Position:
    """Delete the commands that `stage` has consumed and that are older than KEPT.

    Returns the position of the first command left. Raises EngineDown.
    """
    position = trimmable(
        log.committed(stage, MAILBOX_COMMANDS), log.position_at(MAILBOX_COMMANDS, now - KEPT)
    )
    if position:
        log.trim(MAILBOX_COMMANDS, position)
    return log.begin(MAILBOX_COMMANDS)


def trimmable(committed: Position, old: Position) -> dict[int, int]:
    """The position below which records are consumed and old; no partition without both."""
    return {p: min(offset, old[p]) for p, offset in committed.items() if p in old}
