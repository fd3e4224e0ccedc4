"""The mailbox stage as the cluster profile runs it: Kafka, one of its runners in a process of its
own that is killed at the points between outputs, state and position, and its state on SQLite, which
is lost or set back now and then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from random import Random

import apsw

from infra.barrier import VARIABLE
from infra.ports import Output, Record
from mailfold.settings import load
from schemas.topics import MAILBOX_COMMANDS, MAILBOX_EVENTS
from streams.topology import MAILBOX
from tests.model.kafka_worker import FileClock, TimedHouse
from tests.system import ROOT

POINTS = ("planned", "settled", "outputs", "state", "position", "committed")
PARTITIONS = 4
PATIENCE = 120.0

State = dict[str, list[tuple[object, ...]]]
"""Rows of the stage's state by table, and how far it has come."""


class KafkaRig:
    """Satisfies Rig. `runner` is the setting; the worker has the topics for itself."""

    def __init__(self, kafka: str, folder: Path, runner: str, random: Random) -> None:
        self._random = random
        self._barrier = folder / "barrier"
        self._barrier.mkdir(parents=True)
        self.clock = FileClock(folder / "clock")
        self.clock.now = time.time_ns() // 1000
        told = {
            "data": str(folder / "data"),
            "profile": "cluster",
            "runner": runner,
            "kafka": kafka,
            "partitions": str(PARTITIONS),
            "topic_prefix": f"{uuid.uuid4().hex[:12]}.",
        }
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("MAILFOLD_")},
            **{f"MAILFOLD_{k.upper()}": v for k, v in told.items()},
            VARIABLE: str(self._barrier),
            "PYTHONPATH": str(ROOT),
        }
        self._path = folder
        self._house = TimedHouse(load(**told), self.clock)
        self._house.prepare()
        self.keys = self._house.keys
        self.content = self._house.content
        self.outcomes = self._house.outcomes
        self.forgotten: set[str] = set()
        self.kills = 0
        self.losses = 0
        self.commands = 0
        self.events = 0
        self._point = ""
        self._kept: State = {}
        self._reader = self._house.log.reader(MAILBOX_EVENTS, {})
        self._worker = self._started()

    # -- what a rig does

    def append(self, outputs: Sequence[Output]) -> None:
        """Append in pieces of any size, so that batches are cut anywhere."""
        start = 0
        falls_at = self._random.randrange(len(outputs)) if outputs else 0
        while start < len(outputs):
            if self._point and start >= falls_at:
                self._arm()
            size = self._random.choice((1, 5, 50, 200))
            self._house.log.append(outputs[start : start + size])
            start += size
        self.commands += len(outputs)

    def settle(self) -> None:
        self._arm()
        deadline = time.monotonic() + PATIENCE
        while not self._settled():
            self._keep_alive()
            assert time.monotonic() < deadline, "the commands are not judged"
            time.sleep(0.02)
        assert not self._house.dead.list(), "a command became a dead letter"

    def unread(self) -> Sequence[Record]:
        end = self._house.log.end(MAILBOX_EVENTS)
        deadline = time.monotonic() + PATIENCE
        found: list[Record] = []
        while any(self._reader.position[p] < offset for p, offset in end.items()):
            found += self._reader.poll(1000, 0.1)
            assert time.monotonic() < deadline, "the events can't be read"
        self.events += len(found)
        return found

    def close(self) -> None:
        self._worker.kill()
        self._worker.wait()
        self._reader.close()
        self._house.close()

    # -- what befalls it

    def kill_at(self, point: str) -> None:
        """Have the worker killed when it comes to a point, from somewhere in the next round on."""
        self._point = point

    def lose_state(self) -> None:
        """Stop the worker, and take the state's rows away or put those of an earlier time back."""
        self._stopped()
        self._put(self._kept if self._random.random() < 0.5 else {})
        self.losses += 1
        self._worker = self._started()

    def keep_state(self) -> None:
        """Stop and start the worker, and remember the state's rows for `lose_state`."""
        self._stopped()
        self._kept = self._rows()
        self._worker = self._started()

    # -- the worker

    def _arm(self) -> None:
        if self._point:
            (self._barrier / f"{MAILBOX.name}.{self._point}").touch()
            self._point = ""

    def _started(self) -> subprocess.Popen[bytes]:
        with (self._path / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.model.kafka_worker", str(self._path / "clock")],
                cwd=ROOT,
                env=self._environment,
                stderr=log,
            )

    def _stopped(self) -> None:
        for armed in self._barrier.iterdir():
            armed.unlink()
        self._worker.terminate()
        assert self._worker.wait(PATIENCE) == 0, self._said()

    def _keep_alive(self) -> None:
        """Kill the worker if it is held at a point, and start the next."""
        status = self._worker.poll()
        assert status is None, f"the worker ended with {status}: {self._said()}"
        held = list(self._barrier.glob(f"*.{self._worker.pid}"))
        if held:
            self._worker.send_signal(signal.SIGKILL)
            self._worker.wait()
            self.kills += 1
            for file in held:
                file.unlink()
            self._worker = self._started()

    def _said(self) -> str:
        return (self._path / "worker.log").read_text()[-4000:]

    def _settled(self) -> bool:
        done = self._house.log.committed(MAILBOX.name, MAILBOX_COMMANDS)
        return all(done.get(p, 0) >= n for p, n in self._house.log.end(MAILBOX_COMMANDS).items())

    # -- the state

    def _tables(self, c: apsw.Connection) -> list[str]:
        names = c.execute("select name from sqlite_master where type = 'table'")
        return [n for (n,) in names if n == "box" or n.startswith(("box_", "stage_progress"))]

    def _rows(self) -> State:
        c = apsw.Connection(str(self._house.settings.state_path))
        try:
            return {t: list(c.execute(f"select * from {t}")) for t in self._tables(c)}
        finally:
            c.close()

    def _put(self, state: State) -> None:
        c = apsw.Connection(str(self._house.settings.state_path))
        try:
            with c:
                for table in self._tables(c):
                    c.execute(f"delete from {table}")
                    for row in state.get(table, []):
                        marks = ",".join("?" * len(row))
                        c.execute(f"insert into {table} values({marks})", row)
        finally:
            c.close()
