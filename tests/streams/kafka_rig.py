"""A toy stage between Kafka and a state file of its own, run by any of the runners on Kafka."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from infra.kafka.dead import PublishedDeadLetters
from infra.kafka.log import KafkaLog
from infra.ports import Checkpoint, EngineDown, Output, Record
from infra.sqlite.connection import LOG
from infra.sqlite.dead import SqliteDeadLetters
from infra.sqlite.file import SqliteFile
from infra.sqlite.progress import SqliteProgress
from schemas.topics import MAILBOX_COMMANDS, MAILBOX_EVENTS
from streams.runners.consumer import ConsumerRunner
from streams.runners.faust import FaustRunner, FaustSettings
from streams.runners.partition_host import PartitionHost
from tests.contracts.runners import Killed
from tests.contracts.toy_sqlite import SqliteToyState
from tests.contracts.toy_stage import ToyStage
from tests.infra.kafka.log_kit import new_log, system_clock

PATIENCE = 60.0


class Bench:
    """Log, state file, stage and host, as one process has them."""

    def __init__(self, log: KafkaLog, path: Path, group: str, checkpoint: Checkpoint) -> None:
        self.log = log
        self.file = SqliteFile(path, LOG)
        self.dead = PublishedDeadLetters(SqliteDeadLetters(self.file), log)
        self.stage = ToyStage(SqliteToyState(self.file))
        self.checkpoint = checkpoint
        self.host = PartitionHost(
            self.stage,
            log,
            SqliteProgress(self.file, log.prefix),
            self.dead,
            system_clock,
            checkpoint,
            group,
        )

    def close(self) -> None:
        self.file.close()


class Driven(Protocol):
    """A runner as the rig drives it."""

    def step(self) -> None:
        """Run a little. Raises Killed, EngineDown."""
        ...

    def die(self) -> None:
        """Go without a farewell, as a killed process does."""
        ...


class DrivenConsumer:
    """The consumer loop, step by step."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._member = bench.log.member(bench.host.group, MAILBOX_COMMANDS)
        self._runner = ConsumerRunner(bench.host, self._member, bench.checkpoint)

    def step(self) -> None:
        self._runner.step(0.1)

    def die(self) -> None:
        self._runner.close()


class DrivenFaust:
    """Faust in a thread of its own."""

    def __init__(self, bench: Bench) -> None:
        self._died: list[BaseException] = []
        self._stop = threading.Event()
        settings = FaustSettings(bench.file.path.parent / "faust", commit_interval=0.2)
        self._runner = FaustRunner(
            bench.host, bench.log, settings, bench.checkpoint, die=self._died.append
        )
        self._thread = threading.Thread(
            target=self._runner.run, args=(self._stop.is_set, self._stop.wait)
        )
        self._thread.start()

    def step(self) -> None:
        time.sleep(0.05)
        if self._died:
            raise self._died[0]

    def die(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)
        self._runner.close()


Drive = Callable[[Bench], Driven]


class KafkaRig:
    """Satisfies Rig."""

    def __init__(self, kafka: str, folder: Path, drive: Drive) -> None:
        self._folder = folder
        self._drive = drive
        self._kill_at = ""
        self.log = new_log(kafka, folder, system_clock)
        self.path = folder / "state.db"
        self._group = "mailbox"
        self._driven: Driven | None = None
        self._open()

    def _open(self) -> None:
        self.bench = Bench(self.log, self.path, self._group, self._checkpoint)
        self.dead = self.bench.dead
        healed = self.stage.healed if hasattr(self, "stage") else False
        self.stage = self.bench.stage
        self.stage.healed = healed
        self._driven = self._drive(self.bench)

    def _checkpoint(self, point: str) -> None:
        if self._kill_at and point == f"mailbox.{self._kill_at}":
            self._kill_at = ""
            raise Killed(point)

    def append(self, outputs: Sequence[Output]) -> None:
        self.log.append(outputs)

    def settle(self) -> None:
        assert self._driven is not None
        while not self._settled():
            with contextlib.suppress(EngineDown):
                self._driven.step()

    def _settled(self) -> bool:
        if self.bench.dead.retryable("mailbox"):
            return False
        done = self.log.committed(self._group, MAILBOX_COMMANDS)
        return all(done.get(p, 0) >= n for p, n in self.log.end(MAILBOX_COMMANDS).items())

    def outputs(self) -> Sequence[Record]:
        begin = self.log.begin(MAILBOX_EVENTS)
        return [r for p, o in begin.items() for r in self.log.read_to_end(MAILBOX_EVENTS, p, o)]

    def kill_at(self, point: str) -> None:
        self._kill_at = point

    def stop(self) -> None:
        """End the runner and close its file."""
        if self._driven is not None:
            self._driven.die()
            self._driven = None
            self.bench.close()

    def replace(self) -> None:
        self.stop()
        self._open()

    def replay(self, group: str) -> None:
        self.stop()
        self._group = group
        self._open()
        self.settle()

    # -- what only this rig can

    def copy_state(self, to: Path) -> None:
        """Copy the state file of a stopped runner."""
        shutil.copyfile(self.path, to)

    def lose_state(self) -> None:
        """Delete the state file of a stopped runner."""
        for name in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + name).unlink(missing_ok=True)

    def restore_state(self, copy: Path) -> None:
        """Put a copy in place of the state file of a stopped runner."""
        self.lose_state()
        shutil.copyfile(copy, self.path)

    def start(self) -> None:
        """Start a runner."""
        self._open()

    def close(self) -> None:
        self.stop()
        self.log.close()
