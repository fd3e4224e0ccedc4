"""One batch through one stage: what every runner does alike.

A batch is decided whole. When that fails, it is halved, in order, until the record that can't be
processed stands alone; that one becomes a dead letter and later records of its key wait behind it.
Only an engine that is down goes up to the runner, which tries the same batch again.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from infra.ports import DeadLetter, DeadLetters, EngineDown, Fenced, Output, Record
from streams.stage import Poison, Stage

P = TypeVar("P")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parked:
    """A record that goes to the dead letters; `error` is "" when it only waits for its key."""

    record: Record
    error: str


class Host(Protocol):
    """What an engine does with a decided batch, all of it or none."""

    def commit(
        self,
        stage: Stage[P],
        plan: P | None,
        parked: Sequence[Parked],
        batch: Sequence[Record],
        retried: DeadLetter | None,
    ) -> Sequence[Output]:
        """Make outputs, state, dead letters and position durable; return the outputs.

        `batch` is what the position moves over; a retried dead letter moves no position.
        """
        ...


def error_code(error: BaseException) -> str:
    """Return what a dead letter says of an error: a code or a type, never its text."""
    return error.code if isinstance(error, Poison) else f"internal:{type(error).__name__}"


def tell(stage: str, error: BaseException) -> None:
    """Log where a record failed: code and place, never the error's text, which may hold content."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
    logger.error("stage %s: %s at %s", stage, error_code(error), where)


def process(stage: Stage[P], batch: Sequence[Record], dead: DeadLetters, host: Host) -> int:
    """Take `batch` through `stage` and return the number of outputs.

    Raises EngineDown (nothing of the unfinished rest is committed) and Fenced.
    """
    if not batch:
        return 0
    blocked = dead.blocked(stage.name, sorted({r.key for r in batch}))
    ready = [r for r in batch if r.key not in blocked]
    waiting = [Parked(r, "") for r in batch if r.key in blocked]
    try:
        plan = stage.plan(ready) if ready else None
        return len(host.commit(stage, plan, waiting, batch, None))
    except (EngineDown, Fenced):
        raise
    except Exception as e:  # a defect of one record must not stop the stage
        if len(ready) <= 1:
            if not ready:
                raise
            tell(stage.name, e)
            parked = [Parked(r, error_code(e) if r is ready[0] else "") for r in batch]
            return len(host.commit(stage, None, parked, batch, None))
    # The half must split what is ready, or records that only wait would be halved for ever.
    cut = batch.index(ready[len(ready) // 2])
    return process(stage, batch[:cut], dead, host) + process(stage, batch[cut:], dead, host)


def anybodys(_: DeadLetter) -> bool:
    """Say that a letter is this runner's: it is the only one."""
    return True


def retry(
    stage: Stage[P],
    dead: DeadLetters,
    host: Host,
    now: int,
    mine: Callable[[DeadLetter], bool] = anybodys,
) -> int:
    """Try again the dead letters that somebody asked for; return how many were processed.

    Letters of one key are tried in order and the first failure blocks the key as before. Where
    several runners share the keys, `mine` says which letters are this one's.
    """
    failed: set[str] = set()
    done = 0
    for letter in dead.retryable(stage.name):
        if letter.record.key in failed or not mine(letter):
            continue
        try:
            plan = stage.plan([letter.record])
            host.commit(stage, plan, (), (letter.record,), letter)
            done += 1
        except (EngineDown, Fenced):
            raise
        except Exception as e:  # noqa: BLE001 (it stays a dead letter)
            tell(stage.name, e)
            failed.add(letter.record.key)
            dead.failed(letter.id, error_code(e), now)
    return done
