"""Workers that share the partitions of a stage come, go, are killed and stand still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.kafka.log import KafkaLog
from schemas.topics import MAILBOX_COMMANDS, MAILBOX_EVENTS
from tests.contracts.toy_stage import command, seen
from tests.infra.kafka.log_kit import new_log, system_clock
from tests.system import ROOT, wait_until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

KEYS = [f"key {n}" for n in range(12)]
PATIENCE = 90.0


class Workers:
    """Processes of one group, and what they were given to do."""

    def __init__(self, kind: str, kafka: str, folder: Path) -> None:
        self._kind = kind
        self._kafka = kafka
        self._folder = folder
        self.log: KafkaLog = new_log(kafka, folder, system_clock)
        self._sent = 0
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, stop_at: str = "") -> subprocess.Popen[bytes]:
        arguments = [self._kind, self._kafka, self.log.prefix, str(self._folder)]
        made = subprocess.Popen(
            [sys.executable, "-m", "tests.streams.worker", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "STOP_AT": stop_at},
        )
        self._running.append(made)
        return made

    def send(self, count: int) -> None:
        """Append `count` commands for each key."""
        for n in range(self._sent, self._sent + count):
            self.log.append([command(k, str(n)) for k in KEYS])
        self._sent += count

    def _done(self) -> bool:
        committed = self.log.committed("mailbox", MAILBOX_COMMANDS)
        end = self.log.end(MAILBOX_COMMANDS)
        return all(committed.get(p, 0) >= n for p, n in end.items())

    def settle(self) -> None:
        wait_until(self._done, PATIENCE, "all commands are consumed")

    def hold_true(self) -> None:
        """Every command had its effect once, in order."""
        begin = self.log.begin(MAILBOX_EVENTS)
        outputs = [r for p, o in begin.items() for r in self.log.read_to_end(MAILBOX_EVENTS, p, o)]
        assert len({r.event_id for r in outputs}) == len(outputs)
        for key in KEYS:
            assert seen(outputs, key) == [(n + 1, str(n)) for n in range(self._sent)]

    def close(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()
        self.log.close()


@pytest.fixture(params=["consumer", "faust"])
def workers(request: pytest.FixtureRequest, kafka: str, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(request.param, kafka, tmp_path)
    yield made
    made.close()


def test_workers_join_leave_and_are_killed(workers: Workers) -> None:
    first = workers.start()
    workers.send(20)
    workers.settle()
    second = workers.start()
    for _ in range(10):
        workers.send(10)
    workers.settle()
    first.terminate()
    workers.send(20)
    assert first.wait(30) == 0
    workers.settle()
    third = workers.start()
    for _ in range(10):
        workers.send(10)
    second.kill()
    second.wait()
    workers.send(20)
    workers.settle()
    workers.hold_true()
    third.terminate()
    assert third.wait(30) == 0


@pytest.mark.parametrize("point", ["settled", "outputs", "position"])
def test_a_worker_that_stood_still_changes_nothing_when_it_wakes(
    workers: Workers, point: str
) -> None:
    zombie = workers.start(stop_at=point)
    workers.send(5)
    wait_until(lambda: _is_stopped(zombie.pid), PATIENCE, "the worker stands still")
    workers.start()
    workers.settle()
    workers.send(5)
    workers.settle()
    workers.hold_true()
    zombie.send_signal(signal.SIGCONT)
    workers.send(5)
    workers.settle()
    # It ends, or it has joined the group again: what it held is no more its own.
    workers.hold_true()


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
