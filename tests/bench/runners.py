"""CPU and rate of one small stage on each runner, a process of its own each.

`python -m tests.bench.runners [EVENTS]` starts a Kafka broker and prints a line a runner.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from infra.engines.kafka import KafkaBroker
from infra.kafka.cluster import Connection
from infra.kafka.log import KafkaLog
from infra.registry.file import FileRegistry
from infra.sqlite.connection import LOG
from infra.sqlite.dead import SqliteDeadLetters
from infra.sqlite.file import SqliteFile
from infra.sqlite.log import SqliteLog
from infra.sqlite.wake import SocketWake
from schemas.topics import MAILBOX_COMMANDS
from streams.runners.consumer import ConsumerRunner
from streams.runners.embedded import EmbeddedRunner
from streams.runners.faust import FaustRunner, FaustSettings
from streams.runners.partition_host import unwatched
from tests.contracts.toy_sqlite import SqliteToyState
from tests.contracts.toy_stage import ToyStage, command
from tests.infra.kafka.log_kit import new_log, system_clock
from tests.streams.kafka_rig import Bench
from tests.system import ROOT

EVENTS = 20_000
PER_KEY = 10
"""Few, for the toy keeps all commands of a key in one row."""

Row = dict[str, Any]


def runners(events: int = EVENTS) -> Iterator[Row]:
    """Yield a row for each runner: CPU of the process, in microseconds an event."""
    with tempfile.TemporaryDirectory(prefix="mailfold-bench-") as name:
        folder = Path(name)
        with KafkaBroker(folder / "kafka") as broker:
            for kind in ("embedded", "consumer", "faust"):
                (folder / kind).mkdir()
                done = subprocess.run(
                    [
                        sys.executable,
                        "-m",
                        "tests.bench.runners",
                        kind,
                        broker.bootstrap,
                        str(folder / kind),
                        str(events),
                    ],
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                    check=True,
                )
                yield json.loads(done.stdout.splitlines()[-1])


def measured(kind: str, events: int, settled: Callable[[], None]) -> Row:
    """Return the row of what `settled` takes until all events are processed."""
    started, cpu = time.perf_counter(), time.process_time()
    settled()
    seconds, used = time.perf_counter() - started, time.process_time() - cpu
    return {
        "row": f"runner {kind}",
        "value": round(used / events * 1e6, 1),
        "unit": "CPU us/event",
        "events/s": round(events / seconds),
        "events": events,
    }


def commands(log: KafkaLog | SqliteLog, events: int) -> None:
    """Append what there is to do."""
    keys = events // PER_KEY
    for n in range(PER_KEY):
        for first in range(0, keys, 500):
            some = range(first, min(first + 500, keys))
            log.append([command(f"key {k}", str(n)) for k in some])


def embedded(folder: Path, events: int) -> Row:
    """Measure the runner on the embedded log."""
    file = SqliteFile(folder / "log.db", LOG)
    log = SqliteLog(file, system_clock, SocketWake(folder / "run"))
    runner = EmbeddedRunner(
        ToyStage(SqliteToyState(file)), log, SqliteDeadLetters(file), system_clock
    )
    commands(log, events)

    def settled() -> None:
        while runner.step():
            pass

    row = measured("embedded", events, settled)
    runner.close()
    file.close()
    return row


def on_kafka(kind: str, servers: str, folder: Path, events: int) -> Row:
    """Measure a runner on Kafka."""
    first = new_log(servers, folder, system_clock)
    log = KafkaLog(
        Connection(servers), FileRegistry(folder / "schemas.json"), system_clock, first.prefix
    )
    bench = Bench(log, folder / "state.db", "mailbox", unwatched)
    commands(first, events)
    first.close()
    done = threading.Event()
    left = events

    def committed() -> None:
        nonlocal left
        left = events - sum(log.committed("mailbox", MAILBOX_COMMANDS).values())
        if left <= 0:
            done.set()

    def settled() -> None:
        if kind == "faust":
            runner = FaustRunner(
                bench.host, log, FaustSettings(folder / "faust", commit_interval=0.2)
            )
        else:
            runner = ConsumerRunner(bench.host, log.member("mailbox", MAILBOX_COMMANDS))
        thread = threading.Thread(target=runner.run, args=(done.is_set, done.wait))
        thread.start()
        while not done.wait(0.1):
            committed()
        thread.join()
        runner.close()

    row = measured(kind, events, settled)
    bench.close()
    log.close()
    return row


def main(arguments: list[str]) -> None:
    """Measure one runner, or all."""
    if len(arguments) == 4:
        kind, servers, folder, events = arguments
        row = (
            embedded(Path(folder), int(events))
            if kind == "embedded"
            else on_kafka(kind, servers, Path(folder), int(events))
        )
        print(json.dumps(row))
        return
    for row in runners(*map(int, arguments)):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
