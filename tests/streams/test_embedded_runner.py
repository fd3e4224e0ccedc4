"""The embedded runner keeps the contract of runners."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from infra.ports import EngineDown, Fenced, Output, Record
from infra.sqlite.connection import LOG
from infra.sqlite.dead import SqliteDeadLetters
from infra.sqlite.file import SqliteFile
from infra.sqlite.log import SqliteLog
from infra.sqlite.wake import SocketWake
from schemas.topics import MAILBOX_EVENTS
from streams.runners.embedded import EmbeddedRunner
from tests.contracts.runners import Killed, RunnerContract
from tests.contracts.toy_sqlite import SqliteToyState
from tests.contracts.toy_stage import ToyStage, command, seen


class EmbeddedRig:
    """A log file, a toy stage and a runner."""

    def __init__(self, folder: Path) -> None:
        ticks = itertools.count(1_700_000_000_000_000, 1000)
        self.file = SqliteFile(folder / "log.db", LOG)
        self.wake = SocketWake(folder / "run")
        self.clock = lambda: next(ticks)
        self.log = SqliteLog(self.file, self.clock, self.wake)
        self.dead = SqliteDeadLetters(self.file)
        self.stage = ToyStage(SqliteToyState(self.file))
        self._kill_at = ""
        self.between: Callable[[], None] | None = None
        """Called once when a batch is decided and not yet committed."""
        self._runner = self._start()

    def _start(self, group: str | None = None) -> EmbeddedRunner:
        return EmbeddedRunner(self.stage, self.log, self.dead, self.clock, self._checkpoint, group)

    def _checkpoint(self, point: str) -> None:
        if self.between is not None and point == "mailbox.planned":
            between, self.between = self.between, None
            between()
        if self._kill_at and point == f"mailbox.{self._kill_at}":
            self._kill_at = ""
            raise Killed(point)

    def append(self, outputs: Sequence[Output]) -> None:
        """Append commands."""
        self.log.append(outputs)

    def settle(self) -> None:
        """Run until nothing is left."""
        while True:
            try:
                if self._runner.step() == 0:
                    return
            except EngineDown:
                continue

    def outputs(self) -> Sequence[Record]:
        """Return all outputs."""
        return self.log.reader(MAILBOX_EVENTS, {}).poll(10_000, 0)

    def kill_at(self, point: str) -> None:
        """Die at a point once."""
        self._kill_at = point

    def replace(self) -> None:
        """Start another runner."""
        self._runner.close()
        self._runner = self._start()

    def replay(self, group: str) -> None:
        """Run everything again under another group."""
        self._runner.close()
        self._runner = self._start(group)
        self.settle()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[EmbeddedRig]:
    made = EmbeddedRig(tmp_path)
    yield made
    made.file.close()
    made.wake.close()


class TestEmbeddedRunner(RunnerContract):
    """The contract, on the embedded log."""

    def test_a_batch_that_another_runner_has_processed_meanwhile_is_not_committed(
        self, rig: EmbeddedRig
    ) -> None:
        rig.append([command("ann", str(i)) for i in range(5)])

        def overtake() -> None:
            rig.replace()
            rig.settle()

        rig.between = overtake
        with pytest.raises(Fenced):
            rig.settle()
        assert seen(rig.outputs(), "ann") == [(i + 1, str(i)) for i in range(5)]
